"""Checks of sizes and arrays from a model directory, before they are passed to native code.

The functions raise InputError or KeyError; ``from_state`` methods convert these by ``errors.damage_reported``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.kernels.check import ascends
from ramify.values import CSR, empty_csr

FEW_LABELS, LABELS_PER_PLACE = 10_000_000, 1000

LARGEST = 1.001
"""Maximum absolute value in a vector of length 1, including rounding errors."""


def stored_size(value: Any, name: str) -> int:
    """A number of rows or columns, 1 to 2**31 - 1."""
    return whole_number(name, value, 1, 2**31 - 1)


def check_label_space(n_labels: int, n_placed: int) -> None:
    """Raise InputError for a label space much larger than the number of stored labels, on saving and loading.

    Prediction allocates memory for each label, including labels without leaves or votes.

    Parameters
    ----------
    n_labels : int
        Size of the label space.
    n_placed : int
        Total number of leaves or votes.

    Raises
    ------
    InputError
        More than 10,000,000 labels and more than 1,000 labels per leaf or vote.
    """
    if n_labels > max(FEW_LABELS, LABELS_PER_PLACE * n_placed):
        raise InputError(f"n_labels is {n_labels}, but there are only {n_placed} leaves or votes: drop unused labels")


def stored_array(arrays: dict[str, Any], name: str, dtype: Any, shape: tuple[int | None, ...]) -> Any:
    """A contiguous array of exactly this type and shape; None in the shape matches any length."""
    array = arrays[name]
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == len(shape)
    if not fits or not array.flags.c_contiguous:
        raise InputError(f"array {name} has the wrong type or shape")
    if any(wanted not in (None, length) for wanted, length in zip(shape, array.shape, strict=True)):
        raise InputError(f"array {name} has shape {array.shape}")
    return array


def stored_vectors(arrays: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> Any:
    """Float32 values with absolute values of at most ``LARGEST``, as in vectors of length 1."""
    values = stored_array(arrays, name, np.float32, shape)
    if not (np.abs(values) <= LARGEST).all():
        raise InputError(f"array {name} contains values outside -1..1")
    return values


def check_rows(pointers: Any, indices: Any, shape: tuple[int, int]) -> None:
    """Raise InputError unless the arrays form a CSR matrix with ascending indices in every row."""
    rows, width = shape
    if len(pointers) != rows + 1 or not ascends(pointers, len(indices)):
        raise InputError("the row pointers do not match the number of entries")
    if len(indices) and (indices.min() < 0 or indices.max() >= width):
        raise InputError("a column index is out of range")
    descends = indices[1:] <= indices[:-1]
    descends[pointers[1:-1][(pointers[1:-1] > 0) & (pointers[1:-1] < len(indices))] - 1] = False
    if descends.any():
        raise InputError("the column indices of a row are not ascending")


def matrix_over(parts: tuple[Any, Any, Any], shape: tuple[int, int]) -> CSR:
    """A matrix over checked (data, indices, indptr) without a copy; SciPy's constructor would copy the pointers."""
    matrix = empty_csr(*shape)
    matrix.data, matrix.indices, matrix.indptr = parts
    return matrix
