"""Features with a sparse and a dense block: tf-idf beside an embedding. The dense block is never converted to CSR.

row i = [sparse[i] | dense_scale[i] · dense[i]]        columns 0..d-1 are sparse, columns d..d+m-1 are dense
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values.matrices import as_csr, row_lengths
from ramify.values.types import CSR, Float32, Float64

ROWS_AT_ONCE = 1 << 12
"""Rows of the dense block that are checked or squared at a time, to limit the memory."""


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A matrix of instances with a sparse and a dense block of columns.

    Parameters
    ----------
    sparse : csr_matrix, shape (n, d)
        float32, as returned by ``as_csr``.
    dense : float32 array, shape (n, m)
        C-contiguous, finite; m is at least 1.
    dense_scale : float32 array, shape (n,), optional
        Factor of each row of the dense block, so that a large block is scaled without a copy; 1 when None.

    Raises
    ------
    InputError
        Blocks with different numbers of rows, no dense column, NaN or infinite values.
    """

    sparse: CSR
    dense: Float32
    dense_scale: Float32 | None = None

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
        for first in range(0, len(dense), ROWS_AT_ONCE):
            finite = np.isfinite(dense[first : first + ROWS_AT_ONCE]).all(axis=1)
            if not finite.all():
                row = first + int(np.argmin(finite))
                raise InputError(f"the dense block holds NaN or infinite values (first in row {row}): remove them")
        object.__setattr__(self, "dense_scale", _checked_scale(self.dense_scale, len(dense)))
        object.__setattr__(self, "sparse", sparse)
        object.__setattr__(self, "dense", dense)

    ndim = 2
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d + m)."""
        return int(self.sparse.shape[0]), int(self.sparse.shape[1]) + int(self.dense.shape[1])

    @property
    def n_sparse(self) -> int:
        """Number of sparse columns, d."""
        return int(self.sparse.shape[1])

    @property
    def n_dense(self) -> int:
        """Number of dense columns, m."""
        return int(self.dense.shape[1])

    def scaled_dense(self) -> Float32:
        """The dense block times ``dense_scale``, shape (n, m); a copy unless ``dense_scale`` is None."""
        if self.dense_scale is None:
            return self.dense
        scaled: Float32 = self.dense * self.dense_scale[:, None]
        return scaled

    def toarray(self) -> Float32:
        """Both blocks as one dense array, shape (n, d + m); for small matrices."""
        whole: Float32 = np.hstack([self.sparse.toarray(), self.scaled_dense()])
        return whole

    def dense_lengths(self) -> Float64:
        """Euclidean length of each row of the dense block, shape (n,); the bits depend on the row only."""
        lengths = np.empty(len(self))
        for first in range(0, len(self), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            lengths[rows] = np.sqrt(np.square(self.dense[rows], dtype=np.float64).sum(axis=1))
        return lengths if self.dense_scale is None else lengths * np.abs(self.dense_scale)

    def unit(self) -> Hybrid:
        """Each row divided by its length over both blocks; rows of zeros are unchanged."""
        sparse = self.sparse
        lengths = np.hypot(row_lengths(sparse.indptr, sparse.data), self.dense_lengths())
        factors = 1 / np.where(lengths > 0, lengths, 1)
        data = (sparse.data * np.repeat(factors, np.diff(sparse.indptr))).astype(np.float32)
        dense = (self.scaled_dense() * factors[:, None]).astype(np.float32)
        return Hybrid(sp.csr_matrix((data, sparse.indices, sparse.indptr), shape=sparse.shape), dense)

    def weighted(self, weight: float) -> Hybrid:
        """The sparse block, and the dense block times ``weight``, both divided by sqrt(1 + weight²).

        Rows have length 1 if the rows of both blocks have; C and the threshold of a solver then keep their meaning.
        """
        shrink = float(1 / np.sqrt(1 + weight**2))
        sparse = self.sparse
        data = (sparse.data * shrink).astype(np.float32)
        scale = np.ones(len(self), np.float32) if self.dense_scale is None else self.dense_scale
        weighted = object.__new__(Hybrid)
        object.__setattr__(weighted, "sparse", sp.csr_matrix((data, sparse.indices, sparse.indptr), shape=sparse.shape))
        object.__setattr__(weighted, "dense", self.dense)
        object.__setattr__(weighted, "dense_scale", (scale * (float(weight) * shrink)).astype(np.float32))
        return weighted

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
        scale = self.dense_scale
        object.__setattr__(taken, "dense_scale", None if scale is None else np.ascontiguousarray(scale[rows]))
        return taken


def _checked_scale(scale: Any, n: int) -> Float32 | None:
    if scale is None:
        return None
    factors = np.ascontiguousarray(scale, np.float32)
    if factors.shape != (n,) or not np.isfinite(factors).all():
        raise InputError(f"dense_scale must hold one finite number per row, {n} in all, but has shape {factors.shape}")
    return factors


def row_sums(C: CSR, Z: Any) -> Any:
    """C · Z: weighted sums of the rows of Z, sparse or Hybrid as Z is."""
    if isinstance(Z, Hybrid):
        return Hybrid(C @ Z.sparse, np.asarray(C @ Z.scaled_dense(), np.float32))
    return sp.csr_matrix(C @ Z)


def row_products(X: Any, Z: Any) -> Float32:
    """X · Zᵀ, the product of each row of X with each row of Z, as a dense array; both sparse or both Hybrid."""
    if isinstance(X, Hybrid) and isinstance(Z, Hybrid):
        products: Float32 = (X.sparse @ Z.sparse.T).toarray()
        products += X.scaled_dense() @ Z.scaled_dense().T
        return products
    return np.asarray(sp.csr_matrix(X @ Z.T).toarray())


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
