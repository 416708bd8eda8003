"""omikuji behind FastAPI: ``python serve_omikuji.py TRAIN FOLDER`` trains; uvicorn calls ``create``.

As in Annif: scikit-learn's ``TfidfVectorizer``, then ``Model.predict`` for each document, with the default model of
three balanced trees. Unlike Annif, it makes pairs from the arrays of a row instead of looking up each element, and
calls ``densify_weights``, with which a prediction takes a fifth of the time and the process three times the memory.
"""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
from omikuji import Model
from serving_app import Pairs, make_app
from serving_files import load_names, save_names, training_documents
from sklearn.feature_extraction.text import TfidfVectorizer

BEAM = 10
DENSITY = 0.02
"""Share of non-zero weights from which a vector of weights is dense."""


def train(path: Path, folder: Path) -> None:
    texts, Y, names = training_documents(path)
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    X = vectorizer.fit_transform(texts)
    folder.mkdir(parents=True)
    data = folder / "train.txt"
    with data.open("w", encoding="utf-8") as file:
        file.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n")
        for row in range(X.shape[0]):
            labels = ",".join(map(str, Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist()))
            file.write(" ".join([labels, *(f"{feature}:{value:.7g}" for feature, value in pairs_of(X, row))]) + "\n")
    Model.train_on_data(str(data)).save(str(folder / "model"))
    data.unlink()
    (folder / "vectorizer.pickle").write_bytes(pickle.dumps(vectorizer))
    save_names(folder, names)


def create() -> Any:
    """The application, with the model of the folder SERVED."""
    folder = Path(os.environ["SERVED"])
    names, vectorizer = load_names(folder), pickle.loads((folder / "vectorizer.pickle").read_bytes())
    model = Model.load(str(folder / "model"))
    model.densify_weights(DENSITY)
    model.init_prediction_thread_pool(int(os.environ["SERVED_THREADS"]))

    def answers(texts: list[str], k: int) -> list[Pairs]:
        X = vectorizer.transform(texts)
        found = (model.predict(pairs_of(X, row), beam_size=BEAM, top_k=k) for row in range(len(texts)))
        return [[(names[label], score) for label, score in pairs] for pairs in found]

    return make_app(answers)


def pairs_of(X: Any, row: int) -> list[tuple[int, float]]:
    """A row as omikuji takes it."""
    part = slice(X.indptr[row], X.indptr[row + 1])
    return sorted(zip(X.indices[part].tolist(), X.data[part].tolist(), strict=True))


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
