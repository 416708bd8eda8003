"""Subjects of a multilingual vocabulary: training documents name them in any way, answers have the wanted form."""

import tempfile
from pathlib import Path

import ramify
from ramify.data import read_vocabulary

SUBJECTS = """uri,notation,label_en,label_fi,alternative_en
http://example.org/fishing,639.2,Fishing,kalastus,Angling|Fisheries
http://example.org/water,363.73,Water pollution,vesien saastuminen,
http://example.org/banks,332.1,Banks,pankit,
http://example.org/tax,336.2,Taxation,verotus,Taxes
"""
DOCUMENTS = {
    "waste in rivers": ["http://example.org/water"],
    "salmon in rivers": ["639.2", "Water pollution"],
    "tax on banks": ["pankit", "Taxation"],
    "deposits at banks": ["<http://example.org/banks>"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "subjects.csv"
        path.write_text(SUBJECTS, encoding="utf-8")
        vocabulary = read_vocabulary(path)
    print(vocabulary)

    texts, labels = list(DOCUMENTS) * 3, list(DOCUMENTS.values()) * 3
    tagger = ramify.Tagger().fit(texts, labels, vocabulary=vocabulary, language="en")
    for form in ({}, {"language": "fi"}, {"answer": "uri"}, {"answer": "notation"}):
        [[(label, _)]] = tagger.tag(["deposits of a bank"], k=1, **form)
        print(form or "as in training:", label)


if __name__ == "__main__":
    main()
