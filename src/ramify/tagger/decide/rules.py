"""Rules that choose the label set of a document from its ranked labels and their probabilities.

Thresholds   labels whose probability is at least the threshold of the label
Counted      the n most probable labels, n from the sum of the probabilities of the document
ExpectedF1   the j most probable labels with the largest 2 Σ_{i≤j} p_i / (j + ratio Σ_i p_i + missing)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ramify.values import CSR, Bool, Float32, Float64, Int64, TopK


class Rule(ABC):
    """Base of the rules."""

    @abstractmethod
    def kept(self, top: TopK, probabilities: Float32) -> Bool:
        """Which of the predicted labels are in the sets, shape (n, k).

        Parameters
        ----------
        top : TopK, shape (n, k)
        probabilities : float32 array, shape (n, k)
            Of the labels; 0 where there is none.
        """

    def sets(self, top: TopK, probabilities: Float32, n_labels: int) -> CSR:
        """The sets as a 0/1 matrix, shape (n, n_labels)."""
        kept = self.kept(top, probabilities) & (top.labels >= 0)
        return top.matrix(kept, np.ones(top.labels.shape, np.float32), n_labels)


@dataclass(frozen=True)
class Thresholds(Rule):
    """A threshold per label.

    Parameters
    ----------
    values : float32 array, shape (L,) or (1,)
        Smallest probability of a label in a set; one for all labels if there is one.
    """

    values: Float32

    def kept(self, top: TopK, probabilities: Float32) -> Bool:
        """See ``Rule``."""
        values = self.values if len(self.values) == 1 else self.values[top.labels]
        return np.asarray(probabilities >= values, dtype=np.bool_)


@dataclass(frozen=True)
class Counted(Rule):
    """As many labels as a document probably has.

    Parameters
    ----------
    points : float64 array, shape (2, m)
        Sums of probabilities, ascending, and numbers of labels; linear between them.
    """

    points: Float64

    def kept(self, top: TopK, probabilities: Float32) -> Bool:
        """See ``Rule``."""
        number = np.rint(np.interp(probabilities.sum(axis=1, dtype=np.float64), *self.points))
        return np.asarray(places(probabilities) < number[:, None], dtype=np.bool_)


@dataclass(frozen=True)
class ExpectedF1(Rule):
    """The set of the largest expected F1 of the document, with F1 at the expected numbers.

    Parameters
    ----------
    ratio, missing : float
        The expected number of true labels of a document is ratio · Σ p + missing; not all of them are predicted.
    """

    ratio: float
    missing: float

    def kept(self, top: TopK, probabilities: Float32) -> Bool:
        """See ``Rule``."""
        if not probabilities.shape[1]:
            return np.zeros(probabilities.shape, np.bool_)
        descending = -np.sort(-probabilities.astype(np.float64), axis=1)
        total = self.ratio * descending.sum(axis=1, keepdims=True) + self.missing
        expected = 2 * np.cumsum(descending, axis=1) / (np.arange(1, descending.shape[1] + 1) + total)
        return np.asarray(places(probabilities) <= np.argmax(expected, axis=1)[:, None], dtype=np.bool_)


def places(probabilities: Float32) -> Int64:
    """Place of each label by descending probability, from 0, shape (n, k); equal ones in the order of the ranking."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return found
