"""A label tree as a text outline, with example labels of each cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.values import Int64, LabelTree
from ramify.wording import one_line


class TreeSummary:
    """Sizes and example labels of every cluster.

    Parameters
    ----------
    tree : LabelTree
        The tree.
    label_names : sequence of str, length L
        Names of the labels.
    frequencies : array, shape (L,), optional
        Number of occurrences per label; the most frequent labels are the examples. Default: the first leaves.

    Raises
    ------
    InputError
        Lengths that differ from the tree's label space.
    """

    def __init__(self, tree: LabelTree, label_names: Sequence[str], frequencies: Any = None) -> None:
        given = [len(label_names)] if frequencies is None else [len(label_names), len(frequencies)]
        if any(length != tree.n_labels for length in given):
            raise InputError(f"names or frequencies of {given} labels are given, but the tree has {tree.n_labels}")
        self.tree = tree
        self.label_names = label_names
        self.n_clusters_levels = tree.depth - 1
        leaf_weights = np.zeros(tree.n_leaves) if frequencies is None else np.asarray(frequencies)[tree.leaf_labels]
        self._weights = leaf_weights
        self.first_leaves = self._first_leaves()

    def _first_leaves(self) -> list[Int64]:
        """Per level of clusters: the first leaf of each node, then the number of leaves."""
        bounds = np.arange(self.tree.n_leaves + 1)
        levels = []
        for level in range(self.tree.depth - 1, 0, -1):
            bounds = bounds[self.tree.first_children(level)]
            levels.append(bounds)
        return levels[::-1]

    def size(self, level: int, node: int) -> int:
        """Leaves below a cluster."""
        first = self.first_leaves[level]
        return int(first[node + 1] - first[node])

    def examples(self, level: int, node: int, count: int) -> list[str]:
        """Names of some of its labels, the most frequent first."""
        begin, end = self.first_leaves[level][node : node + 2]
        best = begin + np.argsort(-self._weights[begin:end], kind="stable")
        names: dict[str, None] = {}
        for leaf in best.tolist():
            names[self.label_names[self.tree.leaf_labels[leaf]]] = None
            if len(names) == count:
                break
        return list(names)


def render_text(
    tree: LabelTree,
    label_names: Sequence[str],
    *,
    frequencies: Any = None,
    max_nodes: int = 60,
    examples: int = 4,
    width: int = 110,
) -> str:
    """Outline a tree: one line per cluster with its size and some of its labels.

    Parameters
    ----------
    tree : LabelTree
        The tree.
    label_names : sequence of str, length L
        Names of the labels.
    frequencies : array, shape (L,), optional
        Number of occurrences per label; the most frequent are shown.
    max_nodes : int, default 60
        Approximate maximum number of clusters shown, evenly over the parents; the others are counted.
    examples : int, default 4
        Labels per line.
    width : int, default 110
        Longer lines are cut.

    Raises
    ------
    InputError
        Lengths that differ from the tree's label space, or a limit below 1.
    """
    if min(max_nodes, examples, width) < 1:
        raise InputError("max_nodes, examples and width must be at least 1")
    summary = TreeSummary(tree, label_names, frequencies)
    clusters = " > ".join(f"{size:,}" for size in tree.level_sizes[:-1])
    n_used = len(np.unique(tree.leaf_labels))
    head = f"{n_used:,} of {tree.n_labels:,} labels"
    head += f" in {tree.n_leaves:,} leaves" if tree.overlapping else ""
    lines = [f"{head}, clusters per level: {clusters}" if clusters else f"{head}, no clusters"]
    if not clusters:
        names = [label_names[label] for label in tree.leaf_labels[: max_nodes * examples].tolist()]
        lines.append("  " + ", ".join(names))
    lines += _lines(summary, _children_shown(tree, max_nodes), examples)
    return "\n".join(_cut(one_line(line), width) for line in lines)


def _lines(summary: TreeSummary, shown: int, examples: int) -> Iterator[str]:
    pending: list[tuple[int, int, int]] = [(0, 0, 0)] if summary.first_leaves else []  # level, parent, next child
    while pending:
        level, parent, child = pending.pop()
        begin, end = summary.tree.first_children(level)[parent : parent + 2].tolist()
        indent = "  " * (level + 1)
        if child == shown and begin + child < end:
            yield f"{indent}... {end - begin - child:,} more"
            continue
        if begin + child >= end:
            continue
        node = begin + child
        size = summary.size(level, node)
        names = summary.examples(level, node, examples)
        more = ", ..." if size > len(names) else ""
        yield f"{indent}{node} ({size:,}): {', '.join(names)}{more}"
        pending.append((level, parent, child + 1))
        if level + 1 < len(summary.first_leaves):
            pending.append((level + 1, node, 0))


def _children_shown(tree: LabelTree, max_nodes: int) -> int:
    """The maximum number of children per cluster within the limit; at least 1."""
    shown = 1
    while shown < max(tree.level_sizes) and _count_shown(tree, shown + 1) <= max_nodes:
        shown += 1
    return shown


def _count_shown(tree: LabelTree, shown: int) -> int:
    total = 0
    visible = np.ones(1, bool)
    for level, parents in enumerate(tree.parents[:-1]):
        rank = np.arange(len(parents)) - tree.first_children(level)[parents]
        visible = visible[parents] & (rank < shown)
        total += int(visible.sum())
    return total


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(width - 3, 0)] + "..."
