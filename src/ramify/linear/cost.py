"""The choice of C, and of the weight of a dense block: classifiers of a sample, a parabola through their quality.

q(x)    = nDCG, in percent, on the held-out half of the sample, of one-vs-rest classifiers with C = 2^x
          x = -1 and 1, then -2 if q(-1) is the larger, otherwise 2
q(x)    ≈ q(0) + b·x + a·x²         (b, a) ~ N(mean, spread²): Bayesian linear regression on the paired differences
                                    between the q, with their covariance over the held-out instances
C       = 2^(-b / 2a) · (instances / instances of the trained half)^GROWTH

The best C of a data set depends on its features, on the noise of its labels and on the number of instances. It hardly
depends on the number of labels, so the most frequent labels of a sample suffice (docs/presets.md has the figures). With
few instances the differences are uncertain, and C stays close to that of the prior, 0.8.

The weight w = 2^x of a dense block relative to the sparse one is chosen before C, in the same way, with C = 1 and its
own prior, and multiplied by RARE. C does not change with the number of instances then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import scipy.sparse as sp

from ramify.kernels.pack import pack
from ramify.kernels.predict import SearchConfig, Searcher
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.linear.negatives import everything
from ramify.values import CSR, Features, Float64, Hybrid, LabelTree
from ramify.weights import Blocks

SHARE, FEWEST, MOST = 2, 1_000, 8_000
"""The sample has half of the instances with a frequent label, within these limits; half of them are held out."""

GROWTH = -0.35
"""The best C changes with this power of the number of training instances; not with a dense block."""

LABELS = 64
"""Maximum number of labels: the most frequent ones."""

SMALLEST, LARGEST = 0.25, 4.0
RANKED = 10


@dataclass(frozen=True)
class Prior:
    """Normal distributions of b and a in q(x) ≈ q(0) + b·x + a·x², in percent of nDCG."""

    mean: tuple[float, float]
    spread: tuple[float, float]


SMALLEST_TRIED, USELESS = -2.0, -4.0
"""Smallest exponent of the parabola, and that of a dense block which adds nothing to the sparse one."""

LEAST_GAIN = 0.25
"""In percent of nDCG: what the smallest weight must gain over almost none."""

COST_PRIOR = Prior((-0.2, -0.3), (0.3, 0.1))
"""From the data sets of docs/presets.md: C = 0.8."""

RARE = 1.6
"""Best weight of a dense block divided by that for the frequent labels of a sample: rare labels gain more from it.

Measured with MiniLM embeddings on gutenberg-lcsh and crs-bills-mini.
"""

WEIGHT_PRIOR = Prior((-0.5, -0.5), (0.5, 0.2))
"""Weight of a dense block: 0.7 before RARE."""


def chosen_cost(X: Features, Y: CSR, solver: SolverConfig, *, seed: int = 0, threads: int = 1) -> float:
    """C of positive and negative instances.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
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
    sample = _Sample.of(X, Y, seed)
    if sample is None:
        return 1.0
    best = _best_exponent(lambda x: sample.quality(2.0**x, solver, seed, threads), COST_PRIOR)
    growth = 1.0 if isinstance(X, Hybrid) else sample.n_instances / sample.X.shape[0]
    return float(np.clip(2.0**best * growth**GROWTH, SMALLEST, LARGEST))


def chosen_dense_weight(X: Hybrid, Y: CSR, solver: SolverConfig, *, seed: int = 0, threads: int = 1) -> float:
    """Weight of the dense block relative to the sparse one, for blocks with rows of length 1.

    X, Y, solver, seed, threads are as in ``chosen_cost``.

    Returns
    -------
    float
        0.1 to 4; 1 if the sample has fewer than two instances, or the sparse block has no entries.
    """
    sample = _Sample.of(X, Y, seed) if X.sparse.nnz else None
    if sample is None:
        return 1.0

    @cache
    def quality(x: float) -> Float64:
        return sample.weighted(2.0**x).quality(1.0, solver, seed, threads)

    best = _best_exponent(quality, WEIGHT_PRIOR)
    if best == SMALLEST_TRIED and quality(SMALLEST_TRIED).mean() < quality(USELESS).mean() + LEAST_GAIN:
        best = USELESS
    return float(min(RARE * 2.0**best, LARGEST))


@dataclass(frozen=True)
class _Sample:
    """Instances with a frequent label: one half to train on, the other one held out.

    Parameters
    ----------
    X, X_held : csr_matrix or Hybrid
        Features.
    Y, Y_held : csr_matrix
        The frequent labels.
    n_instances : int
        Number of instances with a frequent label in all data.
    """

    X: Features
    Y: CSR
    X_held: Features
    Y_held: CSR
    n_instances: int

    @classmethod
    def of(cls, X: Features, Y: CSR, seed: int) -> _Sample | None:
        """A sample of the data; None if it has fewer than two instances."""
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
        labels = np.sort(np.argsort(-counts, kind="stable")[:LABELS])
        frequent = sp.csr_matrix(Y[:, labels])
        instances = np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(frequent.indptr)))
        rows = instances[: int(np.clip(len(instances) // SHARE, FEWEST, MOST))]
        if len(rows) < 2:
            return None
        train, held = np.array_split(rows, 2)
        parts = (X[train], sp.csr_matrix(frequent[train]), X[held], sp.csr_matrix(frequent[held]))
        return cls(*parts, len(instances))

    def weighted(self, weight: float) -> _Sample:
        """The sample with a weight of the dense block."""
        X, X_held = (rows.weighted(weight) if isinstance(rows, Hybrid) else rows for rows in (self.X, self.X_held))
        return replace(self, X=X, X_held=X_held)

    def quality(self, cost: float, solver: SolverConfig, seed: int, threads: int) -> Float64:
        """The nDCG of each held-out instance for one-vs-rest classifiers of the other half, in percent."""
        solver = replace(solver, cost_positive=cost, cost_negative=cost)
        n_labels = self.Y.shape[1]
        flat = LabelTree.flat(np.arange(n_labels, dtype=np.int32), n_labels)
        problem = LevelProblem(Blocks.of(flat, 0), everything(self.X.shape[0]), sp.csr_matrix(self.Y.T))
        (weights,) = train(self.X, [problem], solver, seed=seed, threads=threads)
        k = min(RANKED, n_labels)
        found, _ = Searcher(flat, [pack(weights)]).search(self.X_held, k, SearchConfig(), threads=threads)
        hits = np.take_along_axis(self.Y_held.toarray() > 0, found, axis=1)
        gains = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(gains)[np.minimum(np.diff(self.Y_held.indptr), k) - 1]
        return np.asarray(100 * (hits * gains).sum(axis=1) / ideal)


def _best_exponent(quality: Callable[[float], Float64], prior: Prior) -> float:
    """Exponent x of the maximum of the parabola, -2 to 2; ``quality`` of each instance is computed at three x."""
    tried = {x: quality(x) for x in (-1.0, 1.0)}
    beyond = 2.0 if tried[1.0].mean() > tried[-1.0].mean() else -2.0
    tried[beyond] = quality(beyond)
    return _peak(tried, prior)


def _peak(tried: dict[float, Float64], prior: Prior = COST_PRIOR) -> float:
    """Exponent of the maximum of the parabola from the quality of each instance at three exponents."""
    first, *others = sorted(tried)
    differences = np.stack([tried[x] - tried[first] for x in others])
    design = np.array([[x - first, x**2 - first**2] for x in others])
    n = differences.shape[1]
    noise = np.cov(differences) / n if n > 1 else np.zeros((2, 2))
    weight = _inverse(noise + 1e-4 * np.eye(2))
    known = np.diag(1 / np.square(prior.spread))
    precision = design.T @ weight @ design + known
    b, a = _inverse(precision) @ (design.T @ weight @ differences.mean(axis=1) + known @ prior.mean)
    return float(np.clip(-b / (2 * a), -2, 2)) if a < 0 else float(2 * np.sign(b))


def _inverse(matrix: Float64) -> Float64:
    """The inverse of a 2 × 2 matrix, in closed form: a call of LAPACK would load 0.4 MB of its code."""
    (p, q), (r, s) = matrix
    inverse: Float64 = np.array([[s, -q], [-r, p]]) / (p * s - q * r)
    return inverse
