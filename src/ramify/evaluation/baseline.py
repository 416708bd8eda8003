"""Baseline: the most frequent training labels, the same for every document."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.evaluation.propensity import label_counts
from ramify.values import TopK, as_label_matrix


def popular(Y_train: Any, n_rows: int, k: int) -> TopK:
    """Predict the k most frequent training labels for each of ``n_rows`` documents.

    Parameters
    ----------
    Y_train : array-like or sparse, shape (n, L)
        0/1 label assignments.
    n_rows : int
        Documents to predict for.
    k : int
        Labels per document.

    Returns
    -------
    TopK, shape (n_rows, k)
        Scores are the share of training documents with the label; ties are broken by the smaller id. Unseen labels are
        not predicted.

    Raises
    ------
    InputError
        k below 1, n_rows below 0, Y_train not a 0/1 matrix or without rows.
    """
    k, n_rows = whole_number("k", k, 1), whole_number("n_rows", n_rows, 0)
    Y = as_label_matrix(Y_train)
    if Y.shape[0] == 0:
        raise InputError("Y_train has no rows, so labels have no frequency: give at least one training document")
    counts = label_counts(Y)
    best = np.argsort(-counts, kind="stable")[:k]
    best = best[counts[best] > 0]
    labels = np.full(k, -1, np.int32)
    scores = np.full(k, -np.inf, np.float32)
    labels[: len(best)] = best
    scores[: len(best)] = counts[best] / Y.shape[0]
    return TopK(np.tile(labels, (n_rows, 1)), np.tile(scores, (n_rows, 1)))
