"""Arrays of a model directory, looked at before native code trusts them; parts say what is wrong as InputError."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.kernels.check import ascends
from ramify.values import CSR

LARGEST = 1.001
"""No value of a vector of length one is larger in size, rounding included."""


def stored_size(value: Any, name: str) -> int:
    """A count of rows or columns, at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise InputError(f"{name} is {value!r}")
    return value


def stored_array(arrays: dict[str, Any], name: str, dtype: Any, shape: tuple[int | None, ...]) -> Any:
    """An array of exactly this type and shape, contiguous; None is any length."""
    array = arrays[name]
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == len(shape)
    if not fits or not array.flags.c_contiguous:
        raise InputError(f"array {name} has the wrong type or shape")
    if any(wanted not in (None, length) for wanted, length in zip(shape, array.shape, strict=True)):
        raise InputError(f"array {name} has shape {array.shape}")
    return array


def stored_vectors(arrays: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> Any:
    """Float32 values of vectors of length one, or of what such vectors are multiplied by."""
    values = stored_array(arrays, name, np.float32, shape)
    if not (np.abs(values) <= LARGEST).all():
        raise InputError(f"array {name} holds values that are not those of vectors of length one")
    return values


def check_rows(pointers: Any, indices: Any, shape: tuple[int, int]) -> None:
    """Raise where the arrays are not those of a matrix with ascending indices in every row."""
    rows, width = shape
    if len(pointers) != rows + 1 or not ascends(pointers, len(indices)):
        raise InputError("the pointers do not lead through the entries")
    if len(indices) and (indices.min() < 0 or indices.max() >= width):
        raise InputError("an entry lies out of range")
    descends = indices[1:] <= indices[:-1]
    descends[pointers[1:-1][(pointers[1:-1] > 0) & (pointers[1:-1] < len(indices))] - 1] = False
    if descends.any():
        raise InputError("the entries of a row do not ascend")


def matrix_over(parts: tuple[Any, Any, Any], shape: tuple[int, int]) -> CSR:
    """A matrix over checked (data, indices, indptr) as they are; SciPy would copy pointers into a narrower type."""
    matrix = sp.csr_matrix(shape, dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = parts
    return matrix
