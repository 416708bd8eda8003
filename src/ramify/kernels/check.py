"""Checks that every kernel call makes first. Native code may then trust its arguments."""

from __future__ import annotations

import os

import numpy as np

from ramify.errors import InputError
from ramify.values import CSR, Float32, Int32, Int64


def thread_count(threads: int | None) -> int:
    """The number of threads to use; None takes every CPU that this process may run on.

    Raises
    ------
    InputError
        Fewer than 1.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise InputError(f"threads is {threads!r}, but must be a whole number of at least 1")
    return int(threads)


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
    if (
        len(indptr) != n_rows + 1
        or indptr[0] != 0
        or indptr[-1] > nnz
        or len(data) < nnz
        or (np.diff(indptr) < 0).any()
    ):
        raise InputError(f"the sparse matrix of shape {matrix.shape} has broken row pointers: rebuild it")
    if nnz and (indices.min() < 0 or indices.max() >= n_columns):
        raise InputError(f"the sparse matrix has column indices outside 0..{n_columns - 1}: rebuild it")
    return indptr, indices, data
