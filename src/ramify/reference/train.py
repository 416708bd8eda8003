"""NumPy twin of ``kernels.train``: every node separately, in float64, to the optimum.

The hinge losses are solved in the dual, a box-constrained quadratic programme; the logistic loss in the primal:

    min ½‖w‖² + ½b² + Σ Cᵢ·loss(yᵢ(w·xᵢ + b))        the intercept is the weight of a feature that is always 1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear

from ramify.kernels.train import LevelProblem, SolverConfig
from ramify.values import Features, Float64, Hybrid
from ramify.weights import Blocks, LevelWeights


def train(
    X: Features, problems: Sequence[LevelProblem], config: SolverConfig, *, instance_weights: Any = None
) -> list[LevelWeights]:
    """Train every node of every given level; see ``kernels.train.train``."""
    dense = np.hstack([X.toarray().astype(np.float64), np.ones((X.shape[0], 1))])
    weights = np.ones(X.shape[0]) if instance_weights is None else np.asarray(instance_weights, np.float64)
    n_dense = X.n_dense if isinstance(X, Hybrid) else 0
    return [_train_level(dense, n_dense, problem, config, weights) for problem in problems]


def _train_level(
    X: Float64, n_dense: int, problem: LevelProblem, config: SolverConfig, weights: Float64
) -> LevelWeights:
    n_nodes = problem.positives.shape[0]
    W = np.zeros((X.shape[1], n_nodes))
    for node in range(n_nodes):
        rows, signs, costs = node_problem(problem, node, config, weights)
        W[:, node] = solve(X[rows], signs, costs, config.loss)
    n_sparse = len(W) - 1 - n_dense
    kept = prune(W[:n_sparse], config.threshold, config.max_weights)
    return level_weights(kept, W[-1], problem.blocks, W[n_sparse:-1].T if n_dense else None)


def node_problem(
    problem: LevelProblem, node: int, config: SolverConfig, weights: Float64
) -> tuple[Any, Float64, Float64]:
    """Rows that one node trains on, their signs and their costs."""
    block = int(np.searchsorted(problem.blocks.begin, node, side="right")) - 1
    parent = problem.rows[int(problem.blocks.parent[block])]
    own = problem.positives[node]
    relevance = dict(zip(own.indices.tolist(), own.data.tolist(), strict=True))
    here = dict(zip(parent.indices.tolist(), parent.data.tolist(), strict=True))
    rows = [row for row, factor in here.items() if (factor != 0 or row in relevance) and weights[row] > 0]
    signs = np.array([1.0 if row in relevance else -1.0 for row in rows])
    factors = np.array([relevance.get(row, 1.0) * (here[row] or 1.0) for row in rows])
    costs = np.where(signs > 0, config.cost_positive, config.cost_negative) * factors * weights[rows]
    return rows, signs, costs


def objective(w: Float64, X: Float64, signs: Float64, costs: Float64, loss: str) -> float:
    """The objective of training; the last column of X is all 1, the last weight is the intercept."""
    margins = signs * (X @ w)
    if loss == "logistic":
        each = np.logaddexp(0.0, -margins)
    else:
        each = np.maximum(0.0, 1.0 - margins) ** (2 if loss == "squared-hinge" else 1)
    return float(0.5 * w @ w + costs @ each)


def solve(X: Float64, signs: Float64, costs: Float64, loss: str) -> Float64:
    """The optimal weights of one node, the intercept last."""
    if len(signs) == 0:
        return np.zeros(X.shape[1])
    signed = X * signs[:, None]
    if loss == "logistic":
        return _solve_logistic(signed, costs)
    if loss == "squared-hinge":
        extra, upper = 0.5 / costs, np.full(len(costs), np.inf)
    else:
        extra, upper = np.zeros(len(costs)), costs
    return np.asarray(signed.T @ _solve_dual(signed @ signed.T + np.diag(extra), upper))


def _solve_dual(Q: Float64, upper: Float64) -> Float64:
    """Minimise ½aᵀQa - Σa with 0 ≤ a ≤ upper: an active set method, then coordinate descent to the last digits."""
    root = np.linalg.cholesky(Q + np.diag(np.full(len(Q), 1e-8)))
    # With Q = LLᵀ that is ½‖Lᵀa - L⁻¹1‖² up to a constant: least squares within bounds.
    goal = np.linalg.solve(root, np.ones(len(Q)))
    a: Float64 = np.clip(lsq_linear(root.T, goal, (0.0, upper), method="bvls", tol=1e-14).x, 0.0, upper)
    for _ in range(3000):
        before = a.copy()
        for i, row in enumerate(Q):
            a[i] = min(max(a[i] - (row @ a - 1.0) / row[i], 0.0), upper[i])
        if np.abs(a - before).max() < 1e-8:
            break
    return a


def _solve_logistic(signed: Float64, costs: Float64) -> Float64:
    """Newton's method with step halving on the primal, which is smooth and strongly convex."""
    w = np.zeros(signed.shape[1])
    ones = np.ones(len(signed))
    for _ in range(100):
        wrong = np.exp(-np.logaddexp(0.0, signed @ w))  # probability of the other class
        slope = w - signed.T @ (costs * wrong)
        if np.abs(slope).max() < 1e-10:
            break
        curve = np.eye(len(w)) + signed.T @ (signed * (costs * wrong * (1 - wrong))[:, None])
        step = np.linalg.solve(curve, slope)
        now = objective(w, signed, ones, costs, "logistic")
        size = 1.0
        while size > 1e-6 and objective(w - size * step, signed, ones, costs, "logistic") > now:
            size /= 2
        w = w - size * step
    return w


def prune(W: Float64, threshold: float, max_weights: int) -> Float64:
    """Keep weights of at least the threshold in absolute value, and per column the largest ``max_weights`` (0: all)."""
    kept = np.where(np.abs(W) >= threshold, W, 0.0)
    if max_weights == 0:
        return kept
    rank = np.argsort(np.argsort(-np.abs(kept), axis=0, kind="stable"), axis=0)
    return np.where(rank < max_weights, kept, 0.0)


def level_weights(W: Any, bias: Any, blocks: Blocks, dense: Any = None) -> LevelWeights:
    """The layout of ``LevelWeights`` for arrays: weights, shape (d, nodes), and those of a dense block, (nodes, m)."""
    W = np.asarray(W, np.float32)
    block_rows, row_entries = [0], [0]
    features, children, values = [], [], []
    for begin, end in zip(blocks.begin[:-1], blocks.begin[1:], strict=True):
        for feature in np.flatnonzero((W[:, begin:end] != 0).any(axis=1)):
            used = np.flatnonzero(W[feature, begin:end])
            features.append(feature)
            children += used.tolist()
            values += W[feature, begin + used].tolist()
            row_entries.append(len(children))
        block_rows.append(len(features))
    return LevelWeights(
        blocks=blocks,
        n_features=len(W) + (0 if dense is None else dense.shape[1]),
        block_rows=np.array(block_rows, np.int64),
        features=np.array(features, np.int32),
        row_entries=np.array(row_entries, np.int64),
        children=np.array(children, np.uint8),
        values=np.array(values, np.float32),
        bias=np.asarray(bias, np.float32),
        dense=None if dense is None else np.ascontiguousarray(dense, np.float32),
    )
