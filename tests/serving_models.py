"""Small models of the tests of the service: a calibrated one whose labels have identifiers and places in a tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ramify import Disentangled, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.strings import StringTable

TOPICS = {
    "Water pollution": "river sewage toxic lake",
    "Drinking water": "tap pipe potable reservoir",
    "Water law": "statute river permit court",
    "Fisheries": "fish boat net sea",
    "Income tax": "salary bracket wage filing",
    "Public debt": "bond deficit treasury interest",
    "Vaccines": "dose immunity clinic virus",
    "Hospitals": "bed clinic ward nurse",
    "Railways": "train track station freight",
    "Roads": "highway asphalt bridge lane",
    "Schools": "pupil teacher classroom lesson",
    "Élections": "ballot vote candidate poll",
}
FILLING = ["the", "report", "of", "a", "new", "act", "on", "this", "with", "more", "than", "one", "year"]


def documents(
    n: int, seed: int, topics: Mapping[str, str] = TOPICS, most: int = 2
) -> tuple[list[str], list[list[str]]]:
    """Texts of words of one to ``most`` topics among filling words, and these topics."""
    rng, names = np.random.default_rng(seed), list(topics)
    texts, labels = [], []
    for _ in range(n):
        own = [names[number] for number in rng.choice(len(names), rng.integers(1, most + 1), replace=False)]
        words = [word for label in own for word in rng.choice(topics[label].split(), 3).tolist()]
        words += rng.choice(FILLING, 6).tolist()
        rng.shuffle(words)
        texts.append(" ".join(words))
        labels.append(own)
    return texts, labels


def topics(seed: int = 0) -> Tagger:
    """Calibrated, with identifiers, and with labels in two places of the tree."""
    tree = Disentangled(XRLinear(max_leaf=4, branching=2, threads=1), copies=2, threads=1)
    tagger = Tagger(tree, vectorizer=Tfidf(min_df=1)).fit(*documents(300, seed))
    tagger.calibrate(*documents(200, seed + 1), k=8)
    tagger.label_keys_ = StringTable.of([f"http://example.org/subjects/{n}" for n in range(len(tagger.label_names_))])
    return tagger


def neighbours() -> Tagger:
    """Neither calibrated nor with a tree."""
    return Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit(*documents(300, 0))


def saved(folder: Path) -> dict[str, Path]:
    """The directories of both models."""
    topics().save(folder / "topics")
    neighbours().save(folder / "neighbours")
    return {name: folder / name for name in ("topics", "neighbours")}
