"""Propensity: the probability that a relevant label is annotated, estimated from its training frequency.

Jain, Prabhu, Varma: Extreme Multi-label Loss Functions for Recommendation, Tagging, Ranking & Other Missing Label
Applications, KDD 2016, equation 2: 1 / p_l = 1 + C (N_l + B)^-A with C = (ln N - 1) (B + 1)^A. Annotators miss
rare labels most often, so a correct rare label has the weight 1 / p_l.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.evaluation.config import checked_propensity
from ramify.values import Float64, Int64, as_label_matrix


@dataclass(frozen=True)
class TrainingCounts:
    """Counts of the training labels, which an evaluation needs instead of the whole Y_train.

    Parameters
    ----------
    labels : int64 array, shape (L,)
        Training documents per label.
    n_documents : int
        Training documents in all.

    Raises
    ------
    InputError
        Negative counts, or a label more frequent than there are documents.
    """

    labels: Int64
    n_documents: int

    def __post_init__(self) -> None:
        counts, n_documents = _counted(np.asarray(self.labels), self.n_documents)
        object.__setattr__(self, "labels", counts)
        object.__setattr__(self, "n_documents", n_documents)

    @classmethod
    def of(cls, Y_train: Any) -> TrainingCounts:
        """The counts of a matrix Y_train, shape (n, L); ``TrainingCounts`` are returned unchanged."""
        if isinstance(Y_train, cls):
            return Y_train
        Y = as_label_matrix(Y_train)
        return cls(label_counts(Y), Y.shape[0])

    def widened(self, n_labels: int) -> TrainingCounts:
        """The counts for a label space of at least ``n_labels``: new labels have no training document."""
        missing = max(0, n_labels - len(self.labels))
        return TrainingCounts(np.pad(self.labels, (0, missing)), self.n_documents)


def label_counts(Y_train: Any, n_labels: int | None = None) -> Int64:
    """Training instances per label.

    Parameters
    ----------
    Y_train : array-like or sparse, shape (n, L)
        0/1 label assignments.
    n_labels : int, optional
        Length of the result; labels beyond L have no instance. Default L.

    Returns
    -------
    int64 array, shape (n_labels,)

    Raises
    ------
    InputError
        Y_train is not a 0/1 matrix, or wider than ``n_labels``.
    """
    Y = as_label_matrix(Y_train)
    n_labels = Y.shape[1] if n_labels is None else n_labels
    if n_labels < Y.shape[1]:
        raise InputError(f"Y_train has {Y.shape[1]} columns, but only {n_labels} labels are allowed")
    return np.bincount(Y.indices, minlength=n_labels).astype(np.int64)


def inverse_propensities(labels: Any, n: int | None = None, *, A: float = 0.55, B: float = 1.5) -> Float64:
    """The weight 1 / p_l of each label in PSP and PSnDCG.

    Parameters
    ----------
    labels : array-like or sparse
        Y_train, shape (n, L), or the training instances per label, shape (L,).
    n : int, optional
        Number of training documents; must be given with counts.
    A, B : float, default 0.55 and 1.5
        Propensity settings: 0.5, 0.4 for Wikipedia sets; 0.6, 2.6 for Amazon sets.

    Returns
    -------
    float64 array, shape (L,)
        At least 1. Below three training documents the model is not defined (ln N < 1) and every weight is 1.

    Raises
    ------
    InputError
        Negative counts, a label more frequent than there are documents, counts without n, A or B not above 0.
    """
    A, B = checked_propensity((A, B))
    counts, n_documents = _counted(labels, n)
    constant = max(np.log(max(n_documents, 1)) - 1, 0) * (B + 1) ** A
    return np.asarray(1 + constant * (counts + B) ** -A, dtype=np.float64)


def propensities(labels: Any, n: int | None = None, *, A: float = 0.55, B: float = 1.5) -> Float64:
    """p_l, the probability that a relevant label is annotated; see :func:`inverse_propensities`."""
    return 1 / inverse_propensities(labels, n, A=A, B=B)


def _counted(labels: Any, n: int | None) -> tuple[Int64, int]:
    if sp.issparse(labels) or np.ndim(labels) != 1:
        Y = as_label_matrix(labels)
        return label_counts(Y), Y.shape[0] if n is None else whole_number("n", n, 0)
    counts = np.asarray(labels)
    if counts.dtype.kind not in "iu" or (counts.size and counts.min() < 0):
        raise InputError(f"label counts must be whole numbers of at least 0, not {counts.dtype} {counts[:5]}")
    if n is None:
        raise InputError("label counts are given without n: name the number of training documents")
    if counts.size and counts.max() > whole_number("n", n, 0):
        raise InputError(f"a label has {counts.max()} training instances, but n is {n}: give the number of documents")
    return counts.astype(np.int64), n
