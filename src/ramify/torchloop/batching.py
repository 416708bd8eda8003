"""Random batches of row numbers; every instance is in exactly one batch of an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.values import Int64

POOL = 16
"""Batches per pool; instances are sorted by cost within a pool, which reduces padding and keeps batches random."""


def random_batches(n: int, size: int, rng: np.random.Generator) -> list[Int64]:
    """The numbers 0..n-1 in batches of ``size``; the last one may be smaller."""
    order = rng.permutation(n)
    return [order[begin : begin + size] for begin in range(0, n, size)]


def batches_by_cost(costs: Any, size: int, rng: np.random.Generator) -> list[Int64]:
    """Batches of instances of similar cost.

    Parameters
    ----------
    costs : array, shape (n,)
        Cost of each instance, for instance its number of tokens or labels.
    size : int
        Instances per batch.
    rng : Generator
    """
    costs = np.asarray(costs)
    batches = []
    for drawn in random_batches(len(costs), size * POOL, rng):
        pool = drawn[np.argsort(costs[drawn], kind="stable")]
        batches += [pool[start : start + size] for start in range(0, len(pool), size)]
    return [batches[place] for place in rng.permutation(len(batches))]
