"""Label trees from nearest neighbours: pair the most similar clusters, again and again, from single labels upwards.

Each round takes the pairs of nearest neighbours in descending order of their cosine and joins those whose clusters are
both free, until every cluster has a partner (one may be left over). All clusters of a round therefore have about the
same number of labels, twice that of the round before. After log2(size) rounds the clusters are a level of the tree.
k-means may separate similar labels in an early cut; pairing keeps them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ramify.checks import COUNT, CheckedWhenMade, Rules, Whole, YesNo, thread_count
from ramify.index.kmeans import kept_labels, label_vectors
from ramify.index.shape import ClusterShape
from ramify.kernels.cluster import nearest
from ramify.values import CSR, Float32, Hybrid, Int32, Int64, LabelTree, row_products, row_sums

_PASSES = 12  # per round, over the clusters that are still free
_MOST_PAIRS = 20_000_000  # candidates per pass
_DENSE_BLOCK = 1024  # rows whose products with all others are in memory at once


@dataclass(frozen=True, kw_only=True)
class NeighbourIndexer(CheckedWhenMade):
    """Group labels bottom up by pairing nearest neighbours; for up to about 50,000 labels.

    Parameters
    ----------
    branching : int, default 64
        Children per cluster, at least 2; the largest power of two up to it is used.
    max_leaf : int, default 100
        Maximum number of labels per leaf cluster, at least 2; the largest power of two up to it is used.
    neighbours : int, default 10
        Candidate partners of each cluster per pass.
    keep_unused : bool, default False
        Include labels without any instance.

    Raises
    ------
    InputError
        A setting out of range.
    """

    branching: int = 64
    max_leaf: int = 100
    neighbours: int = 10
    keep_unused: bool = False

    RULES: ClassVar[Rules] = {
        "branching": Whole(2, 2**31 - 1),
        "max_leaf": Whole(2, 2**31 - 1),
        "neighbours": COUNT,
        "keep_unused": YesNo(),
    }

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int | None = 1) -> LabelTree:
        """Group the labels. There is no randomness; ``seed`` is not used.

        Parameters
        ----------
        Z : csr_matrix, Hybrid or float array, shape (L, d)
            Label vectors, compared by cosine.
        Y : csr_matrix, shape (n, L)
            0/1 label assignments; labels without an entry are unused.
        seed : int, default 0
            Unused.
        threads : int or None, default 1
            None uses all CPUs.

        Raises
        ------
        InputError
            Z and Y do not agree, NaN in Z, or no label in use.
        """
        threads = thread_count(threads)
        Z = label_vectors(Z, Y.shape[1])
        kept = kept_labels(Y, keep_unused=self.keep_unused)
        Z = Z[kept]
        members = np.arange(len(kept))
        levels: list[Int64] = []  # cluster of each label, from the leaf clusters up
        for rounds in self._rounds(len(kept)):
            for _ in range(rounds):
                members = _pair(Z, members, self.neighbours, threads)[members]
            levels.append(members)
        return _stack(levels, kept, Y.shape[1])

    def _rounds(self, n_labels: int) -> list[int]:
        """Rounds of pairing per level of clusters, from the leaf clusters up; none for a flat tree."""
        if n_labels <= self.max_leaf:
            return []
        rounds = [self.max_leaf.bit_length() - 1]
        n_clusters = -(-n_labels // 2 ** rounds[0])
        while n_clusters > self.branching:
            rounds.append(self.branching.bit_length() - 1)
            n_clusters = -(-n_clusters // 2 ** rounds[-1])
        return rounds


def _pair(Z: Any, members: Int64, k: int, threads: int) -> Int64:
    """The new cluster of each cluster: shared with its partner, numbered by their lower one."""
    sums = _cluster_vectors(Z, members)
    partner = np.full(sums.shape[0], -1)
    free = np.arange(len(partner))
    for _ in range(_PASSES):
        if len(free) < 2:
            break
        matched = _match(*_nearest(sums[free], k, threads))
        alone = matched < 0
        partner[free[~alone]] = free[matched[~alone]]
        free = free[alone]
        if alone.all():
            break
        k = max(k, min(2 * k, _MOST_PAIRS // max(len(free), 1)))  # a few hubs may be neighbours of most clusters
    even = len(free) // 2 * 2  # all products are 0: pair by number
    partner[free[0:even:2]], partner[free[1:even:2]] = free[1:even:2], free[0:even:2]
    partner = np.where(partner < 0, np.arange(len(partner)), partner)
    lower = np.minimum(partner, np.arange(len(partner)))
    return np.unique(lower, return_inverse=True)[1]


def _cluster_vectors(Z: Any, members: Int64) -> Any:
    """Sum of the label vectors of each cluster, scaled to length one."""
    n_labels = len(members)
    shape = (int(members.max()) + 1, n_labels)
    added = sp.csr_matrix((np.ones(n_labels, np.float32), (members, np.arange(n_labels))), shape=shape)
    if isinstance(Z, Hybrid):
        return row_sums(added, Z).unit()
    sums = added @ Z
    if isinstance(sums, np.ndarray):
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: Float32 = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
        return unit
    sums.sort_indices()
    lengths = np.sqrt(np.asarray(sums.multiply(sums).sum(axis=1)).ravel())
    sums.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(sums.indptr)).astype(np.float32)
    return sums


def _nearest(vectors: Any, k: int, threads: int) -> tuple[Int32, Float32]:
    if not isinstance(vectors, Hybrid | np.ndarray):
        return nearest(vectors, k, threads=threads)
    k = min(k, len(vectors) - 1)
    neighbours = np.empty((len(vectors), k), np.int32)
    products = np.empty((len(vectors), k), np.float32)
    for begin in range(0, len(vectors), _DENSE_BLOCK):
        rows = np.arange(begin, min(begin + _DENSE_BLOCK, len(vectors)))
        part = vectors[rows]
        block = row_products(part, vectors) if isinstance(vectors, Hybrid) else part @ vectors.T
        block[np.arange(len(rows)), rows] = -np.inf
        neighbours[rows] = np.argpartition(-block, k - 1, axis=1)[:, :k]
        products[rows] = np.take_along_axis(block, neighbours[rows], axis=1)
    return neighbours, products


def _match(neighbours: Int32, products: Float32) -> Int64:
    """Greedy matching: the most similar pair first, ties by number; -1 for rows without a partner."""
    rows = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    others, similarity = neighbours.ravel(), products.ravel()
    real = others >= 0
    low, high = np.minimum(rows, others)[real], np.maximum(rows, others)[real]
    partner = [-1] * len(neighbours)
    by_rank = np.lexsort((high, low, -similarity[real]))
    for one, other in zip(low[by_rank].tolist(), high[by_rank].tolist(), strict=True):
        if partner[one] < 0 and partner[other] < 0:
            partner[one], partner[other] = other, one
    return np.array(partner)


def _stack(levels: list[Int64], kept: Int32, n_labels: int) -> LabelTree:
    """The tree of nested clusters, given from the leaf clusters up."""
    order = np.lexsort([np.arange(len(kept)), *levels])
    starts = []
    for members in reversed(levels):
        changes = np.flatnonzero(np.diff(members[order])) + 1
        starts.append(np.concatenate([[0], changes, [len(kept)]]))
    return ClusterShape(tuple(starts), len(kept)).tree(kept[order], n_labels)
