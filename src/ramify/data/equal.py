"""Groups of equal instances, which belong in one fold.

Unlike ``duplicate_groups(dataset, "duplicates")``, it compares texts as they are, takes features with a dense block,
and has one group of all documents without content.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ramify.data.duplicates.shingles import RowSets
from ramify.values import Dataset, Int64


def equal_instances(dataset: Dataset) -> Int64:
    """A number for each document, equal for equal texts, or for equal rows of features without texts, shape (n,).

    Numbers are 0, 1, ... in the order of the first occurrences. Rows of other features than a sparse matrix are never
    equal.
    """
    return equal_rows(len(dataset), dataset.texts, dataset.X)


def equal_rows(n: int, texts: Sequence[str] | None, X: Any) -> Int64:
    """As ``equal_instances``, for n instances with texts, or with features."""
    keys: Iterable[Any] = range(n)
    if texts is not None:
        keys = texts
    elif hasattr(X, "indptr"):
        keys = RowSets(X).digests().tolist()
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64, n)


def folds(groups: Int64, seed: int, *, share: float, most: int, enough: int) -> list[Int64]:
    """Rows of each fold, in ascending order; folds are made until enough documents are in one.

    Parameters
    ----------
    groups : int64 array, shape (n,)
        Number of each document; documents with the same number are in one fold (``equal_instances``).
    seed : int
        Seed of the order of the groups.
    share : float
        Largest share of the documents in a fold; ``1 / share`` folds at most.
    most : int
        Largest number of documents in a fold, up to the size of a group.
    enough : int
        Number of documents from which no further fold is made.

    Returns
    -------
    list of int64 arrays
        Folds with at most half of the documents; empty if there is none.
    """
    n = len(groups)
    size = min(int(share * n), most)
    if size == 0:
        return []
    n_used = min(int(1 / share), -(-enough // size))
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    starts = np.empty(len(sizes), np.int64)
    starts[order] = np.cumsum(sizes[order]) - sizes[order]
    fold_of = starts[groups] // size
    found = [np.flatnonzero(fold_of == number) for number in range(n_used)]
    return [rows for rows in found if 0 < len(rows) <= n // 2]
