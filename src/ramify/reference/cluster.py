"""NumPy twins of ``kernels.cluster``, with the same initial rows and tie rules, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.kernels.cluster import CutPlan, KMeansConfig
from ramify.values import Bool, Float64, Hybrid, Int32

_MASK = 2**64 - 1


def mix(value: int) -> int:
    """The finaliser of SplitMix64."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def mix_seed(seed: int, begin: int, end: int) -> int:
    """The seed of a tree node, from its position."""
    return mix((mix((mix(seed) + begin) & _MASK) + end) & _MASK)


class Random:
    """SplitMix64."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        return mix(self.state) % bound


def balanced_order(Z: Any, plan: CutPlan, config: KMeansConfig) -> Int32:
    """Labels by position: every cut of the plan by ``bisect``; a dense array has no sketch."""
    dense = np.asarray(Z.toarray() if hasattr(Z, "toarray") else Z, np.float64)
    n_sparse = Z.n_sparse if isinstance(Z, Hybrid) else dense.shape[1] if hasattr(Z, "toarray") else 0
    sketch = _sketch(dense, n_sparse, config.sketch)
    order = np.arange(plan.n_labels, dtype=np.int32)
    pending = [(0, 0, plan.n_labels)] if len(plan.middles) else []
    while pending:
        cut, begin, end = pending.pop()
        middle = int(plan.middles[cut])
        labels = order[begin:end]
        seed = mix_seed(config.seed, begin, end)
        if sketch is None:
            left = bisect(dense[labels], middle - begin, config, seed)
        else:
            left = bisect(sketch[labels], middle - begin, config, seed)
            left = _refine(dense[labels], left, config, config.refinements)
        order[begin:end] = np.concatenate([labels[left], labels[~left]])
        for child, first, last in ((plan.lefts[cut], begin, middle), (plan.rights[cut], middle, end)):
            if child >= 0:
                pending.append((int(child), first, last))
    return order


def _sketch(dense: Float64, n_sparse: int, keep: int) -> Float64 | None:
    """The largest sparse entries of each row and its dense ones, if that removes half of all sparse entries."""
    lengths = (dense[:, :n_sparse] != 0).sum(axis=1)
    if keep == 0 or lengths.sum() == 0 or 2 * np.minimum(lengths, keep).sum() > lengths.sum():
        return None
    sketch = dense.copy()
    for row in sketch[:, :n_sparse]:
        row[np.lexsort((np.arange(len(row)), -np.abs(row)))[keep:]] = 0
    return sketch


def bisect(Z: Float64, left_size: int, config: KMeansConfig, seed: int) -> Bool:
    """2-means with sides of fixed size: True for the ``left_size`` rows that go left."""
    random = Random(seed)
    first = random.below(len(Z))
    second = random.below(len(Z) - 1)
    second += second >= first
    left = _largest(Z @ (Z[first] - Z[second]), left_size)
    return _refine(Z, left, config, config.iterations - 1)


def _refine(Z: Float64, left: Bool, config: KMeansConfig, assignments: int) -> Bool:
    for _ in range(assignments):
        before = left
        direction = _centroid(Z[left], config.spherical) - _centroid(Z[~left], config.spherical)
        left = _largest(Z @ direction, int(before.sum()))
        if (left != before).sum() <= config.tolerance * len(Z):
            break
    return left


def _largest(values: Float64, count: int) -> Bool:
    """True for the ``count`` largest, ties by the lower row."""
    chosen = np.zeros(len(values), bool)
    chosen[np.lexsort((np.arange(len(values)), -values))[:count]] = True
    return chosen


def _centroid(rows: Float64, spherical: bool) -> Float64:
    total: Float64 = rows.sum(axis=0)
    if not spherical:
        return total / max(len(rows), 1)
    length = float(np.linalg.norm(total))
    return total / length if length > 0 else total


def nearest(Z: Any, k: int) -> tuple[Int32, Float64]:
    """The k largest positive dot products of every row with the others."""
    dense = Z.toarray().astype(np.float64)
    products = dense @ dense.T
    np.fill_diagonal(products, 0)
    neighbours = np.full((len(dense), k), -1, np.int32)
    best = np.zeros((len(dense), k))
    for row, values in enumerate(products):
        chosen = np.lexsort((np.arange(len(values)), -values))[:k]
        chosen = chosen[values[chosen] > 0]
        neighbours[row, : len(chosen)] = chosen
        best[row, : len(chosen)] = values[chosen]
    return neighbours, best
