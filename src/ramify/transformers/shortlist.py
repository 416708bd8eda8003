"""Active nodes of each instance on one level of a tree: all nodes, or the children of a few nodes of the level above.

active(i) = children of {nodes above with a positive of i (TFN)} ∪ {nodes above that a matcher predicts for i (MAN)}

The nodes of a batch are computed from the nodes above when the batch is used. The memory of the shortlist is therefore
proportional to the number of nodes above, and that of a step to the number of active nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Float32, Int32, Int64, TopK

MOST_ACTIVE = 2048
"""Largest number of active nodes per instance; negatives of the last nodes above are left out first."""


@dataclass(frozen=True)
class Active:
    """The active nodes of some instances.

    Parameters
    ----------
    nodes : int32 array, shape (n, m)
        The positives of an instance first, then its negatives; -1 is padding.
    weights : float32 array, shape (n, m)
        Weight of each positive; 0 for negatives and padding.
    all_nodes : bool, default False
        Whether every instance has all nodes of the level, in their order.
    """

    nodes: Int32
    weights: Float32
    all_nodes: bool = False

    @classmethod
    def everywhere(cls, targets: CSR) -> Active:
        """All nodes, in their order, for instances with these targets."""
        n, width = targets.shape
        nodes = np.broadcast_to(np.arange(width, dtype=np.int32), (n, width))
        return cls(nodes, np.asarray(targets.todense(), np.float32), all_nodes=True)


@dataclass(frozen=True)
class Shortlist:
    """Active nodes of one level.

    Parameters
    ----------
    targets : csr_matrix, shape (n, nodes)
        Weight of each positive.
    above : csr_matrix, shape (n, nodes above), or None
        Nodes above whose children are active, with scores above 0: children of larger scores come first. None: all
        nodes are active.
    first_children : int64 array, shape (nodes above + 1,), or None
        See ``LabelTree.first_children``.
    """

    targets: CSR
    above: CSR | None = None
    first_children: Int64 | None = None

    def rows(self, rows: Int64) -> CSR | None:
        """The nodes above of some instances; None if all nodes are active."""
        return None if self.above is None else self.above[rows]

    def active(self, rows: Int64) -> Active:
        """The active nodes of the instances with these numbers, padded to the largest number among them."""
        targets = self.targets[rows]
        if self.above is None or self.first_children is None:
            return Active.everywhere(targets)
        above = self.above[rows]
        row, node, rank = _children(above, self.first_children)
        weight = np.asarray(targets[row, node], np.float32).ravel()
        order = np.lexsort((node, rank, weight == 0, row))
        row, node, weight = row[order], node[order], weight[order]
        count = np.bincount(row, minlength=len(rows))
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        kept = place < MOST_ACTIVE
        width = max(1, min(MOST_ACTIVE, int(count.max(initial=0))))
        nodes, weights = np.full((len(rows), width), -1, np.int32), np.zeros((len(rows), width), np.float32)
        nodes[row[kept], place[kept]] = node[kept]
        weights[row[kept], place[kept]] = weight[kept]
        return Active(nodes, weights)


def _children(above: CSR, first_children: Int64) -> tuple[Int64, Int64, Int64]:
    """Row, node and rank of the node above, for all children of the given nodes above; no node is twice in a row."""
    row = np.repeat(np.arange(above.shape[0]), np.diff(above.indptr))
    order = np.lexsort((-above.data, row))
    parent = above.indices[order]
    rank = np.arange(len(row)) - above.indptr[row]
    count = np.diff(first_children)[parent]
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    node = np.repeat(first_children[:-1][parent], count) + within
    return np.repeat(row, count), node, np.repeat(rank, count)


def with_positives(matched: TopK, positives: CSR) -> CSR:
    """TFN ∪ MAN: the nodes above of each instance for ``Shortlist``.

    Parameters
    ----------
    matched : TopK, shape (n, k)
        Nodes that a matcher predicts (MAN); their scores are 1 / rank.
    positives : csr_matrix, shape (n, nodes above)
        Nodes with a positive of the instance (TFN), which get at least the score 1.
    """
    ranks: Float32 = np.broadcast_to(1 / np.arange(1, matched.k + 1, dtype=np.float32), matched.labels.shape)
    predicted = matched.matrix(matched.labels >= 0, ranks, positives.shape[1])
    known = sp.csr_matrix((np.ones_like(positives.data), positives.indices, positives.indptr), shape=positives.shape)
    union = sp.csr_matrix(predicted + known)
    union.sort_indices()
    return union
