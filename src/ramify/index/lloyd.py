"""Unbalanced clusters by recursive k-means (Bonsai; docs/papers.md): clusters may have any size.

Every cluster of more than ``max_leaf`` labels is split again, into at most ``branching`` parts. Branches end at
different depths; short ones are extended by nodes with a single child, so that all leaves are on one level. k-means
often separates a few labels from a large rest on every level; clusters that are still too large on the last level are
therefore cut into parts of equal size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.index.shape import ClusterShape, cut_plan, even_bounds
from ramify.kernels.cluster import KMeansConfig, balanced_order, lloyd_ranges
from ramify.values import Int32, Int64


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """Conditions and number of parts of a split: see ``KMeansIndexer``."""

    branching: int
    max_leaf: int
    max_depth: int

    def clusters(self, sizes: Int64) -> Int32:
        """Number of parts of ranges of these sizes: the number of full leaf clusters, at most ``branching``."""
        return np.minimum(-(-sizes // self.max_leaf), self.branching).astype(np.int32)


def unbalanced_shape(Z: Any, rule: SplitRule, config: KMeansConfig, threads: int | None) -> tuple[ClusterShape, Int32]:
    """Split level by level.

    Returns
    -------
    shape : ClusterShape
        Levels of clusters over positions.
    order : int32 array, length L
        The row of Z at each position.
    """
    order = np.arange(Z.shape[0], dtype=np.int32)
    bounds = np.array([0, Z.shape[0]])
    starts: list[Int64] = []
    while len(starts) < rule.max_depth:
        large = np.flatnonzero(np.diff(bounds) > rule.max_leaf)
        if len(large) == 0:
            break
        ranges = np.stack([bounds[large], bounds[large + 1]], axis=1)
        split = _cut_evenly if len(starts) + 1 == rule.max_depth else _split
        inner = split(Z, order, ranges, rule, config, threads)
        bounds = np.unique(np.concatenate([bounds, *inner]))
        starts.append(bounds)
    return ClusterShape(tuple(starts), len(order)), order


def _split(
    Z: Any, order: Int32, ranges: Int64, rule: SplitRule, config: KMeansConfig, threads: int | None
) -> list[Int64]:
    """Cluster every range by k-means, reorder its labels in place, return the new bounds."""
    wanted = rule.clusters(ranges[:, 1] - ranges[:, 0])
    assignment = lloyd_ranges(Z, order, ranges, wanted, config, threads=threads)
    inner: list[Int64] = []
    for (begin, end), n_clusters in zip(ranges.tolist(), wanted.tolist(), strict=True):
        clusters = _settle(assignment[begin:end], n_clusters)
        order[begin:end] = order[begin:end][np.argsort(clusters, kind="stable")]
        inner.append(begin + np.cumsum(np.bincount(clusters)))
    return inner


def _settle(clusters: Int32, n_clusters: int) -> Int32:
    """Assign every label to a cluster, with at least two clusters.

    Labels whose dot product with every centroid is 0 are added to the smallest cluster. If all labels are in one
    cluster, they are cut into equal parts by their ids.
    """
    sizes = np.bincount(clusters[clusters >= 0], minlength=n_clusters)
    settled = np.where(clusters < 0, sizes.argmin(), clusters)
    if settled.min() < settled.max():
        return settled.astype(np.int32)
    bounds = even_bounds(len(clusters), n_clusters)
    return np.repeat(np.arange(n_clusters, dtype=np.int32), np.diff(bounds))


def _cut_evenly(
    Z: Any, order: Int32, ranges: Int64, rule: SplitRule, config: KMeansConfig, threads: int | None
) -> list[Int64]:
    """Cut every range into the smallest number of equal parts with at most ``max_leaf`` labels."""
    inner: list[Int64] = []
    for begin, end in ranges.tolist():
        bounds = even_bounds(end - begin, -(-(end - begin) // rule.max_leaf))
        plan = cut_plan(ClusterShape((bounds,), end - begin))
        labels = order[begin:end]
        order[begin:end] = labels[balanced_order(Z[labels], plan, config, threads=threads)]
        inner.append(begin + bounds)
    return inner
