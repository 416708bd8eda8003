"""NumPy twin of ``kernels.predict``: dense weights, one document at a time, sorting instead of heaps.

The score of a label is that of docs/papers.md, "PECOS and XR-Linear".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ramify.kernels.predict import SearchConfig
from ramify.values import Float32, Float64, Int32, LabelTree
from ramify.weights import LevelWeights


def rounded(level: LevelWeights, precision: str) -> LevelWeights:
    """The weights as rounded by packing: bf16 to nearest even, int8 in steps of (largest weight of the node) / 127.

    Sparse and dense weights of a node have a largest weight each.
    """
    if precision == "fp32":
        return level
    nodes = entry_nodes(level)
    values = _even(level.values) if precision == "bf16" else _in_steps(level.values, nodes, level.n_nodes)
    if level.dense is None:
        return replace(level, values=values)
    flat = level.dense.ravel()
    rows = np.repeat(np.arange(level.n_nodes), level.n_dense)
    dense = _even(flat) if precision == "bf16" else _in_steps(flat, rows, level.n_nodes)
    return replace(level, values=values, dense=dense.reshape(level.dense.shape))


def _even(values: Float32) -> Float32:
    bits = values.view(np.uint32).astype(np.uint64)
    even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return even.astype(np.uint32).view(np.float32)


def _in_steps(values: Float32, nodes: Any, n_nodes: int) -> Float32:
    scale = np.zeros(n_nodes, np.float32)
    np.maximum.at(scale, nodes, np.abs(values) / np.float32(127))
    safe = np.where(scale > 0, scale, np.float32(1))
    steps = np.clip(np.rint(values / safe[nodes]), -127, 127)
    rounded: Float32 = (steps * scale[nodes]).astype(np.float32)
    return rounded


def entry_nodes(level: LevelWeights) -> Any:
    """Node of every stored weight."""
    block_of_row = np.repeat(np.arange(len(level.block_rows) - 1), np.diff(level.block_rows))
    return np.repeat(level.blocks.begin[block_of_row], np.diff(level.row_entries)) + level.children


def whole_matrix(level: LevelWeights) -> Float32:
    """All weights, shape (d, nodes): those of the sparse columns, then those of the dense ones."""
    sparse: Float32 = level.matrix().toarray()
    return sparse if level.dense is None else np.vstack([sparse, level.dense.T])


def log_score(transform: str, margins: Float64) -> Float64:
    """Log score of a margin."""
    name = transform.removeprefix("log-")
    if name == "sigmoid":
        return -np.logaddexp(0.0, -margins)
    return -(np.maximum(0.0, 1.0 - margins) ** int(name[1]))


Rule = Callable[[int, int], bool]
"""Whether the node of a level may be entered."""

Reached = tuple[float, float, int]
"""(-score, -margin, node); the best is the smallest."""


def weighted(path: Any, config: SearchConfig) -> Any:
    """Contribution of the log score of a path to the log scores of the leaves below it."""
    return config.path_weight * path if config.path_weight else 0.0 * np.zeros_like(path)


@dataclass(frozen=True)
class PlainModel:
    """A tree with dense weights.

    Parameters
    ----------
    tree : LabelTree
        The hierarchy.
    levels : sequence of LevelWeights
        Weights per level, from the top.
    """

    tree: LabelTree
    levels: Sequence[LevelWeights]

    def margins(self, X: Any) -> list[Float64]:
        """Per level the margins of all nodes, shape (n, nodes)."""
        X = X.toarray().astype(np.float64) if hasattr(X, "toarray") else np.asarray(X, np.float64)
        return [X @ whole_matrix(level) + level.bias for level in self.levels]

    def search(
        self, X: Any, k: int, config: SearchConfig, *, allowed: Any = None, forbidden: Any = None
    ) -> tuple[Int32, Float32]:
        """The k best labels of every row: as ``kernels.predict.Searcher.search``."""
        labels = np.full((X.shape[0], k), -1, np.int32)
        scores = np.full((X.shape[0], k), -np.inf, np.float32)
        margins = self.margins(X)
        for row in range(X.shape[0]):
            never = set() if forbidden is None else set(forbidden[row].indices.tolist())
            may = self._entry_rule(allowed, never)
            beam = self._beam_above_leaves([level[row] for level in margins], config, may)
            found = self._leaves([level[row] for level in margins], beam, config, may)
            for rank, (label, score) in enumerate(found[:k]):
                labels[row, rank], scores[row, rank] = label, score
        return labels, scores

    def _entry_rule(self, allowed: Any, never: set[int]) -> Rule:
        """Whether a node may be entered: it has an allowed label below it, and a leaf is not forbidden."""
        last = self.tree.depth - 1
        below = [set(range(self.tree.n_labels))] if allowed is None else [set(np.flatnonzero(allowed).tolist())]
        good = [np.isin(self.tree.leaf_labels, list(below[0]))]
        for level in range(last, 0, -1):
            above = np.zeros(len(self.tree.parents[level - 1]), bool)
            np.logical_or.at(above, self.tree.parents[level], good[0])
            good.insert(0, above)
        leaf_labels = self.tree.leaf_labels

        def may(level: int, node: int) -> bool:
            return bool(good[level][node]) and (level < last or int(leaf_labels[node]) not in never)

        return may

    def _beam_above_leaves(self, margins: Sequence[Float64], config: SearchConfig, may: Rule) -> list[Reached]:
        beam: list[Reached] = [(0.0, 0.0, 0)]
        for level in range(self.tree.depth - 1):
            beam = self._children(level, margins[level], beam, config, may)[: config.beam]
        return beam

    def _children(self, level: int, margins: Float64, beam: list[Reached], config: SearchConfig, may: Rule) -> Any:
        """The children of a beam that may be entered, best first."""
        logs = log_score(config.transform, margins)
        reached = []
        for minus, _, above in beam:
            for node in np.flatnonzero(self.tree.parents[level] == above).tolist():
                if may(level, node):
                    reached.append((minus - float(logs[node]), -float(margins[node]), node))
        return sorted(reached)

    def _leaves(
        self, margins: Sequence[Float64], beam: list[Reached], config: SearchConfig, may: Rule
    ) -> list[tuple[int, float]]:
        last = self.tree.depth - 1
        if last > 0:
            beam = [(weighted(minus, config), 0.0, node) for minus, _, node in beam]
        copies: dict[int, list[float]] = {}
        for minus, _, leaf in self._children(last, margins[last], beam, config, may):
            copies.setdefault(int(self.tree.leaf_labels[leaf]), []).append(-minus)  # the best comes first
        merged = {label: merged_copies(scores, config.copies) for label, scores in copies.items()}
        return [(label, _shown(merged[label], config)) for label in sorted(merged, key=lambda label: -merged[label])]

    def leaf_scores(self, X: Any, config: SearchConfig) -> Float64:
        """Scores of all leaves, shape (n, leaves), without a beam."""
        margins = self.margins(X)
        total = np.zeros((X.shape[0], 1))
        for parent, margin in zip(self.tree.parents, margins, strict=True):
            if parent is self.tree.parents[-1] and len(self.tree.parents) > 1:
                total = weighted(total, config)
            total = total[:, parent] + log_score(config.transform, margin)
        return total if config.transform.startswith("log-") else np.exp(total)


def merged_copies(scores: Sequence[float], rule: str) -> float:
    """The log score of a label from those of its leaves, best first."""
    if rule == "max":
        return scores[0]
    total = float(np.logaddexp.reduce(scores))
    return total - float(np.log(len(scores))) if rule == "mean" else total


def _shown(score: float, config: SearchConfig) -> float:
    if config.transform.startswith("log-"):
        return score
    return float(np.exp(score))
