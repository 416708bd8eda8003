"""Native PIFA: the sum of the features of a label's instances, scaled to length 1 (twin: ``reference.aggregate``)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify import _native
from ramify.checks import Whole, thread_count
from ramify.errors import InputError
from ramify.kernels.check import csr_arrays
from ramify.values import CSR, Float32, Int32, Int64, as_csr

FEATURES_PER_LABEL = Whole(1, optional=True)


def pifa(X: CSR, Y: CSR, *, max_features_per_label: int | None = None, threads: int | None = 1) -> CSR:
    """L2-normalise the rows of Y, take YᵀX, L2-normalise its rows.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Instance features, float32.
    Y : csr_matrix, shape (n, L)
        0/1 label assignments.
    max_features_per_label : int, optional
        Maximum number of entries per label; the entries with the largest absolute values are kept.
    threads : int or None, default 1
        The result is the same for any number.

    Returns
    -------
    csr_matrix, shape (L, d)
        float32 with sorted indices; labels without instance have empty rows.

    Raises
    ------
    InputError
        Row counts that differ, a broken matrix, or ``max_features_per_label`` below 1.
    """
    threads = thread_count(threads)
    X, Y = (M if sp.issparse(M) and M.format == "csr" else as_csr(M, name) for M, name in ((X, "X"), (Y, "Y")))
    if X.shape[0] != Y.shape[0]:
        raise InputError(f"X has {X.shape[0]} rows, but Y has {Y.shape[0]}: give one row of labels per instance")
    FEATURES_PER_LABEL.check("max_features_per_label", max_features_per_label)
    x_arrays = csr_arrays(X)
    members = Y.tocsc()
    y_indptr, y_rows, _ = csr_arrays(members.T)
    per_row = np.diff(Y.indptr)
    weights = (1.0 / np.sqrt(np.maximum(per_row, 1))).astype(np.float32)
    limit = X.shape[1] + 1 if max_features_per_label is None else min(int(max_features_per_label), X.shape[1] + 1)
    indptr = np.zeros(Y.shape[1] + 1, np.int64)
    _native.pifa_count(*x_arrays, X.shape[1], y_indptr, y_rows, limit, threads, indptr[1:])
    np.cumsum(indptr, out=indptr)
    indices = np.empty(indptr[-1], np.int32)
    data = np.empty(indptr[-1], np.float32)
    _native.pifa_fill(*x_arrays, X.shape[1], y_indptr, y_rows, weights, limit, threads, indptr, indices, data)
    return _sorted_csr(data, indices, indptr, (Y.shape[1], X.shape[1]))


def _sorted_csr(data: Float32, indices: Int32, indptr: Int64, shape: tuple[int, int]) -> CSR:
    matrix = sp.csr_matrix((data, indices, indptr), shape=shape)
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix
