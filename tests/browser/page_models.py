"""Small models for the page: a calibrated one with labels in two places of its tree, and others with less."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import serving_models
from ramify import Disentangled, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.values import TopK

TOPICS = {
    "Water pollution": "river sewage toxic lake",
    "Drinking water": "tap pipe potable reservoir",
    "Water law": "statute river permit court",
    "Fisheries": "fish boat net sea",
    "Income tax": "salary bracket wage filing",
    "Tax credits": "credit refund deduction filing",
    "Public debt": "bond deficit treasury interest",
    "Budget": "deficit spending fiscal treasury",
    "Vaccines": "dose immunity clinic virus",
    "Hospitals": "bed clinic ward nurse",
    "Nurses": "nurse shift ward licence",
    "Medical research": "trial virus laboratory dose",
    "Railways": "train track station freight",
    "Roads": "highway asphalt bridge lane",
    "Airports": "runway flight terminal freight",
    "Ports": "harbour ship freight sea",
    "Schools": "pupil teacher classroom lesson",
    "Universities": "student campus professor degree",
    "Student loans": "loan student interest degree",
    "Libraries": "book reader shelf catalogue",
    "Élections": "ballot vote candidate poll",
    "Courts": "judge court verdict appeal",
    "Police": "officer patrol arrest station",
    "<b>Markup</b> & signs": "bracket tag angle quote",
}
LABELS = list(TOPICS)


def documents(n: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """Sentences of the words of one to three topics among filling words, and these topics."""
    texts, labels = serving_models.documents(n, seed, TOPICS, 3)
    return [text.capitalize() + "." for text in texts], labels


class Bare:
    """A model of a user, with the documented methods only: no tree and no reasons."""

    def fit(self, X, Y):
        self.n_features_in_, self.n_labels_ = X.shape[1], Y.shape[1]
        self.profiles_ = (Y.T @ X).tocsr()
        return self

    def predict_topk(self, X, k):
        scores = (X @ self.profiles_.T).toarray()
        labels = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return TopK(labels.astype(np.int32), np.take_along_axis(scores, labels, 1).astype(np.float32))


def saved(folder: Path) -> dict[str, Path]:
    """Directories of two models: "topics" with all abilities, "neighbours" neither calibrated nor with a tree."""
    training, held_out = documents(600, 0), documents(400, 1)
    tree = Disentangled(XRLinear(max_leaf=4, branching=2, threads=1), copies=2, threads=1)
    first = Tagger(tree, vectorizer=Tfidf(min_df=1)).fit(*training)
    first.calibrate(*held_out, k=12).save(folder / "topics")
    second = Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit(*training)
    second.save(folder / "neighbours")
    return {name: folder / name for name in ("topics", "neighbours")}


def bare() -> Tagger:
    """A tagger with a model of a user."""
    return Tagger(Bare(), vectorizer=Tfidf(min_df=1)).fit(*documents(200, 0))
