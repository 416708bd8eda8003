"""Scaling of the rows of X to Euclidean length 1, for models that depend on the size of feature values.

x = [sparse | weight · dense] / sqrt(1 + weight²)       with a dense block; both blocks are scaled to length 1 before

Rows whose length is within ``TOLERANCE`` of 1 are not changed. Normalising tf-idf features therefore costs one pass
over their values, and a second normalisation, by a model inside another, has no effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.checks import whole_number
from ramify.models.base.model import RankingModel
from ramify.values import CSR, Bool, Features, Float32, Float64, Hybrid, row_lengths

TOLERANCE = 1e-3
"""Maximum deviation of a row length from 1 without scaling. Normalised float32 rows are within 1e-6."""

SAFE = 1e-3
"""A row with a float32 sum of squares within ``SAFE`` of 1 is within ``TOLERANCE``, including rounding errors."""


def unit_rows(X: Features) -> tuple[Features, int]:
    """Scale the rows of X to length 1; those of a ``Hybrid`` separately in each of its blocks.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features; not modified.

    Returns
    -------
    csr_matrix or Hybrid, shape (n, d)
        X itself if no row was scaled. Rows of zeros are unchanged. The dense block of a ``Hybrid`` is not copied: its
        factors are in ``dense_scale``.
    int
        Number of rows that were scaled, in either block.
    """
    if not isinstance(X, Hybrid):
        data, changed = _unit_data(X)
        return (X, 0) if data is X.data else (_with_data(X, data), int(changed.sum()))
    data, changed = _unit_data(X.sparse)
    lengths = X.dense_lengths()
    far = _far_from_unit(lengths)
    if not (changed | far).any():
        return X, 0
    scale = np.ones(len(X), np.float32) if X.dense_scale is None else X.dense_scale
    scale = np.divide(scale, lengths, out=scale.astype(np.float64), where=far).astype(np.float32)
    sparse = X.sparse if data is X.sparse.data else _with_data(X.sparse, data)
    return Hybrid(sparse, X.dense, scale), int((changed | far).sum())


def _far_from_unit(lengths: Float64) -> Bool:
    far: Bool = (lengths > 0) & (np.abs(lengths - 1) > TOLERANCE)
    return far


def _unit_data(X: CSR) -> tuple[Float32, Bool]:
    """The values of X with rows of length 1, the same array if no row was scaled; and which rows were scaled."""
    lengths = row_lengths(X.indptr, X.data)
    changed = _far_from_unit(lengths)
    if not changed.any():
        return X.data, changed
    scale = np.divide(1.0, lengths, out=np.ones_like(lengths), where=changed)
    return (X.data * np.repeat(scale, np.diff(X.indptr))).astype(np.float32), changed


def _with_data(X: CSR, data: Float32) -> CSR:
    return sp.csr_matrix((data, X.indices, X.indptr), shape=X.shape)


def unit_values(values: Float32) -> Float32:
    """The values of one instance, scaled as by ``unit_rows``; the type is not checked."""
    if abs(float(np.dot(values, values)) - 1) < SAFE or len(values) == 0:
        return values
    indptr = np.array([0, len(values)])
    [length] = row_lengths(indptr, values).tolist()
    if length == 0 or abs(length - 1) <= TOLERANCE:
        return values
    return (values * np.float64(1 / length)).astype(np.float32)


def unit_scale(values: Float32) -> Float32:
    """The factor of one dense row, scaled as by ``unit_rows``, shape (1,); the type is not checked."""
    length = np.sqrt(np.square(values, dtype=np.float64).sum(keepdims=True))
    far = _far_from_unit(length)
    scale: Float32 = np.divide(1.0, length, out=np.ones(1), where=far).astype(np.float32)
    return scale


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

    @property
    def _block_weight(self) -> float:
        """Weight of a dense block relative to the sparse one."""
        return 1.0

    def _training_rows(self, X: Any) -> Any:
        """Checked X of the training, scaled with ``normalize``; sets ``normalized_rows_``."""
        rows, self.normalized_rows_ = self._unit_blocks(self._instances(X))
        return self._joined_blocks(rows, self._block_weight)

    def _features(self, X: Any) -> Any:
        return self._joined_blocks(self._unit_blocks(super()._features(X))[0], self._block_weight)

    def _unit_blocks(self, X: Features) -> tuple[Features, int]:
        return unit_rows(X) if self.normalize else (X, 0)

    def _joined_blocks(self, X: Features, weight: float) -> Features:
        """X as the kernels see it: without ``normalize``, the weight multiplies the dense block as it is given."""
        if not isinstance(X, Hybrid):
            return X
        if self.normalize:
            return X.weighted(weight)
        scale = np.ones(len(X), np.float32) if X.dense_scale is None else X.dense_scale
        return X if weight == 1 else Hybrid(X.sparse, X.dense, (scale * weight).astype(np.float32))
