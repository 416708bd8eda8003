"""Favouring rare labels, by the propensity of Jain et al. (2016; PAPERS §8): 1 / p_l grows as a label gets rarer.

In training a positive of label l costs (1 / p_l)^a times as much; in ranking its score is multiplied by (1 / p_l)^b.
Both are measured against what is fixed of them, so that one stays what it was: the most frequent label in training,
the rarest in ranking.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.checks import Real
from ramify.evaluation import inverse_propensities
from ramify.values import CSR, Float32, Int32

TAIL_POWER = Real(0, 10)
"""Of the powers a and b."""


def costs_by_rarity(Y: CSR, power: float) -> CSR:
    """Y, shape (n, L), with what each positive costs: 1 for the most frequent label, more for rarer ones."""
    weight = inverse_propensities(Y) ** power
    factor = (weight / weight.min()).astype(np.float32)
    return sp.csr_matrix((Y.data * factor[Y.indices], Y.indices, Y.indptr), shape=Y.shape)


def favour_by_rarity(Y: CSR, power: float) -> Float32:
    """What is added to each label's log score, shape (L,): 0 for the rarest, less for more frequent ones."""
    weight = power * np.log(inverse_propensities(Y))
    return np.asarray(np.minimum(weight - weight.max(), 0), np.float32)


def reranked(labels: Int32, scores: Float32, favour: Float32, k: int) -> tuple[Int32, Float32]:
    """The k best of ranked candidates, shape (n, c), by scores of 0 and more times ``favour``, shape (L,).

    Equals keep their order; -1 with -inf, which fills up, stays last.
    """
    factors = np.where(labels < 0, np.float32(1), favour[labels])
    favoured = scores * factors
    best = np.argsort(-favoured, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(labels, best, axis=1), np.take_along_axis(favoured, best, axis=1)
