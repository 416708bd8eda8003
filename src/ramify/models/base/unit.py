"""Scaling of the rows of X to Euclidean length 1, for models that depend on the size of feature values.

Rows whose length is within ``TOLERANCE`` of 1 are not changed. Normalising tf-idf features therefore costs one pass
over their values, and a second normalisation, by a model inside another, has no effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.checks import whole_number
from ramify.models.base.model import RankingModel
from ramify.values import CSR, Float32, Hybrid, as_csr, row_lengths

TOLERANCE = 1e-3
"""Maximum deviation of a row length from 1 without scaling. Normalised float32 rows are within 1e-6."""

SAFE = 1e-3
"""A row with a float32 sum of squares within ``SAFE`` of 1 is within ``TOLERANCE``, including rounding errors."""


def unit_rows(X: CSR) -> tuple[CSR, int]:
    """Scale the rows of X to length 1.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Features; not modified.

    Returns
    -------
    csr_matrix, shape (n, d)
        X itself if no row was scaled. Rows of zeros are unchanged.
    int
        Number of rows that were scaled.
    """
    if isinstance(X, Hybrid):
        X = as_csr(sp.hstack([X.sparse, sp.csr_matrix(X.dense)]))  # until the kernels take both blocks
    lengths = row_lengths(X.indptr, X.data)
    changed = (lengths > 0) & (np.abs(lengths - 1) > TOLERANCE)
    count = int(changed.sum())
    if count == 0:
        return X, 0
    scale = np.divide(1.0, lengths, out=np.ones_like(lengths), where=changed)
    data = (X.data * np.repeat(scale, np.diff(X.indptr))).astype(np.float32)
    return sp.csr_matrix((data, X.indices, X.indptr), shape=X.shape), count


def unit_values(values: Float32) -> Float32:
    """The values of one instance, scaled as by ``unit_rows``; the type is not checked."""
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
        Not a whole number of rows.
    """
    return whole_number("normalized_rows", config["normalized_rows"], 0, 2**63 - 1)


class UnitRowModel(RankingModel):
    """Base of the models with the setting ``normalize``.

    Attributes
    ----------
    normalized_rows_ : int
        Number of training rows that were scaled to length 1; 0 without ``normalize``.
    """

    normalize: bool

    def _training_rows(self, X: Any) -> CSR:
        """Checked X of the training, scaled with ``normalize``; sets ``normalized_rows_``."""
        rows = self._instances(X)
        rows, self.normalized_rows_ = unit_rows(rows) if self.normalize else (rows, 0)
        return rows

    def _features(self, X: Any) -> CSR:
        X = super()._features(X)
        return unit_rows(X)[0] if self.normalize else X
