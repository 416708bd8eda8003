"""The numbers of the charts: precision and recall, reliability, scores, and quality over label frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.report.judged import Judged
from ramify.tagger.decide.reliability import Reliability, reliability
from ramify.values import Bool, Float64, Int64

POINTS = 120
"""Maximum number of points of a precision-recall curve."""
BINS = 20
RELIABILITY_BINS = 10


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall of all predictions at least as high as each threshold.

    Parameters
    ----------
    thresholds, precision, recall : float64 arrays, shape (m,)
        Descending thresholds.
    """

    thresholds: Float64
    precision: Float64
    recall: Float64

    @classmethod
    def of(cls, values: Float64, hits: Bool, n_true: int) -> PrecisionRecall:
        """The curve of predictions with these values; ``n_true`` is the number of true labels."""
        order = np.argsort(-values, kind="stable")
        values, right = values[order], np.cumsum(hits[order])
        ends = np.flatnonzero(np.append(np.diff(values) < 0, True)[: len(values)])
        if len(ends) > POINTS:  # evenly over the recall, which is what the chart shows
            wanted = np.linspace(right[ends[0]], right[ends[-1]], POINTS)
            ends = ends[np.unique(np.searchsorted(right[ends], wanted))]
        return cls(values[ends], right[ends] / (ends + 1), right[ends] / max(n_true, 1))


@dataclass(frozen=True)
class Scores:
    """How the scores of right and of wrong predictions are distributed.

    Parameters
    ----------
    edges : float64 array, shape (bins + 1,)
    right, wrong : float64 arrays, shape (bins,)
        Share of the right, and of the wrong, predictions in each bin.
    n_right, n_wrong : int
    """

    edges: Float64
    right: Float64
    wrong: Float64
    n_right: int
    n_wrong: int

    @classmethod
    def of(cls, values: Float64, hits: Bool) -> Scores:
        """Histogram of finite values; from 0 to 1 if all of them are there."""
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        right, wrong = (np.histogram(values[which], edges)[0].astype(np.float64) for which in (hits, ~hits))
        n_right, n_wrong = int(right.sum()), int(wrong.sum())
        return cls(edges, right / max(n_right, 1), wrong / max(n_wrong, 1), n_right, n_wrong)


@dataclass(frozen=True)
class ByFrequency:
    """Quality of groups of labels with similar numbers of training documents.

    Parameters
    ----------
    low, high : int64 arrays, shape (groups,)
        Smallest and largest number of training documents in each group; ascending.
    labels, true : int64 arrays, shape (groups,)
        Labels with a true test document, and their true labels in all test documents.
    recall, precision : float64 arrays, shape (groups,)
        Of the suggested labels; NaN without true, or without suggested, labels.
    """

    low: Int64
    high: Int64
    labels: Int64
    true: Int64
    recall: Float64
    precision: Float64

    @classmethod
    def of(cls, one: Judged, counts: Int64) -> ByFrequency:
        """Groups of 0, 1, 2-3, 4-7, ... training documents, without the groups that no test document uses."""
        true, suggested, right = one.tallies()
        group = np.where(counts > 0, np.floor(np.log2(np.maximum(counts, 1))) + 1, 0).astype(np.int64)
        sums = [np.bincount(group, weights=part) for part in (true > 0, true, suggested, right)]
        used = np.flatnonzero(sums[1])
        labels, in_truth, in_sets, both = (part[used] for part in sums)
        low = np.where(used > 0, 2 ** np.maximum(used - 1, 0), 0)
        high = np.where(used > 0, 2 * low - 1, 0)
        precision = np.full(len(used), np.nan)
        np.divide(both, in_sets, out=precision, where=in_sets > 0)
        return cls(low, high, labels.astype(np.int64), in_truth.astype(np.int64), both / in_truth, precision)


def precision_recall(one: Judged) -> PrecisionRecall:
    """The curve of a model's probabilities, or of its scores."""
    values, hits = _flat(one)
    return PrecisionRecall.of(values, hits, one.n_true)


def scores_of(one: Judged) -> Scores:
    """The distribution of a model's probabilities, or of its scores."""
    return Scores.of(*_flat(one))


def reliabilities(one: Judged) -> dict[str, Reliability]:
    """Reliability of the scores, where they are within 0..1, and of the probabilities of a calibrated model."""
    found = {}
    valid = one.valid & np.isfinite(one.scores)
    scores, hits = one.scores[valid], one.hits[valid]
    if len(scores) and scores.min() >= 0 and scores.max() <= 1:
        found["score"] = reliability(scores.astype(np.float64), hits, RELIABILITY_BINS)
    if one.probabilities is not None:
        found["probability"] = reliability(one.probabilities[valid].astype(np.float64), hits, RELIABILITY_BINS)
    return found


def _flat(one: Judged) -> tuple[Float64, Bool]:
    """Values and hits of the predictions with a finite value, shape (m,) each."""
    valid = one.valid & np.isfinite(one.values)
    return one.values[valid].astype(np.float64), one.hits[valid]
