"""Checks that every kernel call makes first. Native code may then trust its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.values import CSR, Float32, Int32, Int64

SMALLEST_FACTOR, LARGEST_FACTOR = 1e-10, 1e10
"""Costs and weights within these bounds can be multiplied in float32 without becoming 0 or infinite."""


def factors(name: str, values: Any, n: int) -> Float32:
    """Factors of costs as the solver takes them: float32, shape (n,), each 0 or of a size it can multiply.

    Raises
    ------
    InputError
        Another shape, or a value that is negative, not finite, too small or too large.
    """
    try:
        array = np.ascontiguousarray(values, np.float32)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers") from None
    if array.shape != (n,):
        raise InputError(f"{name} has shape {array.shape}, but must have {(n,)}: one number for each")
    good = (array == 0) | ((array >= SMALLEST_FACTOR) & (array <= LARGEST_FACTOR))
    if not good.all():
        wrong = array[~good][0]
        raise InputError(f"{name} holds {wrong:g}, but must be 0, or lie in {SMALLEST_FACTOR:g}..{LARGEST_FACTOR:g}")
    return array


def ascends(pointers: Int64, end: float) -> bool:
    """Whether pointers lead from 0 to ``end`` without a step back; differences could overflow, so none are taken."""
    return bool(len(pointers) and pointers[0] == 0 and pointers[-1] == end and (pointers[1:] >= pointers[:-1]).all())


def csr_arrays(matrix: CSR) -> tuple[Int64, Int32, Float32]:
    """(indptr, indices, data) as the kernels take them: int64, int32, float32, contiguous.

    Raises
    ------
    InputError
        Pointers or indices that do not describe a matrix (a damaged or hand-made one).
    """
    indptr = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
    indices = np.ascontiguousarray(matrix.indices, dtype=np.int32)
    data = np.ascontiguousarray(matrix.data, dtype=np.float32)
    n_rows, n_columns = matrix.shape
    nnz = len(indices)
    if len(indptr) != n_rows + 1 or indptr[-1] > nnz or len(data) < nnz or not ascends(indptr, indptr[-1]):
        raise InputError(f"the sparse matrix of shape {matrix.shape} has broken row pointers: rebuild it")
    if nnz and (indices.min() < 0 or indices.max() >= n_columns):
        raise InputError(f"the sparse matrix has column indices outside 0..{n_columns - 1}: rebuild it")
    return indptr, indices, data
