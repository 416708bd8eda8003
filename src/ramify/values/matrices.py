"""Conversion of matrices to the form of the kernels, and elementary operations on them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values.types import CSR, Float32, Float64

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


def csr_of(data: Float32, indices: npt.NDArray[np.int32], indptr: npt.NDArray[np.int64], n_columns: int) -> CSR:
    """A matrix of arrays in canonical form: indices sorted and unique, no zeros; the arrays are not copied."""
    matrix = sp.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, n_columns))
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


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


def as_label_matrix(labels: Any, n_rows: int | None = None, *, n_labels: int | None = None, name: str = "Y") -> CSR:
    """Convert label assignments to a 0/1 CSR matrix, shape (n, L).

    Parameters
    ----------
    labels : array-like or sparse, shape (n, L)
        Entries above 0 become 1.
    n_rows, n_labels : int, optional
        Required n and L.
    name : str, default "Y"
        Name in error messages.

    Raises
    ------
    InputError
        Negative entries, NaN, or a wrong number of rows or columns.
    """
    Y = as_csr(labels, name, n_columns=n_labels)
    if n_rows is not None and Y.shape[0] != n_rows:
        raise InputError(f"X has {n_rows} rows, but {name} has {Y.shape[0]}: give one row of labels per instance")
    if Y.data.size and Y.data.min() < 0:
        raise InputError(f"{name} holds the negative value {Y.data.min():g}, but must be 0 or 1")
    return sp.csr_matrix((np.ones_like(Y.data), Y.indices, Y.indptr), shape=Y.shape)
