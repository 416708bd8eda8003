"""Held-out parts of the training data, on which settings are chosen; no test document is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

CRITERION = ("P@1", "P@3", "P@5")
"""The mean of these measures on the held-out documents decides between settings."""


def quality(measures: Mapping[str, float]) -> float:
    """The criterion: higher is better."""
    return float(np.mean([measures[name] for name in CRITERION]))


def parsed(name: str) -> tuple[str, float | None]:
    """Data set and amount of "SET", "SET:0.2" (a share of the documents) or "SET:40000" (a number of documents).

    Raises
    ------
    ValueError
        The amount is not a number above 0.
    """
    dataset, colon, text = name.partition(":")
    if not colon:
        return dataset, None
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not amount > 0:
        raise ValueError(f'"{name}": the amount after the colon must be a share up to 1 or a number of documents')
    return dataset, amount


def sampled(X: Any, Y: Any, amount: float | None) -> tuple[Any, Any]:
    """That many documents (or that share of them, up to 1), always the same ones, in their order.

    Labels keep their columns.
    """
    n = X.shape[0]
    size = n if amount is None else round(amount * n) if amount <= 1 else min(int(amount), n)
    if size == n:
        return X, Y
    kept = np.sort(np.random.default_rng(0).permutation(n)[:size])
    return X[kept], sp.csr_matrix(Y[kept])


def split(X: Any, Y: Any, number: int) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_held, Y_held: a fifth held out; labels that the rest lacks are out of anyone's reach."""
    rest, held = fifth(X.shape[0], number)
    seen = np.flatnonzero(np.bincount(Y[rest].indices, minlength=Y.shape[1]))
    Y_held = sp.csr_matrix(Y[held][:, seen])
    kept = np.flatnonzero(np.diff(Y_held.indptr))
    return X[rest], sp.csr_matrix(Y[rest][:, seen]), X[held][kept], Y_held[kept]


def fifth(n: int, number: int) -> tuple[Any, Any]:
    """Rows of four fifths of n documents and of the fifth that split ``number`` holds out, ascending."""
    order = np.random.default_rng(number).permutation(n)
    return np.sort(order[n // 5 :]), np.sort(order[: n // 5])
