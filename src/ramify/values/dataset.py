"""``Dataset``: instances with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ramify.errors import InputError
from ramify.values.types import CSR, Int64
from ramify.values.vocabulary import Vocabulary


@dataclass(frozen=True)
class Dataset:
    """Instances and their labels.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        0/1 label assignments.
    label_names : sequence of str, length L
        Names of the columns of Y.
    texts : sequence of str, length n, optional
        The instances as text ...
    X : csr_matrix, shape (n, d), optional
        ... or as features; at least one of the two.
    ids : sequence, length n, optional
        The identity of each instance: any value, None where an instance has none.
    label_keys : sequence of str, length L, optional
        The identifier of each label, if ``label_names`` are names that replaced identifiers.
    vocabulary : Vocabulary of L concepts, optional
        Concept i is label i (see ``data.with_vocabulary``).

    Raises
    ------
    InputError
        Lengths that do not agree, or neither texts nor X.
    """

    Y: CSR
    label_names: Sequence[str]
    texts: Sequence[str] | None = None
    X: CSR | None = None
    ids: Sequence[Any] | None = None
    label_keys: Sequence[str] | None = None
    vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        if self.texts is None and self.X is None:
            raise InputError("a Dataset needs texts or X")
        lengths = {
            "texts": None if self.texts is None else len(self.texts),
            "X": None if self.X is None else self.X.shape[0],
            "ids": None if self.ids is None else len(self.ids),
        }
        for name, length in lengths.items():
            if length is not None and length != self.Y.shape[0]:
                raise InputError(f"{name} has {length} rows, but Y has {self.Y.shape[0]}")
        if len(self.label_names) != self.Y.shape[1]:
            raise InputError(f"{len(self.label_names)} label names are given, but Y has {self.Y.shape[1]} columns")
        if self.label_keys is not None and len(self.label_keys) != self.Y.shape[1]:
            raise InputError(f"{len(self.label_keys)} label keys are given, but Y has {self.Y.shape[1]} columns")
        if self.vocabulary is not None and len(self.vocabulary) != self.Y.shape[1]:
            raise InputError(f"the vocabulary has {len(self.vocabulary)} concepts, but Y has {self.Y.shape[1]} columns")

    def __repr__(self) -> str:
        kinds = ["texts"] if self.texts is not None else []
        if self.X is not None:
            kinds.append(f"features of width {self.X.shape[1]}")
        return f"Dataset({len(self)} documents, {self.n_labels} labels, {' and '.join(kinds)})"

    def __len__(self) -> int:
        return int(self.Y.shape[0])

    @property
    def n_labels(self) -> int:
        """Number of labels L."""
        return int(self.Y.shape[1])

    def take(self, rows: Int64) -> Dataset:
        """The Dataset of the given row numbers, in their order, with the same label space."""
        return Dataset(
            Y=self.Y[rows],
            label_names=self.label_names,
            texts=None if self.texts is None else [self.texts[row] for row in rows],
            X=None if self.X is None else self.X[rows],
            ids=None if self.ids is None else [self.ids[row] for row in rows],
            label_keys=self.label_keys,
            vocabulary=self.vocabulary,
        )

    def labels_of(self, row: int) -> list[str]:
        """Label names of one instance."""
        return [self.label_names[column] for column in self.Y.indices[self.Y.indptr[row] : self.Y.indptr[row + 1]]]
