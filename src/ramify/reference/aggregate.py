"""NumPy twin of ``kernels.aggregate``."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Features, Float64, Hybrid


def pifa(X: Features, Y: CSR, *, max_features_per_label: int | None = None) -> Features:
    """L2-normalise the rows of Y, take YᵀX, keep the largest sparse entries, L2-normalise the rows; shape (L, d)."""
    Z = _unit_rows(Y.toarray().astype(np.float64)).T @ X.toarray().astype(np.float64)
    n_sparse = X.n_sparse if isinstance(X, Hybrid) else X.shape[1]
    if max_features_per_label is not None:
        for row in Z[:, :n_sparse]:
            by_size = np.lexsort((np.arange(len(row)), -np.abs(row)))
            row[by_size[max_features_per_label:]] = 0
    unit = _unit_rows(Z).astype(np.float32)
    sparse = sp.csr_matrix(unit[:, :n_sparse])
    return Hybrid(sparse, unit[:, n_sparse:]) if isinstance(X, Hybrid) else sparse


def _unit_rows(matrix: Float64) -> Float64:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Float64 = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return unit
