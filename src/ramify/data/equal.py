"""Groups of equal instances, which belong in one fold.

Unlike ``duplicate_groups(dataset, "duplicates")``, it compares texts as they are, takes features with a dense block,
and has one group of all documents without content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ramify.data.duplicates.shingles import RowSets
from ramify.values import Dataset, Int64


def equal_instances(dataset: Dataset) -> Int64:
    """A number for each document, equal for equal texts, or for equal rows of features without texts, shape (n,).

    Numbers are 0, 1, ... in the order of the first occurrences. Rows of other features than a sparse matrix are never
    equal.
    """
    keys: Iterable[Any] = range(len(dataset))
    X: Any = dataset.X
    if dataset.texts is not None:
        keys = dataset.texts
    elif hasattr(X, "indptr"):
        keys = RowSets(X).digests().tolist()
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64, len(dataset))
