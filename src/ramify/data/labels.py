"""Label names ↔ columns of Y: collected while a file streams by, ordered by name, aligned with a model's."""

from __future__ import annotations

import reprlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import CSR, Dataset

DEFAULT_SEPARATOR = "|"
OTHER_SEPARATORS = (";", ",", "\t")
BLOCK_ROWS = 1 << 14


class LabelRows:
    """Rows of label names become Y, in plain arrays of numbers: no list of lists is ever held.

    White space around names is stripped, empty names are dropped, repeated ones count once.

    Parameters
    ----------
    separator : str, optional
        What splits labels that come as one string; by default "|", and `check_separator` may object.
    """

    def __init__(self, separator: str | None = None) -> None:
        self._ids: dict[str, int] = {}
        self._indices = array("i")
        self._indptr = array("q", [0])
        self._cells = LabelCells(separator)

    def add(self, value: Any) -> None:
        """Add one document's labels: a list of names or whole numbers, one string, or None.

        Raises
        ------
        InputError
            A value of another kind.
        """
        if value.__class__ is not list:
            value = self._listed(value)
        known = self._ids
        try:
            row = {known[label] for label in value}
        except (KeyError, TypeError):  # new, to be stripped, or of another kind: rare after the first rows
            row = {known.setdefault(name, len(known)) for name in map(_label_name, value) if name}
        self._indices.extend(row)
        self._indptr.append(len(self._indices))

    def finish(self) -> tuple[CSR, list[str]]:
        """(Y, label names): columns in the order of the names, so that the order of the rows does not matter.

        Raises
        ------
        InputError
            Label strings that look separated by something else than the default.
        """
        self._cells.check()
        names = sorted(self._ids)
        column = np.empty(len(names), np.int32)
        column[[self._ids[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        indices = column[np.frombuffer(self._indices, np.int32)] if self._indices else np.zeros(0, np.int32)
        indptr = np.frombuffer(self._indptr, np.int64)
        ones = np.ones(len(indices), np.float32)
        Y = sp.csr_matrix((ones, indices, indptr), shape=(len(indptr) - 1, len(names)))
        Y.sort_indices()
        return Y, names

    def _listed(self, value: Any) -> Iterable[Any]:
        if value is None:
            return ()
        if isinstance(value, str):
            return self._cells.split(value)
        if isinstance(value, list | tuple):
            return value
        return (value,)


class LabelCells:
    """Splits labels that stand in one string, and notices when they seem separated otherwise."""

    def __init__(self, separator: str | None) -> None:
        self.separator = separator or DEFAULT_SEPARATOR
        self._suspicious = separator is None
        self._filled = 0
        self._holding = dict.fromkeys(OTHER_SEPARATORS, 0)

    def split(self, cell: str) -> list[str]:
        """The pieces between separators, unstripped."""
        if self._suspicious:
            self._watch(cell)
        return cell.split(self.separator)

    def check(self) -> None:
        """Object if the default separator never occurred while another is in half of the strings.

        Raises
        ------
        InputError
            It does.
        """
        if not self._suspicious:
            return
        for other, count in self._holding.items():
            if count and 2 * count >= self._filled:
                raise InputError(
                    f"no labels are separated by the default {self.separator!r}, but {count} of {self._filled} hold "
                    f"{other!r}: give the separator ({self.separator!r} if these are whole labels)"
                )

    def _watch(self, cell: str) -> None:
        if self.separator in cell:
            self._suspicious = False
            return
        self._filled += bool(cell.strip())
        for other in OTHER_SEPARATORS:
            self._holding[other] += other in cell.strip()


def named_rows(dataset: Dataset) -> Iterator[list[str]]:
    """Yield each row's label names, as writers need them: block by block, not one array slice per row."""
    names, Y = dataset.label_names, dataset.Y
    for start in range(0, len(dataset), BLOCK_ROWS):
        ends = Y.indptr[start : start + BLOCK_ROWS + 1].tolist()
        block = [names[column] for column in Y.indices[ends[0] : ends[-1]].tolist()]
        for first, last in pairwise(ends):
            yield block[first - ends[0] : last - ends[0]]


class NumberNames(Sequence[str]):
    """The names "0", "1", ... of labels that have none, made when asked for.

    Parameters
    ----------
    count : int
        How many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        numbers = range(self._count)[index]
        return [str(number) for number in numbers] if isinstance(numbers, range) else str(numbers)

    def __iter__(self) -> Iterator[str]:
        return map(str, range(self._count))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberNames) and other._count == self._count

    def __hash__(self) -> int:
        return hash(self._count)


def align(dataset: Dataset, label_names: Sequence[str]) -> Dataset:
    """Bring a Dataset into a model's label space, so that its Y can be compared with the model's predictions.

    Parameters
    ----------
    dataset : Dataset
        With its own labels in any order.
    label_names : sequence of str, length L
        The model's.

    Returns
    -------
    Dataset
        Columns 0..L-1 are the model's labels. Labels that occur in ``dataset`` but are unknown to the model follow
        in columns of their own: the model cannot predict them, yet recall still counts them.

    Raises
    ------
    InputError
        ``label_names`` holds a name twice.
    """
    if dataset.label_names is label_names or dataset.label_names == label_names:
        return dataset
    columns = {name: column for column, name in enumerate(label_names)}
    if len(columns) != len(label_names):
        raise InputError(f"label_names holds {len(label_names)} names, but only {len(columns)} different ones")
    unseen: list[str] = []
    present = np.unique(dataset.Y.indices)
    target = np.full(dataset.n_labels, -1, np.int64)
    for source in present.tolist():
        name = dataset.label_names[source]
        if name not in columns:
            columns[name] = len(columns)
            unseen.append(name)
        target[source] = columns[name]
    indices = target[dataset.Y.indices].astype(np.int32)
    Y = sp.csr_matrix((dataset.Y.data, indices, dataset.Y.indptr), shape=(len(dataset), len(columns)), copy=True)
    Y.sum_duplicates()  # two columns of one name become one
    Y.data[:] = 1
    names = [*label_names, *unseen] if unseen else label_names
    return Dataset(Y=Y, label_names=names, texts=dataset.texts, X=dataset.X)


def _label_name(label: Any) -> str:
    if isinstance(label, str):
        return label.strip()
    if label is None:
        return ""
    if isinstance(label, int) and not isinstance(label, bool):
        return str(label)
    raise InputError(f"the label {reprlib.repr(label)} must be a string or a whole number")
