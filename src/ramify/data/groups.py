"""Rows that belong to one document, in files with a row per document and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import Dataset, Int64
from ramify.wording import quoted

LONG_SHARE = 0.8
MULTIPLIER = 0x9E3779B97F4A7C15 - 2**64  # odd, so that pairs of hash and label rarely collide


class DocumentNumbers:
    """Numbers documents in the order of their first row, by the value that the rows of one document share."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, value: Any) -> int:
        """The number of a row's document: ``len(self)`` before the call if it is new. Without a value: a new document.

        Raises
        ------
        InputError
            A list or an object.
        """
        try:
            number = self._count if value is None or value == "" else self._numbers.setdefault(value, self._count)
        except TypeError:
            raise InputError(f"the group is {quoted(value)}, but must be a string or a number") from None
        self._count += number == self._count
        return number


def merged_rows(dataset: Dataset, numbers: Sequence[int]) -> Dataset:
    """Unite the rows of each document: text, features and id of its first row, the labels of all its rows.

    Parameters
    ----------
    dataset : Dataset
        With n rows.
    numbers : sequence of int, length n
        The document of each row, numbered by first appearance.
    """
    documents = np.asarray(numbers, np.int64)
    rows = np.repeat(documents, np.diff(dataset.Y.indptr))
    _, first_rows = np.unique(documents, return_index=True)
    ones = np.ones(len(rows), np.float32)
    Y = sp.csr_matrix((ones, (rows, dataset.Y.indices)), shape=(len(first_rows), dataset.n_labels))
    Y.sum_duplicates()
    Y.data[:] = 1
    return replace(dataset.take(first_rows), Y=Y)


def looks_long(dataset: Dataset) -> tuple[int, int] | None:
    """Whether a Dataset seems to have a row per document and label, as ``pandas.DataFrame.explode`` gives.

    That is: no row has two labels, and the distinct texts (or else ids) are fewer than 80% of their distinct pairs
    with a label. Runs in time linear in the rows, and stops at the first row with two labels.

    Returns
    -------
    tuple of int, or None
        (rows, distinct documents) if it seems so.
    """
    lengths = np.diff(dataset.Y.indptr)
    if len(lengths) == 0 or lengths.max() > 1:
        return None
    for values in (dataset.texts, dataset.ids):
        n_documents = _documents(dataset, values) if values is not None else None
        if n_documents is not None:
            return len(dataset), n_documents
    return None


def _documents(dataset: Dataset, values: Sequence[Any]) -> int | None:
    """Distinct values, if these are clearly fewer than their pairs with a label; counted by hashes, for speed."""
    try:
        hashes = np.fromiter(map(hash, values), np.int64, len(dataset))
    except TypeError:  # ids that are lists
        return None
    n_distinct = _count_distinct(hashes)
    if n_distinct >= LONG_SHARE * len(dataset):
        return None
    labels = np.full(len(dataset), -1, np.int64)
    labels[np.diff(dataset.Y.indptr) == 1] = dataset.Y.indices
    n_pairs = _count_distinct(hashes * MULTIPLIER + labels)  # wraps around
    return n_distinct if n_distinct < LONG_SHARE * n_pairs else None


def _count_distinct(values: Int64) -> int:
    """The number of different values; sorting takes a tenth of the time of ``numpy.unique``."""
    ordered = np.sort(values)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(len(values))
