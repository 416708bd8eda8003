"""The values that the stages exchange; frozen, and validated when they are made.

``Dataset`` (texts or X, Y, label names) → X → ``LabelTree`` → candidates → scores → ``TopK``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.errors import InputError

if TYPE_CHECKING:
    CSR: TypeAlias = sp.csr_matrix[np.float32]  # only the stubs are generic in SciPy < 1.15
else:
    CSR = sp.csr_matrix
"""A scipy csr_matrix: float32 data, sorted column indices, no duplicates (see ``as_csr``)."""
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Bool: TypeAlias = npt.NDArray[np.bool_]
StageProgress: TypeAlias = Callable[[str, float], None]
"""Called with the name of the stage (features, represent, index, train, pack, predict) and the share that is done."""


LARGEST_WIDTH = 2**31 - 1

SQUARES = 1 << 22
"""Number of squares of matrix entries in memory at a time."""


def as_csr(matrix: Any, name: str = "X", *, n_columns: int | None = None) -> CSR:
    """Convert a 2-d matrix to the form of the kernels.

    Parameters
    ----------
    matrix : array-like or sparse, shape (n, d)
        Numbers; dense arrays keep their non-zeros.
    name : str, default "X"
        Name in error messages.
    n_columns : int, optional
        Required width.

    Returns
    -------
    csr_matrix, shape (n, d)
        float32, indices sorted and unique, no explicit zeros; shares memory with an input of this form.

    Raises
    ------
    InputError
        Not 2-d, not numeric, a width other than ``n_columns``, NaN or infinite values, broken sparse structure.
    """
    csr = _from_sparse(matrix, name) if sp.issparse(matrix) else sp.csr_matrix(_dense(matrix, name))
    if csr.shape[1] > LARGEST_WIDTH:
        raise InputError(f"{name} has {csr.shape[1]} columns, but at most {LARGEST_WIDTH} are supported: hash them")
    if n_columns is not None and csr.shape[1] != n_columns:
        raise InputError(f"{name} has {csr.shape[1]} columns, but {n_columns} are expected")
    csr = _canonical(csr)  # first: the sum of duplicate entries may be inf
    if not np.isfinite(csr.data).all():
        row = int(np.searchsorted(csr.indptr, np.flatnonzero(~np.isfinite(csr.data))[0], side="right")) - 1
        raise InputError(f"{name} holds NaN or infinite values (first in row {row}): remove or impute them")
    return csr


def _from_sparse(matrix: Any, name: str) -> CSR:
    if matrix.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {matrix.dtype}, but must hold real numbers: convert it to float32")
    if matrix.ndim != 2:
        raise InputError(f"{name} has {matrix.ndim} dimension(s), but must have 2: reshape it to (n, d)")
    _check_structure(matrix, name)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which as_csr reports
        return sp.csr_matrix(matrix, dtype=np.float32)


def _check_structure(matrix: Any, name: str) -> None:
    """Raise InputError for pointers and indices outside the matrix, which SciPy does not check."""
    n_rows, n_columns = matrix.shape
    if matrix.format == "coo":
        sound = _whole_vectors(matrix.row, matrix.col) and matrix.row.shape == matrix.col.shape == matrix.data.shape
        sound = sound and _within(matrix.row, n_rows) and _within(matrix.col, n_columns)
    elif matrix.format in ("csr", "csc", "bsr"):
        height, width = matrix.blocksize if matrix.format == "bsr" else (1, 1)
        lines, across = (n_columns, n_rows) if matrix.format == "csc" else (n_rows // height, n_columns // width)
        if not _whole_vectors(matrix.indptr, matrix.indices) or matrix.data.ndim != (
            3 if matrix.format == "bsr" else 1
        ):
            raise InputError(f"{name} is a sparse matrix whose arrays have the wrong type or shape: rebuild it")
        pointers, n_stored = matrix.indptr, min(len(matrix.indices), len(matrix.data))
        sound = len(pointers) == lines + 1 and pointers[0] == 0 and pointers[-1] <= n_stored
        sound = sound and bool((pointers[1:] >= pointers[:-1]).all()) and _within(matrix.indices, across)
    else:
        return
    if not sound:
        raise InputError(f"{name} is a sparse matrix of shape {matrix.shape} whose indices lead outside: rebuild it")


def _whole_vectors(*arrays: npt.NDArray[Any]) -> bool:
    return all(array.ndim == 1 and array.dtype.kind in "iu" for array in arrays)


def _within(indices: npt.NDArray[Any], end: int) -> bool:
    return indices.size == 0 or bool(indices.min() >= 0 and indices.max() < end)


def _dense(matrix: Any, name: str) -> npt.NDArray[Any]:
    try:
        dense = np.asarray(matrix)
    except ValueError as error:
        raise InputError(f"{name} is not a matrix: {error}") from None
    if dense.dtype.kind == "c":
        raise InputError(f"Complex data not supported: {name} has dtype {dense.dtype}, but must hold real numbers")
    if dense.dtype.kind == "O":
        try:
            dense = dense.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} does not hold numbers: {error}") from None
    if dense.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {dense.dtype}, but must hold real numbers: convert it to float32")
    if dense.ndim != 2:
        raise InputError(
            f"{name} has {dense.ndim} dimension(s), but must have 2. "
            "Reshape your data: array.reshape(-1, 1) for a single feature, array.reshape(1, -1) for a single sample"
        )
    with np.errstate(over="ignore"):
        return np.asarray(dense, dtype=np.float32)


def empty_csr(n_rows: int, n_columns: int) -> CSR:
    """A float32 matrix of this shape without entries."""
    nothing, indices = np.empty(0, np.float32), np.empty(0, np.int32)
    return sp.csr_matrix((nothing, indices, np.zeros(n_rows + 1, np.int32)), shape=(n_rows, n_columns))


def nonzero(matrix: CSR) -> CSR:
    """0/1 float32 matrix of the same shape: 1 where ``matrix`` is not zero, no stored zeros."""
    kept = matrix.copy()
    kept.sum_duplicates()
    kept.eliminate_zeros()
    return sp.csr_matrix((np.ones(kept.nnz, np.float32), kept.indices, kept.indptr), shape=kept.shape)


def row_lengths(indptr: npt.NDArray[np.integer[Any]], data: Float32) -> Float64:
    """Euclidean length of each row of a CSR matrix, shape (n,); the bits depend on the values of the row only."""
    lengths = np.zeros(len(indptr) - 1)
    filled = np.flatnonzero(np.diff(indptr))
    # squares need twice the memory of the values, so they are computed in parts
    cuts = np.searchsorted(indptr[filled], np.arange(0, int(indptr[-1]), SQUARES))
    for first, last in pairwise([*cuts, len(filled)]):
        if first == last:
            continue
        rows = filled[first:last]
        begin, end = int(indptr[rows[0]]), int(indptr[rows[-1] + 1])
        squares = np.square(data[begin:end], dtype=np.float64)
        lengths[rows] = np.sqrt(np.add.reduceat(squares, indptr[rows] - begin))
    return lengths


def _canonical(csr: CSR) -> CSR:
    """Sorted, unique, non-zero entries; the caller's matrix is never changed."""
    if csr.has_sorted_indices and csr.has_canonical_format and (csr.data.size == 0 or csr.data.all()):
        return csr
    csr = csr.copy()
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def as_label_matrix(labels: Any, n_rows: int | None = None, *, n_labels: int | None = None) -> CSR:
    """Convert label assignments to a 0/1 CSR matrix Y, shape (n, L).

    Raises
    ------
    InputError
        Negative entries, NaN, or a wrong number of rows or columns.
    """
    Y = as_csr(labels, "Y", n_columns=n_labels)
    if n_rows is not None and Y.shape[0] != n_rows:
        raise InputError(f"X has {n_rows} rows, but Y has {Y.shape[0]}: give one row of labels per instance")
    if Y.data.size and Y.data.min() < 0:
        raise InputError(f"Y holds the negative value {Y.data.min():g}, but must be 0 or 1")
    return sp.csr_matrix((np.ones_like(Y.data), Y.indices, Y.indptr), shape=Y.shape)


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
        )

    def labels_of(self, row: int) -> list[str]:
        """Label names of one instance."""
        return [self.label_names[column] for column in self.Y.indices[self.Y.indptr[row] : self.Y.indptr[row + 1]]]


@dataclass(frozen=True)
class TopK:
    """The k best labels of each instance, in descending order of score.

    Parameters
    ----------
    labels : int32 array, shape (n, k)
        Label ids; -1 fills the end of a row that has fewer than k.
    scores : float32 array, shape (n, k)
        Descending within a row; -inf where the label is -1.
    """

    labels: Int32
    scores: Float32

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape != self.scores.shape:
            raise InputError(f"labels {self.labels.shape} and scores {self.scores.shape} must have one shape (n, k)")
        if self.labels.dtype != np.int32 or self.scores.dtype != np.float32:
            raise InputError(
                f"TopK takes int32 labels and float32 scores, not {self.labels.dtype}, {self.scores.dtype}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def k(self) -> int:
        """Number of columns: the number of labels requested."""
        return int(self.labels.shape[1])

    def matrix(self, kept: Bool, values: Float32, width: int) -> CSR:
        """The selected entries as a matrix, shape (n, width), with the given values; both have shape (n, k)."""
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        found = sp.csr_matrix((values[kept], self.labels[kept], indptr), shape=(len(self), width))
        found.sort_indices()
        return found

    def rows(self) -> Iterator[list[tuple[int, float]]]:
        """Yield per instance its (label id, score) pairs, without the padding."""
        for labels, scores in zip(self.labels.tolist(), self.scores.tolist(), strict=True):
            yield [(label, score) for label, score in zip(labels, scores, strict=True) if label >= 0]


@dataclass(frozen=True)
class LabelTree:
    """A hierarchy of label clusters; the last level are leaves with one label each.

    Level t has as many nodes as ``parents[t]`` has entries; the root above level 0 is not stored. Siblings are
    contiguous: every ``parents[t]`` ascends. A label in several clusters has several leaves.

    Parameters
    ----------
    parents : tuple of int32 arrays
        ``parents[t][j]`` is the number of node j's parent in level t-1; ``parents[0]`` is all 0. The last level are
        the leaves. A flat tree of L labels is ``(zeros(L),)``.
    leaf_labels : int32 array, length of the last level
        Label id of each leaf.
    n_labels : int
        Size of the label space L; labels without a leaf are never predicted.

    Raises
    ------
    InputError
        A parent out of range or out of order, an inner node without child, a label out of range.
    """

    parents: tuple[Int32, ...]
    leaf_labels: Int32
    n_labels: int

    def __post_init__(self) -> None:
        if not self.parents:
            raise InputError("a LabelTree needs at least one level")
        above = 1
        for depth, parent in enumerate(self.parents):
            _check_level(parent, depth, above)
            above = len(parent)
        labels = self.leaf_labels
        if labels.dtype != np.int32 or labels.shape != (above,):
            raise InputError(f"leaf_labels must be int32 of length {above}, not {labels.dtype} of shape {labels.shape}")
        if labels.size and (labels.min() < 0 or labels.max() >= self.n_labels):
            raise InputError(f"leaf labels must lie in 0..{self.n_labels - 1}, not {labels.min()}..{labels.max()}")

    @classmethod
    def flat(cls, labels: Int32, n_labels: int) -> LabelTree:
        """A tree without clusters: all given labels are children of the root."""
        return cls((np.zeros(len(labels), np.int32),), labels, n_labels)

    @property
    def depth(self) -> int:
        """Number of levels, including the leaves."""
        return len(self.parents)

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """Nodes per level, from the top; the last entry counts the leaves."""
        return tuple(len(parent) for parent in self.parents)

    @property
    def n_leaves(self) -> int:
        """Number of leaves; above the number of labels if some have several leaves."""
        return len(self.leaf_labels)

    @property
    def overlapping(self) -> bool:
        """Whether some label has several leaves."""
        return len(np.unique(self.leaf_labels)) < self.n_leaves

    def first_children(self, level: int) -> Int64:
        """Pointers into level ``level``: children of node p of the level above are [out[p], out[p + 1])."""
        n_parents = 1 if level == 0 else len(self.parents[level - 1])
        return np.searchsorted(self.parents[level], np.arange(n_parents + 1)).astype(np.int64)

    def membership(self, level: int) -> CSR:
        """0/1 matrix C, shape (nodes of ``level``, nodes above): the parent of each node."""
        parent = self.parents[level]
        n_parents = 1 if level == 0 else len(self.parents[level - 1])
        indptr = np.arange(len(parent) + 1)
        return sp.csr_matrix((np.ones(len(parent), np.float32), parent, indptr), shape=(len(parent), n_parents))

    def leaf_matrix(self) -> CSR:
        """0/1 matrix, shape (L, leaves): the leaves of each label."""
        leaves = np.arange(self.n_leaves, dtype=np.int32)
        ones = np.ones(self.n_leaves, np.float32)
        return sp.csr_matrix((ones, (self.leaf_labels, leaves)), shape=(self.n_labels, self.n_leaves))


def _check_level(parent: Int32, depth: int, n_above: int) -> None:
    if parent.dtype != np.int32 or parent.ndim != 1 or parent.size == 0:
        raise InputError(f"parents[{depth}] must be a non-empty int32 vector, not {parent.dtype} {parent.shape}")
    steps = np.diff(parent)
    if parent[0] != 0 or parent[-1] != n_above - 1 or (steps < 0).any() or (steps > 1).any():
        raise InputError(f"parents[{depth}] must ascend and contain each of the {n_above} nodes above at least once")
