"""Comparison of predictions with the true labels, from which all measures are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import CSR, Bool, Int32, Int64, TopK, as_label_matrix


@dataclass(frozen=True)
class Judgement:
    """Predictions and true labels of the documents included.

    Parameters
    ----------
    labels : int32 array, shape (n, k)
        Predicted labels, in descending order; -1 for none.
    hits : bool array, shape (n, k)
        Which of them are true.
    truth : csr_matrix, shape (n, L)
        The true labels.
    relevant : bool array, shape (n,)
        Documents included in means.
    rows : int64 array, shape (n,)
        Document of each row: its row in the unrestricted judgement, or in Y_test.
    """

    labels: Int32
    hits: Bool
    truth: CSR
    relevant: Bool
    rows: Int64

    @property
    def n_true(self) -> Int64:
        """True labels per document, shape (n,)."""
        return np.asarray(np.diff(self.truth.indptr), dtype=np.int64)

    def restrict(self, bucket: Bool) -> Judgement:
        """Predictions and true labels of a bucket only, with unchanged ranks.

        Rows with neither are removed; means include the documents with a true label of the bucket.
        """
        inside = (self.labels >= 0) & bucket[self.labels]
        truth = restrict_columns(self.truth, bucket)
        has_truth = np.diff(truth.indptr) > 0
        kept = np.flatnonzero(has_truth | inside.any(axis=1))
        return Judgement(
            labels=np.where(inside, self.labels, np.int32(-1))[kept],
            hits=(self.hits & inside)[kept],
            truth=truth[kept],
            relevant=has_truth[kept],
            rows=kept,
        )


def restrict_columns(Y: CSR, kept_columns: Bool) -> CSR:
    """Y without the entries of the other columns, in the same shape."""
    kept = kept_columns[Y.indices]
    before = np.concatenate([[0], np.cumsum(kept)])
    return sp.csr_matrix((Y.data[kept], Y.indices[kept], before[Y.indptr]), shape=Y.shape)


def widen(Y: CSR, n_labels: int) -> CSR:
    """Y with empty columns appended, shape (n, n_labels)."""
    if Y.shape[1] == n_labels:
        return Y
    return sp.csr_matrix((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], n_labels))


def judge(Y_test: Any, top: TopK, *, least_k: int = 1, count_unlabelled: bool = False) -> Judgement:
    """Compare predictions with the truth.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    top : TopK, shape (n, k)
        Predictions, in descending order.
    least_k : int, default 1
        Number of columns of ``top`` that are required and used.
    count_unlabelled : bool, default False
        Whether documents without a true label are included.

    Returns
    -------
    Judgement

    Raises
    ------
    InputError
        Different numbers of rows, too few predicted columns, label ids out of range, a label twice in a row, a gap
        within a row, NaN scores, or no true label at all.
    """
    Y = as_label_matrix(Y_test)
    check_predictions(top, n_rows=Y.shape[0], n_labels=Y.shape[1], least_k=least_k)
    if Y.nnz == 0:
        raise InputError(f"none of the {Y.shape[0]} test documents has a true label, so nothing can be measured")
    labels = top.labels[:, :least_k]
    labelled = np.diff(Y.indptr) > 0
    rows = np.arange(Y.shape[0]) if count_unlabelled else np.flatnonzero(labelled)
    if len(rows) < Y.shape[0]:
        Y, labels = Y[rows], labels[rows]
    return Judgement(labels=labels, hits=_hits(Y, labels), truth=Y, relevant=np.ones(len(rows), bool), rows=rows)


def check_predictions(top: TopK, *, n_rows: int, n_labels: int, least_k: int) -> None:
    """Raise InputError for predictions that do not fit; see :func:`judge`."""
    if not isinstance(top, TopK):
        raise InputError(f"predictions must be a TopK, not {type(top).__name__}: make one with top_k(scores, k)")
    if len(top) != n_rows:
        raise InputError(f"the predictions have {len(top)} rows, but Y_test has {n_rows}: give one row per document")
    if top.k < least_k:
        raise InputError(
            f"a measure at k={least_k} needs {least_k} labels per document, but the predictions have {top.k}: "
            f"predict with k={least_k} or lower ks"
        )
    labels = top.labels
    if labels.size and (labels.min() < -1 or labels.max() >= n_labels):
        raise InputError(
            f"predicted label ids must lie in 0..{n_labels - 1} (-1 for none), not {labels.min()}..{labels.max()}: "
            "give Y_test and Y_train in the label space of the predictions"
        )
    _refuse_row((labels[:, :-1] < 0) & (labels[:, 1:] >= 0), "has a label after a -1: fill rows only at their end")
    ascending = np.sort(labels, axis=1)
    repeated = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    _refuse_row(repeated, "predicts a label twice: merge repeated labels first")
    _refuse_row(np.isnan(top.scores), "has a NaN score: remove or replace it")


def _refuse_row(wrong: Bool, complaint: str) -> None:
    if wrong.any():
        raise InputError(f"row {int(np.flatnonzero(wrong.any(axis=1))[0])} of the predictions {complaint}")


def _hits(Y: CSR, labels: Int32) -> Bool:
    """Look up every (document, label) pair in the sorted pairs of Y."""
    n, n_labels = Y.shape
    true_pairs = np.repeat(np.arange(n, dtype=np.int64), np.diff(Y.indptr)) * n_labels + Y.indices
    pairs = np.arange(n, dtype=np.int64)[:, None] * n_labels + labels
    place = np.minimum(np.searchsorted(true_pairs, pairs), len(true_pairs) - 1)
    return np.asarray((true_pairs[place] == pairs) & (labels >= 0), dtype=np.bool_)
