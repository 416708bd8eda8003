"""The score of a label in a tree, taken apart: margin of each node on its paths = bias + Σ x_j w_j.

The weights are the rounded ones of the packed levels. Scores of leaves and labels come from the search itself.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ramify.kernels.node_weights import node_dense_weights, node_weights
from ramify.kernels.predict import SearchConfig
from ramify.match import BeamSearch
from ramify.models.base.reasons import NodeReason, PathReason, TreeReason
from ramify.values import Features, Hybrid, Int32, LabelTree


def tree_reason(search: BeamSearch, X: Features, label: int, config: SearchConfig, *, free: bool = True) -> TreeReason:
    """The reason of one label's score for one instance.

    Parameters
    ----------
    search : BeamSearch
        Tree and weights.
    X : csr_matrix or Hybrid, shape (1, d)
        Features, as the search uses them.
    label : int
        Label id.
    config : SearchConfig
        Settings of the search.
    free : bool, default True
        Whether the beam decides which leaves are reached; False for a search that is restricted to given labels, which
        reaches all of them.
    """
    leaves = np.flatnonzero(search.tree.leaf_labels == label).astype(np.int32)
    without_leaf = TreeReason(
        paths=(),
        transform=config.transform,
        path_weight=config.path_weight,
        copies=config.copies,
        factor=1.0 if search.log_bias is None else float(np.exp(search.log_bias[label])),
        score=-math.inf,
        ranked=False,
    )
    if not len(leaves):
        return without_leaf
    reached = _reached(search, X, leaves, config) if free else leaves
    score, logs = search.leaf_logs(X, leaves, config)
    if 0 < len(reached) < len(leaves):
        score, _ = search.leaf_logs(X, reached, config)
    nodes: dict[tuple[int, int], NodeReason] = {}
    paths = [
        PathReason(
            leaf=leaf,
            nodes=tuple(_node(search, X, level, node, config, nodes) for level, node in _path(search.tree, leaf)),
            score=log if config.transform.startswith("log-") else math.exp(log),
            reached=leaf in reached,
        )
        for leaf, log in zip(leaves.tolist(), logs.tolist(), strict=True)
    ]
    paths.sort(key=lambda path: (not path.reached, -path.score))
    return replace(without_leaf, paths=tuple(paths), score=score, ranked=len(reached) > 0)


def _reached(search: BeamSearch, X: Features, leaves: Int32, config: SearchConfig) -> Int32:
    """The leaves in clusters that the beam search reaches."""
    tree = search.tree
    if tree.depth == 1 or tree.level_sizes[-2] <= config.beam:
        return leaves
    clusters = search.clusters_reached(X, config).indices
    return leaves[np.isin(tree.parents[-1][leaves], clusters)]


def _path(tree: LabelTree, leaf: int) -> list[tuple[int, int]]:
    """(level, node) from the top to a leaf."""
    node, path = leaf, [(tree.depth - 1, leaf)]
    for level in range(tree.depth - 1, 0, -1):
        node = int(tree.parents[level][node])
        path.insert(0, (level - 1, node))
    return path


def _node(search: BeamSearch, X: Features, level: int, node: int, config: SearchConfig, known: dict[Any, Any]) -> Any:
    """The reason of one node; paths share their upper nodes."""
    if (level, node) in known:
        return known[level, node]
    packed, sparse = search.levels[level], X.sparse if isinstance(X, Hybrid) else X
    weights = node_weights(packed, node, sparse.indices)
    used = np.flatnonzero(weights)
    contributions = sparse.data[used].astype(np.float64) * weights[used]
    dense = None
    if isinstance(X, Hybrid):
        dense = float(X.scaled_dense()[0].astype(np.float64) @ node_dense_weights(packed, node))
    bias = float(packed.bias[node])
    margin = bias + float(contributions.sum()) + (dense or 0.0)
    known[level, node] = NodeReason(
        level=level,
        node=node,
        labels=_labels_below(search.tree, level, node),
        bias=bias,
        columns=sparse.indices[used],
        contributions=contributions,
        dense=dense,
        margin=margin,
        score=transformed(margin, config.transform),
    )
    return known[level, node]


def transformed(margin: float, transform: str) -> float:
    """Node score of a margin, 0 to 1, also for a transform that reports logarithms."""
    name = transform.removeprefix("log-")
    if name == "sigmoid":
        return 1 / (1 + math.exp(-margin)) if margin > 0 else math.exp(margin) / (1 + math.exp(margin))
    return math.exp(-(max(0.0, 1.0 - margin) ** int(name[1])))


def _labels_below(tree: LabelTree, level: int, node: int) -> Int32:
    ends = np.array([node, node + 1], np.int32)
    for below in range(level + 1, tree.depth):
        ends = np.searchsorted(tree.parents[below], ends).astype(np.int32)  # of the type of the parents, without a copy
    return tree.leaf_labels[ends[0] : ends[1]]
