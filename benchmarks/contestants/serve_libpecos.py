"""libpecos behind FastAPI: ``python serve_libpecos.py TRAIN FOLDER`` trains; uvicorn calls ``create``.

Texts become features by libpecos' own vectorizer in C++, which takes a third of the time of scikit-learn's for a title
of gutenberg-lcsh (``python serve_libpecos.py time TRAIN`` measures both). Its tokens are the parts between blanks, as
they are, so that the texts are made lower case. Model: defaults, prediction with hash-chunked weights.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from pecos.utils.featurization.text.vectorizers import Vectorizer
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel
from serving_app import Pairs, make_app
from serving_files import load_names, save_names, training_documents

BEAM = 10
TFIDF = {"type": "tfidf", "kwargs": {"ngram_range": (1, 1), "sublinear_tf": True}}


def train(path: Path, folder: Path) -> None:
    texts, Y, names = training_documents(path)
    texts = [text.lower() for text in texts]
    vectorizer = Vectorizer.train(texts, TFIDF)
    X = vectorizer.predict(texts)
    X.sort_indices()
    chain = Indexer.gen(LabelEmbeddingFactory.create(Y, X, method="pifa"))
    folder.mkdir(parents=True)
    XLinearModel.train(X, Y, C=chain).save(str(folder / "model"))
    vectorizer.save(str(folder / "vectorizer"))
    save_names(folder, names)


def create() -> Any:
    """The application, with the model of the folder SERVED."""
    folder = Path(os.environ["SERVED"])
    names, vectorizer = load_names(folder), Vectorizer.load(str(folder / "vectorizer"))
    model = XLinearModel.load(str(folder / "model"), is_predict_only=True, weight_matrix_type="HASH_CHUNKED")

    def answers(texts: list[str], k: int) -> list[Pairs]:
        X = vectorizer.predict([text.lower() for text in texts], threads=1)
        X.sort_indices()
        found = model.predict(X, only_topk=k, beam_size=BEAM, threads=1)
        return [_pairs(found, row, names) for row in range(len(texts))]

    return make_app(answers)


def _pairs(found: Any, row: int, names: list[str]) -> Pairs:
    part = slice(found.indptr[row], found.indptr[row + 1])
    pairs = zip(found.indices[part].tolist(), found.data[part].tolist(), strict=True)
    return sorted(((names[label], score) for label, score in pairs), key=lambda pair: -pair[1])


def time_vectorizers(path: Path) -> None:
    """Print the microseconds of each vectorizer for one text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = training_documents(path)[0]
    own, other = Vectorizer.train(texts, TFIDF), TfidfVectorizer(sublinear_tf=True).fit(texts)
    ways = {
        "libpecos": lambda text: own.predict([text], threads=1),
        "scikit-learn": lambda text: other.transform([text]),
    }
    for name, transform in ways.items():
        begin = time.perf_counter()
        for text in texts[:3000]:
            transform(text)
        print(f"{name}: {1e6 * (time.perf_counter() - begin) / 3000:.0f} µs per text")


if __name__ == "__main__":
    if sys.argv[1] == "time":
        time_vectorizers(Path(sys.argv[2]))
    else:
        train(Path(sys.argv[1]), Path(sys.argv[2]))
