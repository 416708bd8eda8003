"""The shape of a tree over label positions, and the cuts that fill a balanced shape.

A balanced shape depends on three numbers and not on data. Level sizes are counted from the leaves up:
``ceil(labels / max_leaf)`` leaf clusters, then as many nodes as needed for at most ``branching`` children each, until
the root is reached. The top split therefore has the remainder, and the levels below are full. A node with several
children is filled by cutting its range of labels in two, and each part again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ramify.kernels.cluster import CutPlan
from ramify.values import Int32, Int64, LabelTree


@dataclass(frozen=True)
class ClusterShape:
    """Levels of clusters over label positions.

    Parameters
    ----------
    starts : tuple of int64 arrays
        Per level of clusters, from the top: the first position of each node, then the number of positions. Every
        level's starts are among the starts of the next. Empty for a flat tree.
    n_positions : int
        Number of leaves.
    """

    starts: tuple[Int64, ...]
    n_positions: int

    def tree(self, leaf_labels: Int32, n_labels: int) -> LabelTree:
        """The tree whose leaf at each position holds that label; n_labels is the size of the label space."""
        parents = []
        above = np.array([0, self.n_positions])
        for here in (*self.starts, np.arange(self.n_positions + 1)):
            parents.append((np.searchsorted(above, here[:-1], side="right") - 1).astype(np.int32))
            above = here
        return LabelTree(tuple(parents), np.ascontiguousarray(leaf_labels, np.int32), n_labels)


def balanced_shape(n_labels: int, *, branching: int, max_leaf: int, max_depth: int | None = None) -> ClusterShape:
    """Plan a tree whose leaf clusters all have floor or ceil of n_labels / (number of clusters) labels.

    Parameters
    ----------
    n_labels : int
        At least 1.
    branching : int
        Maximum number of children per cluster; leaf clusters may have more.
    max_leaf : int
        Maximum number of labels per leaf cluster.
    max_depth : int, optional
        Maximum number of levels of clusters; if it applies, the top split has more than ``branching`` children.
    """
    sizes = [-(-n_labels // max_leaf)]
    if sizes == [1]:
        return ClusterShape((), n_labels)
    while sizes[0] > branching and (max_depth is None or len(sizes) < max_depth):
        sizes.insert(0, -(-sizes[0] // branching))
    starts = [even_bounds(n_labels, sizes[-1])]
    for above, here in zip(reversed(sizes[:-1]), reversed(sizes[1:]), strict=True):
        starts.insert(0, starts[0][even_bounds(here, above)])
    return ClusterShape(tuple(starts), n_labels)


def even_bounds(total: int, parts: int) -> Int64:
    """Bounds that cut 0..total into parts whose sizes differ by at most one."""
    return np.arange(parts + 1, dtype=np.int64) * total // parts


def cut_plan(shape: ClusterShape) -> CutPlan:
    """The cuts, in preorder, that lead from all labels to the leaf clusters, through every node of the shape."""
    bounds = [starts.tolist() for starts in shape.starts]
    middles: list[int] = []
    sides: tuple[list[int], list[int]] = ([], [])
    pending = [(0, shape.n_positions, 0, -1, 0)]  # begin, end, level, the cut above, its side
    while pending:
        begin, end, level, above, side = pending.pop()
        middle, level = _next_middle(bounds, begin, end, level)
        if middle is None:
            continue
        if above >= 0:
            sides[side][above] = len(middles)
        pending.append((middle, end, level, len(middles), 1))
        pending.append((begin, middle, level, len(middles), 0))
        middles.append(middle)
        sides[0].append(-1)
        sides[1].append(-1)
    lefts, rights = (np.array(numbers, np.int32) for numbers in sides)
    return CutPlan(n_labels=shape.n_positions, middles=np.array(middles, np.int64), lefts=lefts, rights=rights)


def _next_middle(bounds: Sequence[list[int]], begin: int, end: int, level: int) -> tuple[int | None, int]:
    """Position and level of a cut: the first level whose nodes split the range, half of the nodes on each side."""
    while level < len(bounds):
        first, last = bisect_left(bounds[level], begin), bisect_left(bounds[level], end)
        if last - first > 1:
            return bounds[level][(first + last) // 2], level
        level += 1
    return None, level
