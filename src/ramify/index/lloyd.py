"""Unbalanced clusters by recursive k-means (Bonsai): a cluster is as large as its labels are alike.

Every cluster of more than ``max_leaf`` labels is split again, into at most ``branching`` parts. Branches end at
different depths; the short ones are carried down by nodes with a single child, so that all leaves stand on one level.
k-means likes to peel a few labels off a large rest, level after level; so the last level cuts what is still too large
into parts of equal size.
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
    """When a cluster is split, and into how many: see ``KMeansIndexer``."""

    branching: int
    max_leaf: int
    max_depth: int

    def clusters(self, sizes: Int64) -> Int32:
        """Parts for ranges of these sizes: as many as full leaf clusters would need, at most ``branching``."""
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
    """Give every label a cluster, and make sure of at least two.

    Labels near no centroid form the smallest cluster's company; when nothing tells the labels apart, they are cut in
    equal parts by their ids.
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
    """Cut every range into as many equal parts as leaf clusters need."""
    inner: list[Int64] = []
    for begin, end in ranges.tolist():
        bounds = even_bounds(end - begin, -(-(end - begin) // rule.max_leaf))
        plan = cut_plan(ClusterShape((bounds,), end - begin))
        labels = order[begin:end]
        order[begin:end] = labels[balanced_order(Z[labels], plan, config, threads=threads)]
        inner.append(begin + bounds)
    return inner
