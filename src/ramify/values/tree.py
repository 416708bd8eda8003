"""``LabelTree``: a hierarchy of label clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values.types import CSR, Int32, Int64


@dataclass(frozen=True)
class LabelTree:
    """A hierarchy of label clusters; the last level are leaves with one label each.

    Level t has as many nodes as ``parents[t]`` has entries; the root above level 0 is not stored. Siblings are
    contiguous: every ``parents[t]`` ascends. A label in several clusters has several leaves.

    Parameters
    ----------
    parents : tuple of int32 arrays
        ``parents[t][j]`` is the number of node j's parent in level t-1; ``parents[0]`` is all 0. The last level are
        the leaves. A flat tree of L labels is ``(zeros(L),)``.
    leaf_labels : int32 array, length of the last level
        Label id of each leaf.
    n_labels : int
        Size of the label space L; labels without a leaf are never predicted.

    Raises
    ------
    InputError
        A parent out of range or out of order, an inner node without child, a label out of range.
    """

    parents: tuple[Int32, ...]
    leaf_labels: Int32
    n_labels: int

    def __post_init__(self) -> None:
        if not self.parents:
            raise InputError("a LabelTree needs at least one level")
        above = 1
        for depth, parent in enumerate(self.parents):
            _check_level(parent, depth, above)
            above = len(parent)
        labels = self.leaf_labels
        if labels.dtype != np.int32 or labels.shape != (above,):
            raise InputError(f"leaf_labels must be int32 of length {above}, not {labels.dtype} of shape {labels.shape}")
        if labels.size and (labels.min() < 0 or labels.max() >= self.n_labels):
            raise InputError(f"leaf labels must lie in 0..{self.n_labels - 1}, not {labels.min()}..{labels.max()}")

    @classmethod
    def flat(cls, labels: Int32, n_labels: int) -> LabelTree:
        """A tree without clusters: all given labels are children of the root."""
        return cls((np.zeros(len(labels), np.int32),), labels, n_labels)

    @property
    def depth(self) -> int:
        """Number of levels, including the leaves."""
        return len(self.parents)

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """Nodes per level, from the top; the last entry counts the leaves."""
        return tuple(len(parent) for parent in self.parents)

    @property
    def n_leaves(self) -> int:
        """Number of leaves; above the number of labels if some have several leaves."""
        return len(self.leaf_labels)

    @property
    def overlapping(self) -> bool:
        """Whether some label has several leaves."""
        return len(np.unique(self.leaf_labels)) < self.n_leaves

    def first_children(self, level: int) -> Int64:
        """Pointers into level ``level``: children of node p of the level above are [out[p], out[p + 1])."""
        n_parents = 1 if level == 0 else len(self.parents[level - 1])
        return np.searchsorted(self.parents[level], np.arange(n_parents + 1)).astype(np.int64)

    def membership(self, level: int) -> CSR:
        """0/1 matrix C, shape (nodes of ``level``, nodes above): the parent of each node."""
        parent = self.parents[level]
        n_parents = 1 if level == 0 else len(self.parents[level - 1])
        indptr = np.arange(len(parent) + 1)
        return sp.csr_matrix((np.ones(len(parent), np.float32), parent, indptr), shape=(len(parent), n_parents))

    def leaf_matrix(self) -> CSR:
        """0/1 matrix, shape (L, leaves): the leaves of each label."""
        leaves = np.arange(self.n_leaves, dtype=np.int32)
        ones = np.ones(self.n_leaves, np.float32)
        return sp.csr_matrix((ones, (self.leaf_labels, leaves)), shape=(self.n_labels, self.n_leaves))


def _check_level(parent: Int32, depth: int, n_above: int) -> None:
    if parent.dtype != np.int32 or parent.ndim != 1 or parent.size == 0:
        raise InputError(f"parents[{depth}] must be a non-empty int32 vector, not {parent.dtype} {parent.shape}")
    steps = np.diff(parent)
    if parent[0] != 0 or parent[-1] != n_above - 1 or (steps < 0).any() or (steps > 1).any():
        raise InputError(f"parents[{depth}] must ascend and contain each of the {n_above} nodes above at least once")
