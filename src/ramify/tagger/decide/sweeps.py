"""Thresholds from a sweep over all held-out predictions in descending order of their probability.

F1 of a set of j predictions, tp of them true, of a group with t true labels:  f_j = 2 tp / (j + t)

A group is a document (example F1), a label (macro F1) or everything (micro F1). Accepting one more prediction changes
the F1 of its group by f_j - f_{j-1}; the sum of these changes over the descending probabilities is the mean F1 at each
threshold, times the number of groups. One sort therefore finds the best threshold exactly.
"""

from __future__ import annotations

import math

import numpy as np

from ramify.values import Bool, Float64, Int64

CONFIDENCE = 1.6449
"""Quantile of the normal distribution for a one-sided bound of 95%."""


def best_threshold(p: Float64, hits: Bool, group: Int64, true: Int64) -> float:
    """The threshold with the largest mean F1 over groups.

    Parameters
    ----------
    p : float64 array, shape (m,)
        Probabilities of the predictions.
    hits : bool array, shape (m,)
        Which of them are true.
    group : int64 array, shape (m,)
        Group of each prediction.
    true : int64 array, shape (groups,)
        True labels of each group, predicted or not.
    """
    order, f1 = _f1_by_rank(p, hits, group, true)
    gains = np.diff(f1, prepend=0.0)
    first = np.diff(group[order], prepend=-1) != 0
    gains[first] = f1[first]
    by_p = np.argsort(-p[order], kind="stable")
    return _cut(p[order][by_p], np.cumsum(gains[by_p]))


def best_threshold_of_each(p: Float64, hits: Bool, group: Int64, true: Int64) -> Float64:
    """The threshold with the largest F1 of each group, shape (groups,); NaN without predictions."""
    order, f1 = _f1_by_rank(p, hits, group, true)
    found = np.full(len(true), np.nan)
    grouped, sorted_p = group[order], p[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1) != 0)
    for start, end in zip(starts, np.append(starts[1:], len(grouped)), strict=True):
        found[grouped[start]] = _cut(sorted_p[start:end], f1[start:end])
    return found


def threshold_of_precision(p: Float64, hits: Bool, wanted: float) -> float | None:
    """The lowest threshold at which the lower bound of the precision is at least the wanted one; None if none is."""
    order = np.argsort(-p, kind="stable")
    right: Int64 = np.cumsum(hits[order], dtype=np.int64)
    number = np.arange(1, len(p) + 1)
    reached = np.flatnonzero((lower_bound(right, number) >= wanted) & _ends(p[order]))
    return None if not len(reached) else _between(p[order], int(reached[-1]))


def threshold_of_recall(p: Float64, hits: Bool, n_true: int, wanted: float) -> float | None:
    """The highest threshold at which the lower bound of the recall is at least the wanted one; None if none is."""
    order = np.argsort(-p, kind="stable")
    right: Int64 = np.cumsum(hits[order], dtype=np.int64)
    reached = np.flatnonzero((lower_bound(right, np.full(len(p), n_true)) >= wanted) & _ends(p[order]))
    return None if not len(reached) else _between(p[order], int(reached[0]))


def threshold_of_coverage(p: Float64, hits: Bool, document: Int64, true: Int64, wanted: float) -> float | None:
    """The highest threshold whose sets contain the wanted share of the true labels of a new document, in expectation.

    Conformal risk control with the share of missed true labels as risk: n R / (n + 1) + 1 / (n + 1) ≤ 1 - wanted.
    Anastasios Angelopoulos, Stephen Bates, Adam Fisch, Lihua Lei, Tal Schuster: Conformal Risk Control. ICLR 2024.

    Parameters
    ----------
    p, hits, document : arrays, shape (m,)
        Probabilities, which are true, and the documents of the predictions.
    true : int64 array, shape (documents,)
        True labels of each document; documents without one are left out.
    wanted : float

    Returns
    -------
    float or None
        None if the predictions do not contain enough true labels.
    """
    n = int((true > 0).sum())
    order = np.argsort(-p, kind="stable")
    found = np.cumsum(np.where(hits, 1 / np.maximum(true[document], 1), 0.0)[order])
    risk = (n - found + 1) / (n + 1)
    reached = np.flatnonzero((risk <= 1 - wanted) & _ends(p[order]))
    return None if not len(reached) else _between(p[order], int(reached[0]))


def lower_bound(right: Int64, number: Int64) -> Float64:
    """Lower bound of a share, one-sided at 95% (Wilson's interval)."""
    share, z = right / np.maximum(number, 1), CONFIDENCE
    centre = share + z**2 / (2 * number)
    spread = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return np.asarray((centre - spread) / (1 + z**2 / number), dtype=np.float64)


def _f1_by_rank(p: Float64, hits: Bool, group: Int64, true: Int64) -> tuple[Int64, Float64]:
    """Order by group and descending probability, and F1 of each group's predictions up to there, in this order."""
    order = np.lexsort((-p, group))
    grouped = group[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1) != 0)
    lengths = np.diff(np.append(starts, len(order)))
    right: Int64 = np.cumsum(hits[order], dtype=np.int64)
    before: Int64 = np.repeat(right[starts] - hits[order][starts], lengths)
    rank = np.arange(1, len(order) + 1) - np.repeat(starts, lengths)
    return order, 2 * (right - before) / (rank + true[grouped])


def _cut(descending: Float64, total: Float64) -> float:
    """The threshold after the position of the largest total; above everything if no position has a positive total."""
    total = np.where(_ends(descending), total, -np.inf)
    best = int(np.argmax(total)) if len(total) else -1
    if best < 0 or total[best] <= 0:
        return math.inf
    return _between(descending, best)


def _ends(descending: Float64) -> Bool:
    """Positions after which the probability falls: a threshold cannot separate equal probabilities."""
    return np.append(np.diff(descending) < 0, True)[: len(descending)]


def _between(descending: Float64, position: int) -> float:
    """A threshold that accepts everything up to a position, halfway to the next probability."""
    following = descending[position + 1] if position + 1 < len(descending) else 0.0
    return float((descending[position] + following) / 2)
