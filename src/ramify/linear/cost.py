"""The choice of C: classifiers of a sample, a parabola through their quality on held-out instances.

q(x)    = nDCG, in percent, on the held-out half of the sample, of one-vs-rest classifiers with C = 2^x
          x = -1 and 1, then -2 if q(-1) is the larger, otherwise 2
q(x)    ≈ q(0) + b·x + a·x²         (b, a) ~ N(PRIOR, SPREAD²): Bayesian linear regression on the paired differences
                                    between the q, with their covariance over the held-out instances
C       = 2^(-b / 2a) · (instances / instances of the trained half)^GROWTH

The best C of a data set depends on its features, on the noise of its labels and on the number of instances. It hardly
depends on the number of labels, so the most frequent labels of a sample suffice (docs/presets.md has the figures). With
few instances the differences are uncertain, and C stays close to that of the prior, 0.8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from ramify.kernels.predict import SearchConfig, Searcher, pack
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.linear.negatives import everything
from ramify.values import CSR, Float64, LabelTree
from ramify.weights import Blocks

SHARE, FEWEST, MOST = 2, 1_000, 8_000
"""The sample has half of the instances with a frequent label, within these limits; half of them are held out."""

GROWTH = -0.35
"""The best C changes with this power of the number of training instances."""

LABELS = 64
"""Maximum number of labels: the most frequent ones."""

SMALLEST, LARGEST = 0.25, 4.0
RANKED = 10
PRIOR, SPREAD = (-0.2, -0.3), (0.3, 0.1)
"""Means and standard deviations of b and a, in percent of nDCG; from the data sets of docs/presets.md."""


def chosen_cost(X: CSR, Y: CSR, solver: SolverConfig, *, seed: int = 0, threads: int = 1) -> float:
    """C of positive and negative instances.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Features.
    Y : csr_matrix, shape (n, L)
        0/1 label assignments.
    solver : SolverConfig
        Settings of the classifiers; its costs are not used.
    seed : int, default 0
        Seed of the sample.
    threads : int, default 1
        The result is the same for any number.

    Returns
    -------
    float
        1/4 to 4; 1 if the sample has fewer than two instances.
    """
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    labels = np.sort(np.argsort(-counts, kind="stable")[:LABELS])
    frequent = sp.csr_matrix(Y[:, labels])
    instances = np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(frequent.indptr)))
    sample = instances[: int(np.clip(len(instances) // SHARE, FEWEST, MOST))]
    if len(sample) < 2:
        return 1.0
    halves = [(X[rows], sp.csr_matrix(frequent[rows])) for rows in np.array_split(sample, 2)]

    def quality(x: float) -> Float64:
        costs = replace(solver, cost_positive=2.0**x, cost_negative=2.0**x)
        return 100 * _held_out_ndcg(*halves[0], *halves[1], costs, seed, threads)

    tried = {x: quality(x) for x in (-1.0, 1.0)}
    beyond = 2.0 if tried[1.0].mean() > tried[-1.0].mean() else -2.0
    tried[beyond] = quality(beyond)
    growth = len(instances) / halves[0][0].shape[0]
    return float(np.clip(2.0 ** _best_exponent(tried) * growth**GROWTH, SMALLEST, LARGEST))


def _best_exponent(tried: dict[float, Float64]) -> float:
    """Exponent x of the maximum of the parabola, -2 to 2, from the quality of each instance at three x."""
    first, *others = sorted(tried)
    differences = np.stack([tried[x] - tried[first] for x in others])
    design = np.array([[x - first, x**2 - first**2] for x in others])
    n = differences.shape[1]
    noise = np.cov(differences) / n if n > 1 else np.zeros((2, 2))
    weight = _inverse(noise + 1e-4 * np.eye(2))
    prior = np.diag(1 / np.square(SPREAD))
    precision = design.T @ weight @ design + prior
    b, a = _inverse(precision) @ (design.T @ weight @ differences.mean(axis=1) + prior @ PRIOR)
    return float(np.clip(-b / (2 * a), -2, 2)) if a < 0 else float(2 * np.sign(b))


def _inverse(matrix: Float64) -> Float64:
    """The inverse of a 2 × 2 matrix, in closed form: a call of LAPACK would load 0.4 MB of its code."""
    (p, q), (r, s) = matrix
    inverse: Float64 = np.array([[s, -q], [-r, p]]) / (p * s - q * r)
    return inverse


def _held_out_ndcg(X: CSR, Y: CSR, X_held: CSR, Y_held: CSR, solver: SolverConfig, seed: int, threads: int) -> Float64:
    """The nDCG of each held-out instance for one-vs-rest classifiers that were trained on X and Y."""
    n_labels = Y.shape[1]
    flat = LabelTree.flat(np.arange(n_labels, dtype=np.int32), n_labels)
    problem = LevelProblem(Blocks.of(flat, 0), everything(X.shape[0]), sp.csr_matrix(Y.T))
    (weights,) = train(X, [problem], solver, seed=seed, threads=threads)
    k = min(RANKED, n_labels)
    found, _ = Searcher(flat, [pack(weights)]).search(X_held, k, SearchConfig(), threads=threads)
    hits = np.take_along_axis(Y_held.toarray() > 0, found, axis=1)
    gains = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)[np.minimum(np.diff(Y_held.indptr), k) - 1]
    return np.asarray((hits * gains).sum(axis=1) / ideal)
