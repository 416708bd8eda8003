"""Facts of a model that clients look up: labels by their names, the label tree, operating points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ramify.data.streams import without_surrogates
from ramify.errors import InputError
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Refusal
from ramify.serve.places import LabelPlaces

THRESHOLDS = tuple(number / 100 for number in range(95, 0, -5))
"""Probabilities of the operating points, from few labels to many."""


class RefusedError(Exception):
    """A look-up that has no answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(status, detail)


def labels(one: Hosted, query: str, limit: int) -> dict[str, Any]:
    """Labels whose name, or a word in it, begins with a query; those with the most training documents first."""
    return {"labels": [_entry(one, number) for number in one.search.find(query, limit)]}


def label(one: Hosted, name: str) -> dict[str, Any]:
    """A label by its name or identifier, with its places in the label tree.

    Raises
    ------
    RefusedError
        An unknown name; the sentence suggests the nearest one.
    """
    try:
        [number] = one.tagger.label_ids([name])
    except InputError as error:
        raise RefusedError(404, str(error)) from None
    places = one.places
    senses = [] if places is None else [{"path": places.path(leaf)} for leaf in places.leaves(number).tolist()]
    return _entry(one, number) | {"senses": senses, "siblings": [] if places is None else places.siblings(number)}


def tree(one: Hosted, level: int, node: int) -> dict[str, Any]:
    """A node of the label tree with its children; level -1 is the root."""
    places = _places(one)
    if (level, node) != (-1, 0) and not places.has(level, node):
        sizes = ", ".join(map(str, places.tree.level_sizes))
        raise RefusedError(404, f"the label tree has no node {node} at level {level}: its levels have {sizes} nodes")
    return places.below(level, node)


def operating_points(one: Hosted) -> dict[str, Any]:
    """Precision, recall and labels per document by the threshold of the probability, on the held-out documents."""
    decisions = one.tagger.decisions_
    if decisions is None:
        raise RefusedError(404, f"the model {one.name!r} is not calibrated, so it has no operating points")
    evidence = decisions.evidence
    probabilities = np.where(evidence.valid, decisions.calibration.probabilities(evidence.top), np.float32(-1))
    true, points = max(1, int(evidence.n_true.sum())), []
    for threshold in THRESHOLDS:
        kept = probabilities >= threshold
        right, number = int((kept & evidence.hits).sum()), int(kept.sum())
        if number:
            mean = number / len(probabilities)
            points.append({"threshold": threshold, "precision": right / number, "recall": right / true, "labels": mean})
    return {"points": points}


def known(one: Hosted, names: list[str]) -> list[str]:
    """Those names that are labels of the model."""
    return [name for name in names if one.tagger.has_label(name)]


LOOKUPS: Mapping[str, Callable[..., Any]] = {
    "labels": labels,
    "label": label,
    "tree": tree,
    "operating_points": operating_points,
    "known": known,
}


def _places(one: Hosted) -> LabelPlaces:
    if one.places is None:
        raise RefusedError(404, f"the model {one.name!r} has no label tree")
    return one.places


def _entry(one: Hosted, number: int) -> dict[str, Any]:
    keys, counts = one.tagger.label_keys_, one.tagger.label_counts_
    return {
        "label": without_surrogates(one.tagger.label_names_[number]),
        "key": None if keys is None else without_surrogates(keys[number]),
        "documents": None if counts is None else int(counts[number]),
    }
