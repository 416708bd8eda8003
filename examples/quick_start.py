"""Train, apply, save and load a tagger. Run: python examples/quick_start.py"""

from __future__ import annotations

import tempfile
from pathlib import Path

import ramify

BILLS = [
    ("A bill to regulate the discharge of waste into rivers", ["Water pollution", "Environment"]),
    ("A bill to protect rivers and lakes from sewage", ["Water pollution", "Environment"]),
    ("A bill to limit the catch of salmon in coastal rivers", ["Fishing", "Environment"]),
    ("A bill to license fishing vessels", ["Fishing"]),
    ("A bill to raise the tax on income of banks", ["Banks", "Taxation"]),
    ("A bill to lower the tax on small farms", ["Taxation", "Agriculture"]),
    ("A bill to insure deposits at banks", ["Banks"]),
    ("A bill to support farms after a drought", ["Agriculture"]),
]


def main() -> None:
    texts = [text for text, _ in BILLS]
    labels = [names for _, names in BILLS]
    # min_df=1 keeps words that occur in one text; use the default for more than a few texts.
    tagger = ramify.Tagger(vectorizer=ramify.Tfidf(min_df=1)).fit(texts, labels)

    query = ["a bill about sewage in rivers"]
    for name, score in tagger.tag(query, k=3)[0]:
        print(f"{score:.2f}  {name}")

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "model"
        tagger.save(directory)
        again = ramify.load(directory)
        print("loaded model gives the same answer:", again.tag(query, k=3) == tagger.tag(query, k=3))


if __name__ == "__main__":
    main()
