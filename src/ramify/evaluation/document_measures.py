"""Measures that are sums over documents: a numerator and a denominator per document, and their ratio in total.

With hit(r) = 1 where the prediction at rank r = 1..k is true, and t true labels of the document:

=========  ===========================================  ======================================================
measure    a document's numerator                       a document's denominator
=========  ===========================================  ======================================================
P@k        Σ hit(r) / k                                 1
R@k        Σ hit(r) / t                                 1
nDCG@k     Σ hit(r) / log2(r + 1), over the same sum    1
           of a perfect ranking, r = 1..min(k, t)
Hit@k      1 if any hit(r), else 0                      1
PSP@k      Σ hit(r) / p(r)                              the largest such sum that k labels can reach
PSnDCG@k   Σ hit(r) / (p(r) log2(r + 1))                the largest such sum that k labels can reach
microF1@k  2 Σ hit(r)                                   labels predicted within k, plus t
=========  ===========================================  ======================================================

p(r) is the propensity of the label at rank r. PSP and PSnDCG are those of the scripts behind the tables of the
Extreme Classification Repository: the total over all documents, divided by the best attainable total (not a mean of
the documents' ratios; pyxclib's PSnDCG also divides each document by the ideal of min(k, t) ranks, which differs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ramify.evaluation.judgement import Judgement
from ramify.values import CSR, Float64, Int64

MEANS = ("P", "nDCG", "R", "Hit")


class Ratio(NamedTuple):
    """Numerators and denominators of one measure, shape (n, number of cut-offs) each."""

    numerators: Float64
    denominators: Float64


@dataclass(frozen=True)
class Contributions:
    """Contribution of each document to each measure.

    Parameters
    ----------
    names : tuple of str, length m
        The measures.
    rows : int64 array, shape (n,)
        Document of each row; other documents contribute nothing.
    numerators : float64 array, shape (n, m)
    denominators : float64 array, shape (n, d)
        Several measures may share one.
    denominator_of : int64 array, shape (m,)
        Column of ``denominators`` that belongs to each measure.
    """

    names: tuple[str, ...]
    rows: Int64
    numerators: Float64
    denominators: Float64
    denominator_of: Int64

    def values(self, weights: Float64) -> Float64:
        """The measures with documents weighted by ``weights``, shape (b, documents); NaN if all weights are 0."""
        weights = weights if weights.shape[1] == len(self.rows) else weights[:, self.rows]
        totals = weights @ self.numerators  # (b, m)
        best = (weights @ self.denominators)[:, self.denominator_of]
        ratios = np.full_like(totals, np.nan)
        np.divide(totals, best, out=ratios, where=best > 0)
        return np.minimum(ratios, 1.0)  # the two totals have separate rounding errors

    def of(self, name: str) -> Ratio:
        """One measure's numerators and denominators, shape (n,) each."""
        column = self.names.index(name)
        return Ratio(self.numerators[:, column], self.denominators[:, self.denominator_of[column]])


def contributions(judgement: Judgement, ks: Sequence[int], weights: Float64 | None) -> Contributions:
    """All measures of this module at all cut-offs; PSP and PSnDCG only if label ``weights`` (L,) are given."""
    means = [precision(judgement, ks), ndcg(judgement, ks), recall(judgement, ks), hit(judgement, ks)]
    ratios = {"microF1": micro_f1(judgement, ks)}
    if weights is not None:
        ratios |= propensity_scored(judgement, ks, weights)
    names = tuple(f"{family}@{k}" for family in (*MEANS, *ratios) for k in ks)
    return Contributions(
        names=names,
        rows=judgement.rows,
        numerators=np.hstack([*means, *(ratio.numerators for ratio in ratios.values())]),
        denominators=np.hstack([judgement.relevant[:, None], *(ratio.denominators for ratio in ratios.values())]),
        denominator_of=np.array([0] * len(MEANS) * len(ks) + list(range(1, len(ratios) * len(ks) + 1))),
    )


def precision(judgement: Judgement, ks: Sequence[int]) -> Float64:
    """P@k per document, shape (n, cut-offs)."""
    return _at(_totals(judgement.hits), ks) / np.array(ks, dtype=np.float64)


def recall(judgement: Judgement, ks: Sequence[int]) -> Float64:
    """R@k per document, shape (n, cut-offs); 0 without a true label."""
    return _at(_totals(judgement.hits), ks) / np.maximum(judgement.n_true, 1)[:, None]


def hit(judgement: Judgement, ks: Sequence[int]) -> Float64:
    """Hit@k per document, shape (n, cut-offs)."""
    return np.minimum(_at(_totals(judgement.hits), ks), 1.0)


def ndcg(judgement: Judgement, ks: Sequence[int]) -> Float64:
    """nDCG@k per document, shape (n, cut-offs); 0 without a true label."""
    discounts = _discounts(judgement.hits.shape[1])
    gains = _totals(judgement.hits * discounts)
    n_best = np.minimum(np.array(ks), np.maximum(judgement.n_true, 1)[:, None])
    ideal: Float64 = np.cumsum(discounts)[n_best - 1]
    return _at(gains, ks) / ideal


def micro_f1(judgement: Judgement, ks: Sequence[int]) -> Ratio:
    """Micro F1 of the label sets of the first k predictions."""
    predicted = _at(_totals(judgement.labels >= 0), ks)
    return Ratio(2 * _at(_totals(judgement.hits), ks), predicted + judgement.n_true[:, None])


def propensity_scored(judgement: Judgement, ks: Sequence[int], weights: Float64) -> dict[str, Ratio]:
    """PSP@k and PSnDCG@k from the labels' inverse propensities, shape (L,)."""
    discounts = _discounts(judgement.hits.shape[1])
    gains = judgement.hits * weights[judgement.labels]
    best = best_gains(judgement.truth, weights, judgement.hits.shape[1])
    return {
        "PSP": Ratio(_at(_totals(gains), ks), _at(_totals(best), ks)),
        "PSnDCG": Ratio(_at(_totals(gains * discounts), ks), _at(_totals(best * discounts), ks)),
    }


def best_gains(truth: CSR, weights: Float64, k: int) -> Float64:
    """The k largest weights of each document's true labels, descending, shape (n, k); 0 fills."""
    n_true = np.diff(truth.indptr)
    row_of = np.repeat(np.arange(len(n_true)), n_true)
    gains = weights[truth.indices]
    order = np.lexsort((-gains, row_of))
    place = np.arange(len(gains)) - np.repeat(truth.indptr[:-1], n_true)
    within = place < k
    best = np.zeros((len(n_true), k))
    best[row_of[within], place[within]] = gains[order][within]
    return best


def _discounts(k: int) -> Float64:
    return np.asarray(1 / np.log2(np.arange(2, k + 2)), dtype=np.float64)


def _totals(gains: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Float64:
    """Running totals over the ranks."""
    return np.cumsum(gains, axis=1, dtype=np.float64)


def _at(totals: Float64, ks: Sequence[int]) -> Float64:
    return totals[:, np.array(ks) - 1]
