"""User-supplied trees, from clusters, from paths, or as a ``LabelTree``.

A path lists the clusters above a leaf, from the top. Short paths are padded by nodes with a single child. Labels
without a path share a separate cluster at the end.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ramify.checks import CheckedWhenMade, Instance, Rules
from ramify.errors import InputError
from ramify.index.shape import ClusterShape
from ramify.values import CSR, Int32, Int64, LabelTree


@dataclass(frozen=True)
class FixedTree(CheckedWhenMade):
    """An indexer that returns a given tree.

    Parameters
    ----------
    tree : LabelTree
        Its label space must be that of the data.
    """

    tree: LabelTree

    RULES: ClassVar[Rules] = {"tree": Instance(LabelTree, "a LabelTree")}

    needs_vectors = False
    """Models need not make label vectors for it."""

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int | None = 1) -> LabelTree:
        """The tree; InputError if Y has another number of labels. Z, seed and threads are not used."""
        if Y.shape[1] != self.tree.n_labels:
            raise InputError(f"the tree is for {self.tree.n_labels} labels, but Y has {Y.shape[1]} columns")
        return self.tree


def tree_from_assignment(cluster_of_label: Sequence[int] | Int32 | Int64) -> LabelTree:
    """One level of clusters, from the cluster number of each label.

    Parameters
    ----------
    cluster_of_label : sequence of int, length L
        Numbers from 0; numbers without a label are skipped, labels with -1 are in no cluster.

    Raises
    ------
    InputError
        Not whole numbers, below -1, or no label in any cluster.
    """
    clusters = np.asarray(cluster_of_label)
    if clusters.ndim != 1 or clusters.dtype.kind not in "iu" or (clusters.size and clusters.min() < -1):
        raise InputError("cluster_of_label must contain one whole number per label, from 0, or -1 for none")
    labels = np.flatnonzero(clusters >= 0)
    if len(labels) == 0:
        raise InputError("no label is in any cluster: give at least one label a cluster number")
    labels = labels[np.argsort(clusters[labels], kind="stable")]
    changes = np.flatnonzero(np.diff(clusters[labels])) + 1
    starts = np.concatenate([[0], changes, [len(labels)]])
    return ClusterShape((starts,), len(labels)).tree(labels.astype(np.int32), len(clusters))


def tree_from_clusters(clusters: Sequence[Sequence[int]], n_labels: int) -> LabelTree:
    """One level of clusters, from the labels of each; a label may be in several.

    Parameters
    ----------
    clusters : sequence of sequences of int
        Label ids; empty clusters are skipped.
    n_labels : int
        Size of the label space.

    Raises
    ------
    InputError
        A label out of range, twice in one cluster, or no label at all.
    """
    for number, cluster in enumerate(clusters):
        if len(set(cluster)) != len(cluster):
            raise InputError(f"cluster {number} has a label twice: keep one")
        if any(not 0 <= label < n_labels for label in cluster):
            raise InputError(f"cluster {number} has labels outside 0..{n_labels - 1}: use ids of the label space")
    filled = [list(cluster) for cluster in clusters if len(cluster)]
    if not filled:
        raise InputError("no label is in any cluster: give at least one cluster with labels")
    starts = np.cumsum([0] + [len(cluster) for cluster in filled])
    labels = np.array([label for cluster in filled for label in cluster], np.int32)
    return ClusterShape((starts,), len(labels)).tree(labels, n_labels)


def tree_from_paths(
    paths: Sequence[Sequence[Hashable]], *, labels: Sequence[int] | None = None, n_labels: int | None = None
) -> LabelTree:
    """A tree from the clusters above each leaf, such as a classification code cut into its parts.

    Parameters
    ----------
    paths : sequence of sequences
        Per leaf the names (or numbers) of its clusters, from the top, of any length. Equal prefixes are one cluster.
        Leaves with empty paths share a separate cluster at the end.
    labels : sequence of int, optional
        The label of each leaf; by default leaf i has label i. A label with several paths occurs several times.
    n_labels : int, optional
        Size of the label space; by default one more than the highest label.

    Returns
    -------
    LabelTree
        Clusters in the order in which they first appear. Levels without a split are left out.

    Raises
    ------
    InputError
        No path, labels and paths of different number, or a label out of range.
    """
    labels = range(len(paths)) if labels is None else labels
    if len(labels) != len(paths) or len(paths) == 0:
        raise InputError(f"{len(paths)} paths and {len(labels)} labels are given: give one path per leaf, at least one")
    n_labels = max(labels) + 1 if n_labels is None else n_labels
    codes = _path_codes(paths)
    order = np.lexsort(codes.T[::-1]) if codes.shape[1] else np.arange(len(paths))
    starts = _level_starts(codes[order])
    return ClusterShape(starts, len(order)).tree(np.asarray(labels)[order].astype(np.int32), n_labels)


def _path_codes(paths: Sequence[Sequence[Hashable]]) -> Int64:
    """One row per leaf: numbers of its clusters, so that sorting keeps siblings in order of appearance.

    Padding repeats the number of the last cluster; leaves with empty paths get the highest number.
    """
    depth = max(len(path) for path in paths)
    codes = np.zeros((len(paths), depth), np.int64)
    numbers: dict[tuple[int, Hashable], int] = {}
    for row, path in zip(codes, paths, strict=True):
        above = 0
        for level, name in enumerate(path):
            above = numbers.setdefault((above, name), len(numbers) + 1)
            row[level] = above
        row[len(path) :] = above if path else np.iinfo(np.int64).max
    return codes


def _level_starts(codes: Int64) -> tuple[Int64, ...]:
    """Where a cluster begins on each level of the sorted codes."""
    begins = np.zeros(len(codes), bool)
    begins[0] = True
    starts: list[Int64] = []
    for column in codes.T:
        begins[1:] |= np.diff(column) != 0
        if begins.sum() > (len(starts[-1]) - 1 if starts else 1):
            starts.append(np.append(np.flatnonzero(begins), len(codes)))
    return tuple(starts)
