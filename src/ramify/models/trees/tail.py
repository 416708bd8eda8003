"""Weights by inverse propensity, larger for rarer labels (Jain et al., KDD 2016; docs/papers.md, Propensities).

In training, the cost of a positive of label l is multiplied by (1 / p_l)^a; in ranking, its score by (1 / p_l)^b.
Weights are normalised so that the most frequent label keeps cost 1 and the rarest label keeps score factor 1.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.checks import Real
from ramify.evaluation import inverse_propensities
from ramify.values import CSR, Float32, Int32

TAIL_POWER = Real(0, 10)
"""Range of the exponents a and b."""


def costs_by_rarity(Y: CSR, power: float) -> CSR:
    """Cost of each positive, shape (n, L): 1 for the most frequent label, larger for rarer labels."""
    weight = inverse_propensities(Y) ** power
    factor = (weight / weight.min()).astype(np.float32)
    return sp.csr_matrix((Y.data * factor[Y.indices], Y.indices, Y.indptr), shape=Y.shape)


def log_bias_by_rarity(Y: CSR, power: float) -> Float32:
    """Terms to add to the labels' log scores, shape (L,): 0 for the rarest label, negative for others."""
    weight = power * np.log(inverse_propensities(Y))
    return np.asarray(np.minimum(weight - weight.max(), 0), np.float32)


def reranked(labels: Int32, scores: Float32, bias: Float32, k: int) -> tuple[Int32, Float32]:
    """The k best of ranked candidates, shape (n, c), by score times ``bias``, shape (L,); scores are at least 0.

    Equal scores keep their order; filled entries (label -1, score -inf) stay last.
    """
    factors = np.where(labels < 0, np.float32(1), bias[labels])
    biased = scores * factors
    best = np.argsort(-biased, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(labels, best, axis=1), np.take_along_axis(biased, best, axis=1)
