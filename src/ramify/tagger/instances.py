"""Texts or features that a tagger is given, and which of them are empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.exchange import Request
from ramify.kernels.text import checked_texts
from ramify.tagger.given_labels import is_matrix
from ramify.values import CSR, Bool, Dataset, TopK, as_features, empty_rows
from ramify.wording import quoted


def empty_instances(request: Request) -> Bool:
    """Instances without a known feature, or without text if there are no features, shape (n,).

    Raises
    ------
    InputError
        A text that is not a str.
    """
    if request.X is not None:
        return empty_rows(request.X)
    return np.array([not text.strip() for text in checked_texts(request.texts or ())], bool)


def without_empty(top: TopK, empty: Bool) -> TopK:
    """The predictions without those for empty instances."""
    if not empty.any():
        return top
    labels = np.where(empty[:, None], np.int32(-1), top.labels)  # the arrays of a model may be its own
    return TopK(labels, np.where(empty[:, None], np.float32(-np.inf), top.scores))


def listed(texts: Iterable[str]) -> list[str]:
    """The texts as a list; InputError for a single string and for an object that is not iterable."""
    if isinstance(texts, str | bytes):
        raise InputError("texts is a single string: wrap it in a list, as in [text]")
    if not isinstance(texts, Iterable):
        raise InputError(f"texts is {quoted(texts)}, but must be a list of str")
    return list(texts)


def as_instances(texts: Any) -> Any:
    """Texts as a list, or a matrix as features."""
    return as_features(texts) if is_matrix(texts) else listed(texts)


def as_dataset(instances: Any, label_names: Sequence[str], Y: CSR) -> Dataset:
    """Instances with their labels; InputError for different numbers of both."""
    features = is_matrix(instances)
    n = instances.shape[0] if features else len(instances)
    if n != Y.shape[0]:
        raise InputError(f"there are {n} texts, but {Y.shape[0]} label lists: give one list per text")
    return Dataset(Y=Y, label_names=label_names, **{"X" if features else "texts": instances})
