"""Each measure as a separate function: ``precision_at_k(Y_test, top, 5)``.

All leave documents without a true label out; :func:`ramify.evaluation.evaluate` computes all measures and has more
settings. All raise InputError for predictions that do not fit the truth (rows, ids out of range, fewer than k columns,
a label twice, NaN), for k below 1, and if Y_test has no true label. Formulas: ``document_measures`` and
``label_measures``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.evaluation.document_measures import Ratio, hit, micro_f1, ndcg, precision, propensity_scored, recall
from ramify.evaluation.judgement import Judgement, judge
from ramify.evaluation.label_measures import label_tally
from ramify.values import Float64, TopK, as_label_matrix


def precision_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """P@k: mean share of true labels in the first k; missing labels count as wrong.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    top : TopK, shape (n, at least k)
        Predictions, in descending order.
    k : int, default 5

    Returns
    -------
    float in 0..1
    """
    return _mean(precision, Y_test, top, k)


def recall_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """R@k: mean share of a document's true labels found in the first k; arguments as :func:`precision_at_k`."""
    return _mean(recall, Y_test, top, k)


def ndcg_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """nDCG@k: mean discounted gain, relative to the best order; arguments as :func:`precision_at_k`."""
    return _mean(ndcg, Y_test, top, k)


def hit_rate_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """Hit@k: share of documents with a true label in the first k; arguments as :func:`precision_at_k`."""
    return _mean(hit, Y_test, top, k)


def micro_f1_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """Micro F1 of the label sets of the first k; arguments as :func:`precision_at_k`."""
    return _total(micro_f1(_judged(Y_test, top, k), (k,)))


def macro_f1_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """Mean F1 over the labels with a true document, for the first k; arguments as :func:`precision_at_k`."""
    return _over_labels(Y_test, top, k)[0]


def coverage_at_k(Y_test: Any, top: TopK, k: int = 5) -> float:
    """Share of the labels with a true document that have a hit in the first k; as :func:`precision_at_k`."""
    return _over_labels(Y_test, top, k)[1]


def psp_at_k(Y_test: Any, top: TopK, weights: Float64, k: int = 5) -> float:
    """PSP@k: propensity-scored precision over the best attainable.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    top : TopK, shape (n, at least k)
        Predictions, in descending order.
    weights : float array, shape (L,)
        Inverse propensities, from :func:`ramify.evaluation.inverse_propensities`.
    k : int, default 5

    Returns
    -------
    float in 0..1
    """
    return _propensity_scored(Y_test, top, weights, k)["PSP"]


def psndcg_at_k(Y_test: Any, top: TopK, weights: Float64, k: int = 5) -> float:
    """PSnDCG@k: propensity-scored discounted gain over the best attainable; arguments as :func:`psp_at_k`."""
    return _propensity_scored(Y_test, top, weights, k)["PSnDCG"]


def _judged(Y_test: Any, top: TopK, k: int) -> Judgement:
    return judge(Y_test, top, least_k=whole_number("k", k, 1))


def _mean(per_document: Callable[[Judgement, Sequence[int]], Float64], Y_test: Any, top: TopK, k: int) -> float:
    return float(per_document(_judged(Y_test, top, k), (k,)).mean())


def _total(ratio: Ratio) -> float:
    return min(float(ratio.numerators.sum() / ratio.denominators.sum()), 1.0)


def _over_labels(Y_test: Any, top: TopK, k: int) -> tuple[float, float]:
    judgement = _judged(Y_test, top, k)
    macro, coverage = label_tally(judgement, (k,), {}).values(np.ones((1, len(judgement.rows))))[0]
    return float(macro), float(coverage)


def _propensity_scored(Y_test: Any, top: TopK, weights: Float64, k: int) -> dict[str, float]:
    Y = as_label_matrix(Y_test)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (Y.shape[1],) or not np.isfinite(weights).all() or (weights <= 0).any():
        raise InputError(f"weights must be {Y.shape[1]} finite numbers above 0, one per column of Y_test")
    scores = propensity_scored(_judged(Y, top, k), (k,), weights)
    return {name: _total(ratio) for name, ratio in scores.items()}
