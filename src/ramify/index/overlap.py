"""Label disentanglement: a label may be in several clusters, which are chosen by the trained matcher.

Xuanqing Liu, Wei-Cheng Chang, Hsiang-Fu Yu, Cho-Jui Hsieh, Inderjit S. Dhillon: Label Disentanglement in
Partition-based Extreme Multilabel Classification, NeurIPS 2021 (docs/papers.md).

M = weights of the clusters that the matcher sends each training instance to     shape (n, K)
S = Yᵀ M                                                                           shape (L, K)
C = the entries of S that are largest, at most ``copies`` in a row (a label) and ``cap`` in a column (a cluster)

The paper has M in {0, 1}: S counts the positives of a label that reach a cluster, and C maximizes the recall of the
candidates (``Candidates.recall``). By default M is 1 / rank of the cluster in the beam of the instance instead: labels
go to clusters that their positives rank high, where the score of the path raises the score of the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from ramify.errors import InputError
from ramify.values import (
    CSR,
    Bool,
    Features,
    Float32,
    Float64,
    Hybrid,
    Int32,
    Int64,
    LabelTree,
    empty_csr,
    nonzero,
    row_products,
    row_sums,
)

ROWS_AT_ONCE = 4096
WEIGHTINGS = ("rank", "count")


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Candidates that a matcher passes to the ranker under an assignment of labels to clusters.

    Parameters
    ----------
    hits : int
        Pairs of Y whose label is among the instance's candidates.
    positives : int
        Pairs of Y.
    offered : int
        Candidates of all instances.
    """

    hits: int
    positives: int
    offered: int

    @property
    def recall(self) -> float:
        """Share of the positives that are among the candidates; disentanglement raises it."""
        return self.hits / max(1, self.positives)

    @property
    def precision(self) -> float:
        """Share of the candidates that are positive."""
        return self.hits / max(1, self.offered)


def clusters_of(tree: LabelTree) -> CSR:
    """0/1 matrix C, shape (L, K): the clusters above the leaves of each label."""
    C = sp.csr_matrix(tree.leaf_matrix() @ tree.membership(tree.depth - 1))
    C.data[:] = 1
    return C


def candidates(reached: CSR, Y: CSR, C: CSR) -> Candidates:
    """Count the candidates of the matcher and the positives among them.

    Parameters
    ----------
    reached : csr_matrix, shape (n, K)
        Non-zero: the instance reaches the cluster.
    Y : csr_matrix, shape (n, L)
        Label assignments.
    C : csr_matrix, shape (L, K)
        From ``clusters_of``.
    """
    members = sp.csr_matrix(C.T)
    hits = offered = 0
    for first in range(0, Y.shape[0], ROWS_AT_ONCE):
        offer = sp.csr_matrix(reached[first : first + ROWS_AT_ONCE] @ members)
        offered += offer.nnz
        offer.data[:] = 1
        hits += int(offer.multiply(nonzero(Y[first : first + ROWS_AT_ONCE])).nnz)
    return Candidates(hits=hits, positives=int(Y.nnz), offered=offered)


def visits(X: Features, Z: Features, Y: CSR, C: CSR) -> CSR:
    """Clusters that each instance trains if its labels have copies: per label the most similar cluster.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    Z : csr_matrix or Hybrid, shape (L, d)
        Label vectors in the space of the features, such as PIFA's.
    Y : csr_matrix, shape (n, L)
        Label assignments.
    C : csr_matrix, shape (L, K)
        The clusters of each label.

    Returns
    -------
    csr_matrix, shape (n, K)
        0/1. The vector of a label is in the centres of all its clusters, so the choice depends on the other labels.
    """
    sums = row_sums(sp.csr_matrix(C.T), Z)
    centres = sums.unit() if isinstance(sums, Hybrid) else sp.csr_matrix(normalize(sums))
    parts = [empty_csr(0, C.shape[1])]
    for first in range(0, Y.shape[0], ROWS_AT_ONCE):
        like = row_products(X[first : first + ROWS_AT_ONCE], centres)
        parts.append(_most_alike(like, nonzero(Y[first : first + ROWS_AT_ONCE]), C))
    return sp.csr_matrix(sp.vstack(parts))


def _most_alike(like: Float32, labels: CSR, C: CSR) -> CSR:
    """The most similar cluster of each label of an instance, shape (rows, K)."""
    homes = np.diff(C.indptr)[labels.indices]
    pair = np.repeat(np.arange(labels.nnz), homes)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(homes) - homes, homes)
    clusters = C.indices[C.indptr[labels.indices][pair] + within]
    rows = np.repeat(np.arange(labels.shape[0]), np.diff(labels.indptr))[pair]
    best = np.lexsort((clusters, -like[rows, clusters], pair))
    chosen = best[np.diff(pair, prepend=-1) != 0]
    made = sp.csr_matrix((np.ones(len(chosen), np.float32), (rows[chosen], clusters[chosen])), shape=like.shape)
    made.data[:] = 1
    return made


def disentangled(
    tree: LabelTree, reached: CSR, Y: CSR, *, copies: int, cap: int | None = None, weighting: str = "rank"
) -> CSR:
    """Assign each label to the clusters with the largest weights of its positives.

    Parameters
    ----------
    tree : LabelTree
        The tree that was searched; labels may already be in several clusters.
    reached : csr_matrix, shape (n, K)
        Clusters of the level above the leaves that each training instance reaches, with the score of the path.
    Y : csr_matrix, shape (n, L)
        Label assignments.
    copies : int
        Maximum number of clusters of a label, λ.
    cap : int, optional
        Maximum number of labels of a cluster. Labels that no positive reaches keep their clusters and are not counted.
    weighting : {"rank", "count"}, default "rank"
        Weight of a cluster that an instance reaches; "rank": 1 / its rank by the score of the path; "count": 1, as in
        the paper.

    Returns
    -------
    csr_matrix, shape (L, K)
        0/1: C. The present clusters if C has a smaller sum of weights, which is possible only with a cap.

    Raises
    ------
    InputError
        Matrices that do not fit the tree.
    """
    current = clusters_of(tree)
    if reached.shape != (Y.shape[0], current.shape[1]) or Y.shape[1] != tree.n_labels:
        raise InputError(
            f"reached and Y have shapes {reached.shape} and {Y.shape}, but the tree has "
            f"{tree.n_labels} labels in {current.shape[1]} clusters"
        )
    entries = _Entries.of(reached, Y, current, weighting)
    chosen = entries.best(copies, cap)
    if entries.weights[chosen].sum() < entries.weights[entries.present].sum():
        return current
    labels, clusters = entries.labels[chosen], entries.clusters[chosen]
    others = np.setdiff1d(np.arange(tree.n_labels), labels)  # never reached, or excluded by the cap
    stay = current[others].tocoo()
    labels = np.concatenate([labels, others[stay.row]])
    ones = np.ones(len(labels), np.float32)
    return sp.csr_matrix((ones, (labels, np.concatenate([clusters, stay.col]))), shape=current.shape)


def reciprocal_ranks(scores: CSR) -> CSR:
    """1 / rank of each entry in its row, the largest first; equal entries by their columns."""
    scores = sp.csr_matrix(scores)
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    ranks = np.empty(scores.nnz)
    ranks[order] = 1 + np.arange(scores.nnz) - scores.indptr[rows]
    return sp.csr_matrix((1 / ranks, scores.indices, scores.indptr), shape=scores.shape)


@dataclass(frozen=True)
class _Entries:
    """The entries of S, the largest first: by weight, then those already in C, then by the paths' scores."""

    labels: Int32
    clusters: Int32
    weights: Float64
    present: Bool

    @classmethod
    def of(cls, reached: CSR, Y: CSR, current: CSR, weighting: str) -> _Entries:
        positive = sp.csr_matrix(nonzero(Y).T.astype(np.float64))
        worth = nonzero(reached).astype(np.float64) if weighting == "count" else reciprocal_ranks(reached)
        weight, score = sp.csr_matrix(positive @ worth), sp.csr_matrix(positive @ reached.astype(np.float64))
        for matrix in (weight, score):
            matrix.sort_indices()
        labels = np.repeat(np.arange(weight.shape[0], dtype=np.int32), np.diff(weight.indptr))
        clusters, weights = weight.indices.astype(np.int32), weight.data.round(6)  # equal whatever the order of the sum
        stays = np.asarray(current[labels, clusters]).ravel() > 0
        order = np.lexsort((clusters, labels, -score.data, ~stays, -weights))
        return cls(labels[order], clusters[order], weights[order], stays[order])

    def best(self, copies: int, cap: int | None) -> Int64:
        """Numbers of the entries that a greedy choice in descending order takes within both limits.

        Labels propose their best entries and each cluster keeps its best proposals, until no cluster exceeds the cap.
        Both sides rank in the same order, so the result equals that of taking entries one by one.
        """
        open_entries: Bool = np.ones(len(self.labels), bool)
        while True:
            proposed = _first_of_each(self.labels, np.flatnonzero(open_entries), copies)
            if cap is None:
                return proposed
            accepted = _first_of_each(self.clusters, proposed, cap)
            if len(accepted) == len(proposed):
                return accepted
            open_entries[np.setdiff1d(proposed, accepted)] = False


def _first_of_each(group: Int32, entries: Int64, limit: int) -> Int64:
    """The first ``limit`` of the entries in each group; entries ascend."""
    by_group = entries[np.argsort(group[entries], kind="stable")]
    groups = group[by_group]
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    return np.sort(by_group[rank < limit])


def with_clusters(tree: LabelTree, C: CSR) -> LabelTree:
    """The tree with the labels assigned by C; clusters without labels are removed.

    Parameters
    ----------
    tree : LabelTree
        The tree with the inner nodes.
    C : csr_matrix, shape (L, K)
        Non-zero: the label is in the cluster, a node of the level above the leaves.
    """
    leaves = sp.csr_matrix(C.T)
    leaves.sort_indices()
    parents = []
    below: npt.NDArray[np.integer[Any]] = np.repeat(np.arange(leaves.shape[0]), np.diff(leaves.indptr))
    for level in range(tree.depth - 1, -1, -1):
        used, renumbered = np.unique(below, return_inverse=True)
        parents.append(renumbered.astype(np.int32))
        below = tree.parents[level - 1][used] if level > 0 else used
    return LabelTree(tuple(parents[::-1]), leaves.indices.astype(np.int32), tree.n_labels)
