"""Label names ↔ columns of Y: collected while a file is read, ordered by name, aligned with those of a model."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, overload

import numpy as np
import scipy.sparse as sp

from ramify.data.cells import LabelCells, in_brackets, printed_list
from ramify.errors import DataFileError, InputError
from ramify.values import CSR, Dataset
from ramify.wording import quoted

BLOCK_ROWS = 1 << 14


class LabelRows:
    """Builds Y from rows of label names in arrays of numbers, without a list of lists.

    White space around names is stripped, empty names are dropped, repeated ones count once. Strings of printed lists
    are kept until the end, because they are read as lists only if all strings are (see `ramify.data.cells`).

    Parameters
    ----------
    separator : str, optional
        String between labels in one string; by default "|", or none if all strings are printed lists.
    """

    def __init__(self, separator: str | None = None) -> None:
        self._ids: dict[str, int] = {}
        self._indices = array("i")
        self._indptr = array("q", [0])
        self._cells = LabelCells(separator)
        self._may_be_printed = separator is None
        self._held: list[tuple[Any, int | None]] | None = None

    def add(self, value: Any, line: int | None = None) -> None:
        """Add one document's labels: a list of names or whole numbers, one string, or None.

        Parameters
        ----------
        value : object
            The labels.
        line : int, optional
            Its line, for errors that are detected later.

        Raises
        ------
        InputError
            A value of another kind.
        """
        if value.__class__ is not list or self._held is not None:
            if self._may_be_printed and self._hold(value, line):
                return
            value = self._listed(value)
        known = self._ids
        try:
            row = {known[label] for label in value}
        except (KeyError, TypeError):  # new, to be stripped, or of another kind: rare after the first rows
            row = {known.setdefault(name, len(known)) for name in map(label_name, value) if name}
        self._indices.extend(row)
        self._indptr.append(len(self._indices))

    def finish(self) -> tuple[CSR, list[str]]:
        """(Y, label names): columns in the order of the names, so that the order of the rows does not matter.

        Raises
        ------
        InputError
            Label strings with a separator other than the default, or printed lists some of which do not parse.
        """
        self._release(self._parsed())
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

    def _hold(self, value: Any, line: int | None) -> bool:
        """Whether the value is kept until the end: from the first printed list on, while all strings may be lists."""
        cell = value.strip() if isinstance(value, str) else ""
        if cell and not in_brackets(cell):
            self._release(self._held or [])
            return False
        if cell and self._held is None:
            self._held = []
        if self._held is not None:
            self._held.append((value, line))
        return self._held is not None

    def _parsed(self) -> list[tuple[Any, int | None]]:
        """The kept values with lists instead of strings; unchanged if no string is a printed list."""
        rows: list[tuple[Any, int | None]] = []
        unparsed: DataFileError | None = None
        n_parsed = 0
        for value, line in self._held or ():
            cell = value.strip() if isinstance(value, str) else ""
            try:
                labels = printed_list(cell) if cell else value
            except InputError as error:
                raise DataFileError(str(error), line=line) from None
            n_parsed += bool(cell and labels)
            if cell and labels is None and unparsed is None:
                problem = f"the labels {quoted(cell)} are no list that parses, but others are: write ['a', 'b']"
                unparsed = DataFileError(problem, line=line)
            rows.append((labels, line))
        if unparsed is None:
            return rows
        if n_parsed:
            raise unparsed
        return self._held or []

    def _release(self, rows: list[tuple[Any, int | None]]) -> None:
        self._held, self._may_be_printed = None, False
        for value, line in rows:
            try:
                self.add(value)
            except InputError as error:
                raise DataFileError(str(error), line=line) from None

    def _listed(self, value: Any) -> Iterable[Any]:
        if value is None:
            return ()
        if isinstance(value, str):
            return self._cells.split(value)
        if isinstance(value, list | tuple):
            return value
        return (value,)


def named_rows(Y: CSR, label_names: Sequence[str]) -> Iterator[list[str]]:
    """Yield each row's label names, block by block: a slice of the matrix per row takes ten times as long."""
    for start in range(0, Y.shape[0], BLOCK_ROWS):
        ends = Y.indptr[start : start + BLOCK_ROWS + 1].tolist()
        block = [label_names[column] for column in Y.indices[ends[0] : ends[-1]].tolist()]
        for first, last in pairwise(ends):
            yield block[first - ends[0] : last - ends[0]]


class NumberNames(Sequence[str]):
    """The names "0", "1", ... of labels without names, made on access.

    Parameters
    ----------
    count : int
        Number of labels.
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
    """Convert a Dataset to the label space of a model, so that Y can be compared with its predictions.

    Parameters
    ----------
    dataset : Dataset
        With its own labels in any order.
    label_names : sequence of str, length L
        Label names of the model.

    Returns
    -------
    Dataset
        Columns 0..L-1 are the model's labels; texts, features and ids are unchanged. Labels of ``dataset`` that the
        model does not have follow in further columns: the model cannot predict them, but recall counts them. The
        result has no vocabulary, unless it is ``dataset`` itself.

    Raises
    ------
    InputError
        ``label_names`` has a name twice.
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
    keys = None
    if dataset.label_keys is not None:
        key_of = dict(zip(dataset.label_names, dataset.label_keys, strict=True))
        keys = [key_of.get(name, name) for name in names]
    return replace(dataset, Y=Y, label_names=names, label_keys=keys, vocabulary=None)


def label_name(label: Any) -> str:
    """The name of a label that a file gives as a string or a whole number; "" for None.

    Raises
    ------
    InputError
        A label of another kind.
    """
    if isinstance(label, str):
        return label.strip()
    if label is None:
        return ""
    if isinstance(label, int) and not isinstance(label, bool):
        return str(label)
    raise InputError(f"the label {quoted(label)} must be a string or a whole number")
