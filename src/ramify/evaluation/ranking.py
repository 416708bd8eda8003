"""A matrix of scores → TopK, with ties broken by the smaller label id."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.values import TopK

_BLOCK_CELLS = 1 << 22  # scores processed at once


def top_k(scores: Any, k: int) -> TopK:
    """The k best labels of each row.

    Parameters
    ----------
    scores : array-like or sparse, shape (n, L)
        Higher is better. The candidates of a sparse matrix are its stored entries, including zeros; -inf is not a
        candidate.
    k : int
        Labels per row; rows with fewer candidates end in label -1, score -inf.

    Returns
    -------
    TopK, shape (n, k)

    Raises
    ------
    InputError
        k below 1, not a 2-d matrix of real numbers, NaN.
    """
    k = whole_number("k", k, 1)
    matrix: Any = scores if sp.issparse(scores) else np.asarray(scores)
    stored = matrix.data if sp.issparse(scores) else matrix
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise InputError(f"scores must be a 2-d matrix of real numbers, not {matrix.ndim}-d of dtype {matrix.dtype}")
    if np.isnan(stored).any():
        raise InputError("scores contain NaN: remove or replace it")
    labels = np.full((matrix.shape[0], k), -1, np.int32)
    best = np.full((matrix.shape[0], k), -np.inf)
    if sp.issparse(scores):
        _fill_sparse(matrix, labels, best)
    elif matrix.shape[1]:
        _fill_dense(matrix, labels, best)
    labels[best == -np.inf] = -1
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and keeps its rank
        return TopK(labels, best.astype(np.float32))


def _fill_sparse(matrix: Any, labels: npt.NDArray[np.int32], best: npt.NDArray[np.float64]) -> None:
    csr = sp.csr_matrix(matrix, copy=True)
    csr.sum_duplicates()
    row_of = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    order = np.lexsort((csr.indices, -csr.data.astype(np.float64), row_of))
    place = np.arange(csr.nnz) - csr.indptr[:-1][row_of]
    within = place < labels.shape[1]
    chosen = order[within]
    labels[row_of[within], place[within]] = csr.indices[chosen]
    best[row_of[within], place[within]] = csr.data[chosen]


def _fill_dense(matrix: npt.NDArray[Any], labels: npt.NDArray[np.int32], best: npt.NDArray[np.float64]) -> None:
    n, n_labels = matrix.shape
    k = min(labels.shape[1], n_labels)
    step = max(1, _BLOCK_CELLS // n_labels)
    for start in range(0, n, step):
        block = matrix[start : start + step].astype(np.float64)
        columns = _best_columns(block, k)
        chosen = np.take_along_axis(block, columns, axis=1)
        order = np.argsort(-chosen, axis=1, kind="stable")  # columns ascend, so ties stay in the order of ids
        labels[start : start + step, :k] = np.take_along_axis(columns, order, axis=1)
        best[start : start + step, :k] = np.take_along_axis(chosen, order, axis=1)


def _best_columns(block: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.intp]:
    """The k best columns of each row, ascending; ties at the threshold by the smaller column."""
    n, n_labels = block.shape
    threshold = np.partition(block, n_labels - k, axis=1)[:, n_labels - k, None]
    above = block > threshold
    level = block == threshold
    wanted = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= wanted))
    return np.nonzero(chosen)[1].reshape(n, k)
