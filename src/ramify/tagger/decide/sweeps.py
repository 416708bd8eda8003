"""Thresholds from a sweep over all held-out predictions in descending order of their probability.

F1 of a set of j predictions, tp of them true, of a group with t true labels:  f_j = 2 tp / (j + t)

A group is a document (example F1), a label (macro F1) or everything (micro F1). Accepting one more prediction changes
the F1 of its group by f_j - f_{j-1}; the sum of these changes over the descending probabilities is the mean F1 at each
threshold, times the number of groups. One sort therefore finds the best threshold exactly.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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


def largest_expected_f1(p: Float64, group: Int64, expected: Float64) -> Float64:
    """The largest F1 of each group over thresholds, with true numbers replaced by their expectations, shape (groups,).

    Parameters
    ----------
    p : float64 array, shape (m,)
        Probabilities of the predictions.
    group : int64 array, shape (m,)
        Group of each prediction.
    expected : float64 array, shape (groups,)
        Expected number of true labels of each group, predicted or not.

    Returns
    -------
    float64 array
        NaN for a group without predictions.
    """
    order = np.lexsort((-p, group))
    grouped = group[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1) != 0)
    found = np.full(len(expected), np.nan)
    if len(starts):
        right, number = _sums_by_rank(p[order], starts)
        f1 = 2 * right / np.maximum(number + expected[grouped], 1e-300)
        found[grouped[starts]] = np.maximum.reduceat(f1, starts)
    return found


class Reached(NamedTuple):
    """A threshold with the wanted share, None if there is none, and the largest share of any threshold."""

    threshold: float | None
    best: float


def threshold_of_precision(p: Float64, hits: Bool, document: Int64, wanted: float) -> Reached:
    """The lowest threshold at which the lower bound of the precision is at least the wanted one."""
    sums = _Sums.of(p, hits, document)
    right, number = sums.right, np.arange(1, len(p) + 1)
    share = right / number
    spread = sums.right_right - 2 * share * sums.right_number + share**2 * sums.number_number
    bound = np.minimum(wilson_bound(right, number), share - CONFIDENCE * np.sqrt(np.maximum(spread, 0)) / number)
    return _reached(sums.p, bound, wanted, lowest=True)


def threshold_of_recall(p: Float64, hits: Bool, document: Int64, true: Int64, wanted: float) -> Reached:
    """The highest threshold at which the lower bound of the recall is at least the wanted one.

    ``true`` has the number of true labels of each document, shape (documents,).
    """
    sums = _Sums.of(p, hits, document)
    total = max(1, int(true.sum()))
    right_true = np.cumsum(np.where(hits, true[document], 0)[sums.order], dtype=np.float64)
    share = sums.right / total
    spread = sums.right_right - 2 * share * right_true + share**2 * float((true.astype(np.float64) ** 2).sum())
    bound = wilson_bound(sums.right, np.full(len(p), total))
    bound = np.minimum(bound, share - CONFIDENCE * np.sqrt(np.maximum(spread, 0)) / total)
    return _reached(sums.p, bound, wanted)


def threshold_of_coverage(p: Float64, hits: Bool, document: Int64, true: Int64, wanted: float) -> Reached:
    """The highest threshold whose sets contain the wanted share of the true labels of a new document, in expectation.

    Conformal risk control with the share of missed true labels as risk: n R / (n + 1) + 1 / (n + 1) ≤ 1 - wanted.
    Anastasios Angelopoulos, Stephen Bates, Adam Fisch, Lihua Lei, Tal Schuster: Conformal Risk Control. ICLR 2024.
    The share holds for probabilities that do not depend on the documents, so only nearly for a calibration that was
    fitted on the same ones.

    Parameters
    ----------
    p, hits, document : arrays, shape (m,)
        Probabilities, which are true, and the documents of the predictions.
    true : int64 array, shape (documents,)
        True labels of each document; documents without one are left out.
    wanted : float
    """
    n = int((true > 0).sum())
    order = np.argsort(-p, kind="stable")
    found = np.cumsum(np.where(hits, 1 / np.maximum(true[document], 1), 0.0)[order])
    return _reached(p[order], found / (n + 1), wanted - 1e-12)


def wilson_bound(right: Int64, number: Int64) -> Float64:
    """Lower bound of the share of independent successes, one-sided at 95%."""
    share, z = right / np.maximum(number, 1), CONFIDENCE
    centre = share + z**2 / (2 * number)
    spread = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return np.asarray((centre - spread) / (1 + z**2 / number), dtype=np.float64)


class _Sums(NamedTuple):
    """Sums over documents at each position of the descending probabilities, shape (m,).

    With r correct ones of n accepted predictions of a document: Σ r, Σ r², Σ r n, Σ n². They give the variance of a
    ratio of sums over documents; the predictions for one document are not independent.
    """

    order: Int64
    p: Float64
    right: Int64
    right_right: Float64
    right_number: Float64
    number_number: Float64

    @classmethod
    def of(cls, p: Float64, hits: Bool, document: Int64) -> _Sums:
        by_document = np.lexsort((-p, document))
        right, number = _counts_by_rank(hits[by_document], document[by_document])
        hit = hits[by_document].astype(np.float64)
        changes = np.empty((3, len(p)))
        changes[:, by_document] = (
            hit * (2 * right - 1),
            right * number - (right - hit) * (number - 1),
            2 * number - 1,
        )
        order = np.argsort(-p, kind="stable")
        squares = np.cumsum(changes[:, order], axis=1)
        return cls(order, p[order], np.cumsum(hits[order], dtype=np.int64), *squares)


def _reached(descending: Float64, bound: Float64, wanted: float, *, lowest: bool = False) -> Reached:
    """The highest threshold, or the lowest, at which the bound is at least the wanted one."""
    ends = _ends(descending)
    reached = np.flatnonzero((bound >= wanted) & ends)
    threshold = _between(descending, int(reached[-1 if lowest else 0])) if len(reached) else None
    return Reached(threshold, float(bound[ends].max(initial=0.0)))


def _counts_by_rank(hits: Bool, group: Int64) -> tuple[Int64, Int64]:
    """Correct predictions and predictions of each group up to each position; groups are contiguous."""
    return _sums_by_rank(hits.astype(np.int64), np.flatnonzero(np.diff(group, prepend=-1) != 0))


def _sums_by_rank(values: Any, starts: Int64) -> tuple[Any, Int64]:
    """Sums of the values, and their number, from the start of each group up to each position."""
    lengths = np.diff(np.append(starts, len(values)))
    sums = np.cumsum(values)
    before = np.repeat(sums[starts] - values[starts], lengths)
    return sums - before, np.arange(1, len(values) + 1) - np.repeat(starts, lengths)


def _f1_by_rank(p: Float64, hits: Bool, group: Int64, true: Int64) -> tuple[Int64, Float64]:
    """Order by group and descending probability, and F1 of each group's predictions up to there, in this order."""
    order = np.lexsort((-p, group))
    right, number = _counts_by_rank(hits[order], group[order])
    return order, 2 * right / (number + true[group[order]])


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
    """A threshold that accepts everything up to a position, halfway to the next probability, in float32."""
    following = descending[position + 1] if position + 1 < len(descending) else 0.0
    middle = np.float32((descending[position] + following) / 2)
    return float(middle if middle > following else descending[position])
