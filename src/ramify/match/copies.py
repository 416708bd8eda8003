"""Merges the scores of a label's leaves outside the beam search, which does the same natively (``cpp/copies.hpp``)."""

from __future__ import annotations

import numpy as np

from ramify.kernels.predict import SearchConfig
from ramify.values import Float32, Int64


def merged_scores(scores: Float32, pair: Int64, n_pairs: int, config: SearchConfig) -> Float32:
    """The score of every (instance, label) pair from those of the label's leaves.

    Parameters
    ----------
    scores : float32 array, shape (leaves asked for,)
        Score of each leaf.
    pair : int64 array, same shape
        The pair that it belongs to, ascending.
    n_pairs : int
        Pairs; one without a leaf gets -inf.
    config : SearchConfig
        ``copies`` is the rule; scores are logarithms where the transform says so.
    """
    best = np.full(n_pairs, -np.inf, np.float32)
    np.maximum.at(best, pair, scores)
    copies = np.bincount(pair, minlength=n_pairs).astype(np.float64)
    if config.copies == "max" or not (copies > 1).any():
        return best
    logs = config.transform.startswith("log-")
    top = np.where(np.isfinite(best), best, 0.0) if logs else np.zeros(n_pairs)
    shares = np.exp(scores - top[pair]) if logs else scores
    total = np.bincount(pair, weights=shares, minlength=n_pairs).astype(np.float64)
    if config.copies == "mean":
        total = total / np.maximum(copies, 1)
    with np.errstate(divide="ignore"):
        merged = top + np.log(total) if logs else total
    return np.where(copies > 1, merged, best).astype(np.float32)
