"""Rows of X at Euclidean length 1: what every model that weighs features by their values trains and predicts on.

Rows whose length is within ``TOLERANCE`` of 1 stay bit for bit as they are. So tf-idf features cost one pass over their
values, and a second normalisation, by a model inside another, changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.checks import whole_number
from ramify.models.base.model import RankingModel, instances
from ramify.values import CSR, Float32, row_lengths

TOLERANCE = 1e-3
"""Lengths nearer to 1 count as 1. Float32 rows that were normalised are within 1e-6."""

SAFE = 1e-3
"""A float32 sum of squares this near to 1 belongs to a row within ``TOLERANCE``, rounding included."""


def unit_rows(X: CSR) -> tuple[CSR, int]:
    """X with rows of length 1, and the number of rows that were changed.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Features; never changed.

    Returns
    -------
    csr_matrix, shape (n, d)
        X itself where no row had to be changed. A row of zeros stays.
    int
        Rows that were changed.
    """
    lengths = row_lengths(X.indptr, X.data)
    changed = (lengths > 0) & (np.abs(lengths - 1) > TOLERANCE)
    count = int(changed.sum())
    if count == 0:
        return X, 0
    scale = np.divide(1.0, lengths, out=np.ones_like(lengths), where=changed)
    data = (X.data * np.repeat(scale, np.diff(X.indptr))).astype(np.float32)
    return sp.csr_matrix((data, X.indices, X.indptr), shape=X.shape), count


def unit_values(values: Float32) -> Float32:
    """The values of a single instance at length 1, as ``unit_rows`` makes them; the type is trusted."""
    if abs(float(np.dot(values, values)) - 1) < SAFE or len(values) == 0:
        return values
    indptr = np.array([0, len(values)])
    [length] = row_lengths(indptr, values).tolist()
    if length == 0 or abs(length - 1) <= TOLERANCE:
        return values
    return (values * np.float64(1 / length)).astype(np.float32)


def stored_count(config: dict[str, Any]) -> int:
    """``normalized_rows_`` of a model directory.

    Raises
    ------
    InputError
        No number of rows.
    """
    return whole_number("normalized_rows", config["normalized_rows"], 0, 2**63 - 1)


class UnitRowModel(RankingModel):
    """Base of the models with the setting ``normalize``.

    Attributes
    ----------
    normalized_rows_ : int
        Training rows that were brought to length 1; 0 without ``normalize``.
    """

    normalize: bool

    def _training_rows(self, X: Any) -> CSR:
        """X as the model trains on it; sets ``normalized_rows_``."""
        rows = instances(X)
        rows, self.normalized_rows_ = unit_rows(rows) if self.normalize else (rows, 0)
        return rows

    def _features(self, X: Any) -> CSR:
        X = super()._features(X)
        return unit_rows(X)[0] if self.normalize else X
