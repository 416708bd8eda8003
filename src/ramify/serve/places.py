"""The places of labels in a label tree: nodes with their sizes and most frequent labels, and paths from the top."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.data.streams import without_surrogates
from ramify.index.outline import TreeSummary
from ramify.tagger import Tagger
from ramify.values import Int64, LabelTree

NAMED = 5
"""Labels that are named per node."""

SIBLINGS = 20
"""Labels of the same cluster that are named."""

Node = dict[str, Any]
"""``level``, ``node``, ``size`` in leaves, and ``labels``, the names of the most frequent ones."""


def tree_of(tagger: Tagger) -> LabelTree | None:
    """The label tree of a model, or of its first part with one."""
    model = tagger.model_
    inside = getattr(model, "inside", None)
    for part in (model, *(inside().values() if callable(inside) else ())):
        tree = getattr(getattr(part, "search_", None), "tree", None)
        if isinstance(tree, LabelTree) and tree.n_labels == len(tagger.label_names_):
            return tree
    return None


class LabelPlaces:
    """A label tree with the names of its labels.

    Parameters
    ----------
    tagger : Tagger
        The names, and the numbers of training documents.
    tree : LabelTree
        A tree of its labels.
    """

    def __init__(self, tagger: Tagger, tree: LabelTree) -> None:
        self.tree, self._names = tree, tagger.label_names_
        self._summary = TreeSummary(tree, tagger.label_names_, tagger.label_counts_)
        self._weights = (
            np.zeros(tree.n_leaves) if tagger.label_counts_ is None else tagger.label_counts_[tree.leaf_labels]
        )
        self._children = [tree.first_children(level) for level in range(tree.depth)]
        self._nodes: dict[tuple[int, int], Node] = {}
        self._order = np.argsort(tree.leaf_labels, kind="stable")
        self._sorted = tree.leaf_labels[self._order]

    def _name(self, label: int) -> str:
        return without_surrogates(self._names[label])

    def has(self, level: int, node: int) -> bool:
        """Whether there is such a node."""
        return 0 <= level < self.tree.depth and 0 <= node < self.tree.level_sizes[level]

    def leaves(self, label: int) -> Int64:
        """The leaves of a label, by its id."""
        first, last = np.searchsorted(self._sorted, [label, label + 1])
        return self._order[first:last]

    def node(self, level: int, node: int) -> Node:
        """One node."""
        if level == self.tree.depth - 1:
            return {"level": level, "node": node, "size": 1, "labels": [self._name(self.tree.leaf_labels[node])]}
        found = self._nodes.get((level, node))
        if found is None:
            names = [without_surrogates(name) for name in self._summary.examples(level, node, NAMED)]
            found = {"level": level, "node": node, "size": self._summary.size(level, node), "labels": names}
            self._nodes[level, node] = found
        return found

    def path(self, leaf: int) -> list[Node]:
        """The nodes from the top to a leaf."""
        nodes, node = [leaf], leaf
        for level in range(self.tree.depth - 1, 0, -1):
            node = int(self.tree.parents[level][node])
            nodes.append(node)
        return [self.node(level, node) for level, node in enumerate(reversed(nodes))]

    def below(self, level: int, node: int) -> dict[str, Any]:
        """A node with its children, or the names of its leaves; level -1 is the root above level 0."""
        own = {"level": -1, "node": 0, "size": self.tree.n_leaves} if level < 0 else self.node(level, node)
        if level == self.tree.depth - 1:
            return own | {"children": []}
        first, last = self._children[level + 1][node : node + 2].tolist()
        if level + 1 == self.tree.depth - 1:
            names = [self._name(label) for label in self.tree.leaf_labels[first:last].tolist()]
            return own | {"children": [], "labels": names}
        return own | {"children": [self.node(level + 1, child) for child in range(first, last)], "labels": []}

    def siblings(self, label: int) -> list[str]:
        """Names of other labels in the clusters of a label, the most frequent first; none without clusters."""
        last = self.tree.depth - 1
        if last == 0:
            return []
        found: dict[str, None] = {}
        for leaf in self.leaves(label).tolist():
            parent = int(self.tree.parents[last][leaf])
            begin, end = self._children[last][parent : parent + 2].tolist()
            best = begin + np.argsort(-self._weights[begin:end], kind="stable")[: SIBLINGS + 1]
            found |= dict.fromkeys(self._name(number) for number in self.tree.leaf_labels[best].tolist())
        found.pop(self._name(label), None)
        return list(found)[:SIBLINGS]
