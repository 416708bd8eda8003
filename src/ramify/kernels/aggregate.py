"""Native PIFA: the sum of the features of a label's instances, scaled to length 1 (twin: ``reference.aggregate``)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify import _native
from ramify.checks import Whole, thread_count
from ramify.errors import InputError
from ramify.kernels.check import csr_arrays, feature_arrays
from ramify.spill import Empty
from ramify.values import CSR, Features, Float32, Hybrid, Int32, Int64, as_csr

FEATURES_PER_LABEL = Whole(1, optional=True)


def pifa(
    X: Features,
    Y: CSR,
    *,
    max_features_per_label: int | None = None,
    threads: int | None = 1,
    empty: Empty = np.empty,
) -> Features:
    """L2-normalise the rows of Y, take YᵀX, L2-normalise its rows.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Instance features, float32.
    Y : csr_matrix, shape (n, L)
        0/1 label assignments.
    max_features_per_label : int, optional
        Maximum number of sparse entries per label; the entries with the largest absolute values are kept.
    threads : int or None, default 1
        The result is the same for any number.
    empty : callable, default numpy.empty
        Makes the arrays of the result, such as ``Spill.empty``.

    Returns
    -------
    csr_matrix or Hybrid, shape (L, d)
        As X: float32 with sorted indices; labels without instance have rows of zeros.

    Raises
    ------
    InputError
        Row counts that differ, a broken matrix, or ``max_features_per_label`` below 1.
    """
    threads = thread_count(threads)
    X = X if isinstance(X, Hybrid) else _csr(X, "X")
    Y = _csr(Y, "Y")
    if X.shape[0] != Y.shape[0]:
        raise InputError(f"X has {X.shape[0]} rows, but Y has {Y.shape[0]}: give one row of labels per instance")
    FEATURES_PER_LABEL.check("max_features_per_label", max_features_per_label)
    features, width = feature_arrays(X), X.n_sparse if isinstance(X, Hybrid) else X.shape[1]
    members = Y.tocsc()
    y_indptr, y_rows, _ = csr_arrays(members.T)
    per_row = np.diff(Y.indptr)
    weights = (1.0 / np.sqrt(np.maximum(per_row, 1))).astype(np.float32)
    limit = width + 1 if max_features_per_label is None else min(int(max_features_per_label), width + 1)
    indptr = np.zeros(Y.shape[1] + 1, np.int64)
    _native.pifa_count(features, y_indptr, y_rows, limit, threads, indptr[1:])
    np.cumsum(indptr, out=indptr)
    indices = empty(int(indptr[-1]), np.int32)
    data = empty(int(indptr[-1]), np.float32)
    dense = empty((Y.shape[1], X.n_dense), np.float32) if isinstance(X, Hybrid) else None
    _native.pifa_fill(features, y_indptr, y_rows, weights, limit, threads, indptr, indices, data, dense)
    sparse = _sorted_csr(data, indices, indptr, (Y.shape[1], width))
    return sparse if dense is None else Hybrid(sparse, dense)


def _csr(matrix: CSR, name: str) -> CSR:
    return matrix if sp.issparse(matrix) and matrix.format == "csr" else as_csr(matrix, name)


def _sorted_csr(data: Float32, indices: Int32, indptr: Int64, shape: tuple[int, int]) -> CSR:
    matrix = sp.csr_matrix((data, indices, indptr), shape=shape)
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix
