"""Features with a sparse and a dense block: tf-idf beside an embedding. The dense block is never converted to CSR.

row i = [sparse[i] | dense[i]]        columns 0..d-1 are sparse, columns d..d+m-1 are dense
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ramify.errors import InputError
from ramify.values.matrices import as_csr
from ramify.values.types import CSR, Bool, Float32


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A matrix of instances with a sparse and a dense block of columns.

    Parameters
    ----------
    sparse : csr_matrix, shape (n, d)
        float32, as returned by ``as_csr``.
    dense : float32 array, shape (n, m)
        C-contiguous, finite; m is at least 1.

    Raises
    ------
    InputError
        Blocks with different numbers of rows, no dense column, NaN or infinite values.
    """

    sparse: CSR
    dense: Float32

    def __post_init__(self) -> None:
        sparse, dense = as_csr(self.sparse, "X"), np.asarray(self.dense)
        if dense.ndim != 2 or dense.dtype.kind not in "fiub" or dense.shape[1] == 0:
            raise InputError(
                f"the dense block has dtype {dense.dtype} and shape {dense.shape}, but must hold real numbers and have "
                "the shape (n, m) with m at least 1"
            )
        if dense.shape[0] != sparse.shape[0]:
            raise InputError(
                f"the sparse block has {sparse.shape[0]} rows, but the dense block has {dense.shape[0]}: "
                "give one row of each per instance"
            )
        with np.errstate(over="ignore"):
            dense = np.ascontiguousarray(dense, dtype=np.float32)
        finite = np.isfinite(dense).all(axis=1)
        if not finite.all():
            raise InputError(
                f"the dense block holds NaN or infinite values (first in row {int(np.argmin(finite))}): remove them"
            )
        object.__setattr__(self, "sparse", sparse)
        object.__setattr__(self, "dense", dense)

    ndim = 2
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d + m)."""
        return int(self.sparse.shape[0]), int(self.sparse.shape[1]) + int(self.dense.shape[1])

    @property
    def nnz(self) -> int:
        """Number of stored values of both blocks."""
        return int(self.sparse.nnz) + self.dense.size

    def __len__(self) -> int:
        return int(self.sparse.shape[0])

    def __getitem__(self, rows: Any) -> Hybrid:
        """Rows by slice, row numbers or mask, in the given order."""
        taken = object.__new__(Hybrid)  # rows of valid blocks are valid
        object.__setattr__(taken, "sparse", self.sparse[rows])
        object.__setattr__(taken, "dense", np.ascontiguousarray(self.dense[rows]))
        return taken


Features: TypeAlias = CSR | Hybrid
"""Instances as rows of numbers: sparse, or sparse and dense."""


def as_features(X: Any, *, n_columns: int | None = None) -> Features:
    """``as_csr``, except that a ``Hybrid`` remains one.

    Raises
    ------
    InputError
        As in ``as_csr``.
    """
    if not isinstance(X, Hybrid):
        return as_csr(X, n_columns=n_columns)
    if n_columns is not None and X.shape[1] != n_columns:
        raise InputError(f"X has {X.shape[1]} columns, but {n_columns} are expected")
    return X


def empty_rows(X: Features) -> Bool:
    """Mask of the rows without a value other than 0, shape (n,)."""
    sparse = X.sparse if isinstance(X, Hybrid) else X
    empty: Bool = np.diff(sparse.indptr) == 0
    return empty & ~X.dense.any(axis=1) if isinstance(X, Hybrid) else empty
