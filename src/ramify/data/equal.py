"""Groups of equal instances, which belong on one side of a split."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from ramify.values import Dataset, Int64


def equal_instances(dataset: Dataset) -> Int64:
    """A number for each document, equal for equal texts, or for equal rows of features without texts, shape (n,).

    Numbers are 0, 1, ... in the order of the first occurrences.
    """
    numbers: dict[Any, int] = {}
    keys = _row_keys(dataset.X) if dataset.texts is None else dataset.texts
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64, len(dataset))


def _row_keys(X: Any) -> Iterator[Any]:
    """A digest of each row; rows of other features than a sparse matrix are never equal."""
    if not hasattr(X, "indptr"):
        yield from range(X.shape[0])
        return
    for begin, end in pairwise(X.indptr.tolist()):
        yield blake2b(X.indices[begin:end].tobytes() + X.data[begin:end].tobytes(), digest_size=16).digest()
