"""Used columns of a wide matrix, so that memory grows with these instead of the width.

The header of a file may have 2**31 - 1 features, as with hashing, of which a few thousand are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import Bool, Features, Float32, Hybrid, Int32

NARROW_ENOUGH = 1 << 20
"""Matrices up to this width keep all columns; a model needs a few bytes per column."""


@dataclass(frozen=True)
class Columns:
    """The columns that a model was trained on.

    Parameters
    ----------
    width : int
        Columns of the training matrix.
    used : int32 array, or None
        The columns with an entry, ascending, where the matrix is wide and most columns have none; None keeps all.

    Raises
    ------
    InputError
        Columns that do not ascend, or lie outside the width.
    """

    width: int
    used: Int32 | None = None

    def __post_init__(self) -> None:
        if self.used is None:
            return
        ascending = self.used.dtype == np.int32 and self.used.ndim == 1 and bool((np.diff(self.used) > 0).all())
        if not ascending or not len(self.used) or self.used[0] < 0 or self.used[-1] >= self.width:
            raise InputError(f"the used columns must ascend within 0..{self.width - 1}")

    @property
    def n_kept(self) -> int:
        """Columns of the model."""
        return self.width if self.used is None else len(self.used)

    @classmethod
    def of(cls, matrix: Features) -> Columns:
        """The columns of a training matrix."""
        if isinstance(matrix, Hybrid):
            matrix = matrix.sparse
        width = int(matrix.shape[1])
        if width <= NARROW_ENOUGH:
            return cls(width)
        used = np.unique(matrix.indices).astype(np.int32)
        return cls(width, used) if 0 < len(used) < width // 2 else cls(width)

    def select(self, matrix: Any) -> Any:
        """The matrix in the model's columns; entries in columns that training did not use are dropped.

        Parameters
        ----------
        matrix : csr_matrix, shape (n, at most ``width``)

        Returns
        -------
        csr_matrix, shape (n, used columns)

        Raises
        ------
        InputError
            More columns than ``width``.
        """
        if isinstance(matrix, Hybrid):
            return Hybrid(self.select(matrix.sparse), matrix.dense, matrix.dense_scale)
        if matrix.shape[1] > self.width:
            raise InputError(
                f"X has {matrix.shape[1]} features, but the model was trained on {self.width}: "
                "give the features of the training data"
            )
        if self.used is None:
            same = matrix.shape[1] == self.width
            parts, shape = (matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], self.width)
            return matrix if same else sp.csr_matrix(parts, shape=shape)
        place, found = _places(self.used, matrix.indices)
        before = np.concatenate([[0], np.cumsum(found)])
        parts = (matrix.data[found], place[found], before[matrix.indptr])
        return sp.csr_matrix(parts, shape=(matrix.shape[0], len(self.used)))

    def select_one(self, indices: Int32, values: Float32) -> tuple[Int32, Float32]:
        """``select`` for the entries of one row."""
        if self.used is None:
            return indices, values
        place, found = _places(self.used, indices)
        return place[found], values[found]

    def number(self, column: int) -> int:
        """The number of a model's column in the training matrix."""
        return column if self.used is None else int(self.used[column])


def _places(used: Int32, indices: Int32) -> tuple[Int32, Bool]:
    """Position of each index among the used columns, and whether it is one of them."""
    place = np.minimum(np.searchsorted(used, indices), len(used) - 1).astype(np.int32)
    return place, np.asarray(used[place] == indices)
