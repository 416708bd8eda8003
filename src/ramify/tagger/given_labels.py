"""Conversion of labels, given as lists of names or as a 0/1 matrix, to a label matrix with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.data.labels import LabelRows, NumberNames, label_name, named_rows
from ramify.errors import InputError
from ramify.features.columns import Columns
from ramify.values import CSR, Dataset, Hybrid, as_label_matrix
from ramify.wording import nearest_name, quoted

SEQUENCES = (list, tuple, np.ndarray)


def is_matrix(given: Any) -> bool:
    """Whether labels or instances are a matrix of numbers, not a sequence with one item per text."""
    return (
        isinstance(given, Hybrid)
        or sp.issparse(given)
        or (isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype.kind in "fiub")
    )


def given_labels(labels: Any, label_names: Sequence[str] | None = None) -> tuple[Sequence[str], CSR]:
    """Names and Y of labels in either form.

    Parameters
    ----------
    labels : sequence of iterables, length n, or 0/1 matrix of shape (n, L)
        Names (or whole numbers) per text, or a matrix as returned by ``MultiLabelBinarizer``.
    label_names : sequence of str, length L, optional
        Names of the matrix's columns, as ``MultiLabelBinarizer.classes_``; "0", "1", ... when None.

    Raises
    ------
    InputError
        Another form of labels, ``label_names`` for labels that are names, a wrong number of names, or a repeated name.
    """
    if not is_matrix(labels):
        if _is_listed_matrix(labels):
            raise InputError("labels are lists of 0 and 1, which would be read as names: give np.asarray(labels, int)")
        if label_names is not None:
            raise InputError("label_names is given, but the labels are names already: leave it out")
        return label_matrix(labels)
    Y = as_label_matrix(labels)
    if label_names is None:
        return NumberNames(Y.shape[1]), Y
    if len(label_names) != Y.shape[1]:
        raise InputError(f"label_names has {len(label_names)} names, but Y has {Y.shape[1]} columns: give one for each")
    names = [str(name) for name in label_names]
    if isinstance(label_names, str) or len(set(names)) < len(names):
        raise InputError(
            f"label_names is {quoted(label_names)}, but must be a list with a different name for each column"
        )
    return names, Y


def _is_listed_matrix(labels: Any) -> bool:
    """Whether labels are lists of equal length above 2 that contain only 0 and 1: a matrix given as lists."""
    if not isinstance(labels, SEQUENCES) or len(labels) == 0:
        return False
    if not isinstance(labels[0], SEQUENCES) or len(labels[0]) < 3:
        return False
    width = len(labels[0])
    return all(
        isinstance(row, SEQUENCES)
        and len(row) == width
        and all(not isinstance(value, str) and value in (0, 1) for value in row)
        for row in labels
    )


def label_matrix(labels: Iterable[Iterable[Any]]) -> tuple[list[str], CSR]:
    """Sorted label names and Y, shape (n, L), by the rules of data files (see ``LabelRows``).

    Raises
    ------
    InputError
        A string instead of a list, a label that is neither a string nor a whole number, or no labels.
    """
    if isinstance(labels, str | bytes):
        raise InputError("labels is a single string: wrap it in a list with one list of names per text")
    if not isinstance(labels, Iterable):
        raise InputError(f"labels is {quoted(labels)}, but must be a list with one list of names per text")
    rows = LabelRows()
    for number, names in enumerate(labels):
        rows.add(_plain_names(number, names))
    Y, names = rows.finish()
    if not names:
        raise InputError("no text has a label, so there is nothing to learn: give each text the list of its labels")
    return names, Y


def _plain_names(number: int, names: Any) -> list[str]:
    """The label names of a text; InputError unless they are a list of strings and whole numbers."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InputError(f"labels of text {number} are {quoted(names)}, but must be a list of names: wrap it in a list")
    try:
        return [label_name(name.item() if isinstance(name, np.generic) else name) for name in names]
    except InputError as error:
        raise InputError(f"labels of text {number}: {error}") from None


def of_used_labels(dataset: Dataset) -> Dataset:
    """The Dataset without unused labels, if it declares over a million labels and uses few of them."""
    used = Columns.of(dataset.Y)
    if used.used is None:
        return dataset
    names, keys = dataset.label_names, dataset.label_keys
    return replace(
        dataset,
        Y=used.select(dataset.Y),
        label_names=[names[label] for label in used.used.tolist()],
        label_keys=None if keys is None else [keys[label] for label in used.used.tolist()],
        vocabulary=None if dataset.vocabulary is None else dataset.vocabulary.take(used.used),
    )


def name_lists(Y: CSR, label_names: Sequence[str]) -> npt.NDArray[np.object_]:
    """Label names of each row: an object array of lists, shape (n,), which scikit-learn can concatenate."""
    lists = np.empty(Y.shape[0], object)
    for number, names in enumerate(named_rows(Y, label_names)):
        lists[number] = names  # one by one: NumPy would convert lists of equal length to a matrix
    return lists


def label_sets(labels: Any, label_names: Sequence[str]) -> list[set[str]]:
    """Label names of each text, from lists or from a matrix whose columns are ``label_names``.

    Raises
    ------
    InputError
        A matrix with a wrong number of columns, or as in ``label_matrix``.
    """
    if is_matrix(labels):
        return [set(names) for names in named_rows(as_label_matrix(labels, n_labels=len(label_names)), label_names)]
    return [set(_plain_names(number, names)) for number, names in enumerate(labels)]


LONGEST = 1_000
"""Characters of an unknown name beyond which no similar one is searched, which would take long."""


def ids_of(names: Iterable[str], known: Mapping[str, int]) -> list[int]:
    """Ids of labels by their names.

    Raises
    ------
    InputError
        An unknown name; the message suggests the nearest one.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InputError(f"label names are given as {quoted(names)}: give them as a list")
    return [_id_of(name, known) for name in names]


def _id_of(name: Any, known: Mapping[str, int]) -> int:
    if not isinstance(name, str) or name not in known:
        near = nearest_name(name, known) if isinstance(name, str) and len(name) <= LONGEST else None
        hint = f"did you mean {quoted(near)}?" if near else f"its labels are like {quoted(next(iter(known)))}"
        raise InputError(f"the model has no label {quoted(name)}: {hint}")
    return known[name]
