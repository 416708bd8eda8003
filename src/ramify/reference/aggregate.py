"""NumPy twin of ``kernels.aggregate``."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Float64


def pifa(X: CSR, Y: CSR, *, max_features_per_label: int | None = None) -> CSR:
    """L2-normalise the rows of Y, take YᵀX, keep the largest entries, L2-normalise the rows; shape (L, d)."""
    Z = _unit_rows(Y.toarray().astype(np.float64)).T @ X.toarray().astype(np.float64)
    if max_features_per_label is not None:
        for row in Z:
            by_size = np.lexsort((np.arange(len(row)), -np.abs(row)))
            row[by_size[max_features_per_label:]] = 0
    return sp.csr_matrix(_unit_rows(Z).astype(np.float32))


def _unit_rows(matrix: Float64) -> Float64:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Float64 = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return unit
