"""Checks of arguments before every call of native code, which does not check them again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify import _native
from ramify.errors import InputError
from ramify.values import CSR, Features, Float32, Hybrid, Int32, Int64

SMALLEST_FACTOR, LARGEST_FACTOR = 1e-10, 1e10
"""Costs and weights within these bounds can be multiplied in float32 without becoming 0 or infinite."""


def factors(name: str, values: Any, n: int) -> Float32:
    """Convert factors of costs for the solver: float32, shape (n,), each 0 or in the range that it can multiply.

    Raises
    ------
    InputError
        Another shape, or a value that is negative, not finite, too small or too large.
    """
    try:
        array = np.ascontiguousarray(values, np.float32)
    except (TypeError, ValueError):
        raise InputError(f"{name} must contain numbers") from None
    if array.shape != (n,):
        raise InputError(f"{name} has shape {array.shape}, but must have {(n,)}: one number for each")
    good = (array == 0) | ((array >= SMALLEST_FACTOR) & (array <= LARGEST_FACTOR))
    if not good.all():
        wrong = array[~good][0]
        raise InputError(f"{name} contains {wrong:g}, but must be 0, or lie in {SMALLEST_FACTOR:g}..{LARGEST_FACTOR:g}")
    return array


def ascends(pointers: Int64, end: float) -> bool:
    """Whether pointers ascend from 0 to ``end``. Comparisons replace differences, which could overflow."""
    return bool(len(pointers) and pointers[0] == 0 and pointers[-1] == end and (pointers[1:] >= pointers[:-1]).all())


def feature_arrays(X: Features) -> _native.FeatureArrays:
    """X as an argument of native code; the dense block of a ``Hybrid`` is not copied.

    Raises
    ------
    InputError
        A broken sparse block.
    """
    if not isinstance(X, Hybrid):
        return _native.FeatureArrays(*csr_arrays(X), X.shape[1], None, None)
    return _native.FeatureArrays(*csr_arrays(X.sparse), X.n_sparse, X.dense, X.dense_scale)


def largest_value(X: Features) -> float:
    """The largest absolute value of X."""
    blocks = [X.data] if not isinstance(X, Hybrid) else [X.sparse.data, X.dense]
    largest = [max(float(block.max()), -float(block.min())) if block.size else 0.0 for block in blocks]
    if isinstance(X, Hybrid) and X.dense_scale is not None and len(X):
        largest[1] *= float(np.abs(X.dense_scale).max())
    return max(largest)


def csr_arrays(matrix: CSR) -> tuple[Int64, Int32, Float32]:
    """(indptr, indices, data) in the types of the kernels: int64, int32, float32, contiguous.

    Raises
    ------
    InputError
        Pointers or indices that do not describe a matrix, for example of a damaged file.
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
