"""Texts or features that a tagger is given, and which of them are empty."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ramify.errors import InputError
from ramify.exchange import Request
from ramify.kernels.text import checked_texts
from ramify.values import Bool, TopK, empty_rows
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
