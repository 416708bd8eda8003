"""Gradient-boosted trees that estimate the probability that a candidate is a label of its text.

scikit-learn trains them (Friedman: Greedy function approximation: a gradient boosting machine. Annals of Statistics 29,
2001; histograms as in Ke et al.: LightGBM, NeurIPS 2017); ``TreeSum`` evaluates them, with equal results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.kernels.tree_sums import TreeSum
from ramify.values import Float32, Float64

LEARNING_RATE = 0.1
MOST_LEAVES = 16
FEWEST_SAMPLES = 20
"""Candidates in a leaf."""


def fit_trees(rows: Float32, positive: Any, *, n_trees: int, seed: int) -> TreeSum:
    """Train on candidates.

    Parameters
    ----------
    rows : float32 array, shape (n, features)
        Features of the candidates.
    positive : bool array, shape (n,)
        Candidates that are labels of their text.
    n_trees : int
        Number of trees.
    seed : int
        Random seed.

    Returns
    -------
    TreeSum
        Log-odds; constant where no or every candidate is positive, or there are too few of them to split.
    """
    n_positive = int(np.count_nonzero(positive))
    if n_positive in (0, len(positive)) or len(positive) < 2 * FEWEST_SAMPLES:
        rate = (n_positive + 0.5) / (len(positive) + 1)
        return _packed([], float(np.log(rate / (1 - rate))), rows.shape[1])
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    booster = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE,
        max_iter=n_trees,
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=FEWEST_SAMPLES,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(
        1
    ):  # threads of OpenMP wait for each other in busy loops: slower on a machine with other work
        booster.fit(rows, positive)
    trees = [stage[0].nodes for stage in booster._predictors]  # the nodes have no public name
    return _packed(trees, float(np.ravel(booster._baseline_prediction)[0]), rows.shape[1])


def _packed(trees: list[Any], baseline: float, n_features: int) -> TreeSum:
    sizes = np.array([len(nodes) for nodes in trees], np.int64)
    roots = np.cumsum(sizes) - sizes
    nodes = np.concatenate(trees) if trees else None
    if nodes is None:
        empty: Any = {name: np.zeros(0, dtype) for name, dtype in TreeSum.TYPES.items()}
        return TreeSum(**empty, baseline=baseline, n_features=n_features)
    leaf, shift = nodes["is_leaf"].astype(bool), np.repeat(roots, sizes)
    children = {side: np.where(leaf, 0, nodes[side] + shift).astype(np.int32) for side in ("left", "right")}
    return TreeSum(
        roots=roots.astype(np.int32),
        features=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        thresholds=np.where(leaf, 0.0, nodes["num_threshold"]),
        values=np.where(leaf, nodes["value"], 0.0),
        baseline=baseline,
        n_features=n_features,
        **children,
    )


def probabilities(log_odds: Float64) -> Float32:
    """Scores above 0 and at most 1."""
    rates = 1 / (1 + np.exp(-np.clip(log_odds, -80, 80)))
    return rates.astype(np.float32)
