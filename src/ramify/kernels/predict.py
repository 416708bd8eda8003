"""Beam search over packed levels. Twin: ``ramify.reference.predict``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ramify import _native
from ramify.checks import COUNT, CheckedWhenMade, OneOf, Real, Rules, thread_count, whole_number
from ramify.errors import InputError
from ramify.kernels.check import ascends, csr_arrays, feature_arrays
from ramify.kernels.pack import native_level
from ramify.values import CSR, Features, Float32, Hybrid, Int32, Int64, LabelTree, TopK
from ramify.weights import PackedLevel

TRANSFORMS = ("l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge", "sigmoid")
NativeOptions: TypeAlias = _native.SearchOptions
"""From ``SearchConfig.native``."""

COPIES = ("max", "mean", "sum")
_NO_POINTERS = np.empty(0, np.int64)
_NO_LABELS = np.empty(0, np.int32)


@dataclass(frozen=True, kw_only=True)
class SearchConfig(CheckedWhenMade):
    """Settings of beam search and of the score (PECOS; docs/papers.md).

    Parameters
    ----------
    beam : int, default 10
        Nodes kept per level.
    transform : {"l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge", "sigmoid"}
        Node score of a margin s: exp(-max(0, 1 - s)^p), or 1 / (1 + exp(-s)); the score of a path is the product. With
        the prefix "log-" scores are reported as logarithms.
    path_weight : float, default 1
        Exponent of the score of the path above a leaf, 0 to 1: label score = leaf score × path score ^ path_weight.
    copies : {"max", "mean", "sum"}
        Score of a label with several leaves: that of its best leaf, or the mean or sum over its leaves that the search
        reached (the log of the sum is the log-sum-exp of their logarithms).
    """

    beam: int = 10
    transform: str = "l3-hinge"
    path_weight: float = 1.0
    copies: str = "max"

    RULES: ClassVar[Rules] = {
        "beam": COUNT,
        "transform": OneOf(TRANSFORMS, prefix="log-"),
        "path_weight": Real(0, 1),
        "copies": OneOf(COPIES),
    }

    def native(self, k: int, threads: int) -> NativeOptions:
        """Options of a native call.

        Raises
        ------
        InputError
            k or threads out of range.
        """
        name = self.transform.removeprefix("log-")
        return _native.SearchOptions(
            beam=self.beam,
            k=whole_number("k", k, 1, 2**31 - 1),
            transform=TRANSFORMS.index(name) + 1,
            log_scores=name != self.transform,
            path_weight=self.path_weight,
            copies=COPIES.index(self.copies),
            threads=thread_count(threads),
        )


class Searcher:
    """Beam search over a tree with packed levels. Keeps references to the arrays without a copy.

    Parameters
    ----------
    tree : LabelTree
        The labels' hierarchy.
    levels : sequence of PackedLevel
        Weights of each level, from the top.
    allowed_labels : bool array, shape (L,), optional
        Labels that may be predicted; the search does not enter branches without one.
    log_bias : float32 array, shape (L,), optional
        Value added to the log score of each label, at most 0.
    allowed_leaves : bool array, shape (leaves,), optional
        Leaves that may be predicted; the search enters other branches as well, so that the beam does not change.
    """

    def __init__(
        self,
        tree: LabelTree,
        levels: Sequence[PackedLevel],
        allowed_labels: npt.NDArray[np.bool_] | None = None,
        log_bias: Float32 | None = None,
        *,
        allowed_leaves: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        if len(levels) != tree.depth:
            raise InputError(f"there are weights for {len(levels)} levels, but the tree has {tree.depth}")
        self.n_features, self.n_dense = levels[0].n_features, levels[0].n_dense
        self.n_labels, self.n_leaves = tree.n_labels, tree.n_leaves
        masks: list[npt.NDArray[np.uint8] | None] = [None] * tree.depth
        if allowed_labels is not None:
            masks = [*_allowed_nodes(tree, allowed_labels)]
        if allowed_leaves is not None:
            mine = _allowed_leaves(tree, allowed_leaves)
            masks[-1] = mine if masks[-1] is None else mine & masks[-1]
        natives = [native_level(level) for level in levels]
        leaf_bias = None if log_bias is None else _leaf_bias(tree, log_bias)
        self._native = _native.Searcher(
            natives, list(tree.parents), masks, tree.leaf_labels, tree.n_labels, leaf_bias, _most_copies(tree)
        )

    def search(
        self,
        X: Features,
        k: int,
        config: SearchConfig,
        *,
        forbidden: CSR | None = None,
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[Int32, Float32]:
        """The k best labels and scores of every row of X, shapes (n, k); ``forbidden``, shape (n, L), are left out."""
        self._check_width(X)
        options = config.native(k, threads)
        labels = np.empty((X.shape[0], k), np.int32)
        scores = np.empty((X.shape[0], k), np.float32)
        pointers, never = (_NO_POINTERS, _NO_LABELS)
        if forbidden is not None:
            if forbidden.shape != (X.shape[0], self.n_labels):
                raise InputError(f"forbidden has shape {forbidden.shape}, but must be {(X.shape[0], self.n_labels)}")
            pointers, never = csr_arrays(forbidden.sorted_indices())[:2]
        _native.search(self._native, feature_arrays(X), options, pointers, never, labels, scores, progress)
        return labels, scores

    def search_one(
        self,
        indices: Int32,
        values: Float32,
        options: NativeOptions,
        k: int,
        dense: Float32 | None = None,
        dense_scale: float = 1.0,
    ) -> tuple[Int32, Float32]:
        """``search`` for a single instance given by its features and values; ``options`` is ``config.native(k, 1)``.

        ``dense``, shape (m,), times ``dense_scale`` is its dense block, for a model with dense weights.
        """
        labels = np.empty((1, k), np.int32)
        scores = np.empty((1, k), np.float32)
        try:
            _native.search_one(self._native, indices, values, dense, dense_scale, options, labels, scores)
        except (TypeError, ValueError):
            more = f", with a float32 vector of {self.n_dense} values for the dense block" if self.n_dense else ""
            raise InputError(
                f"a single instance is an int32 vector of feature numbers and a float32 vector of as many values{more}"
            ) from None
        return labels, scores

    def search_row(self, X: CSR, options: NativeOptions, k: int, slack: float) -> tuple[Int32, Float32] | None:
        """``search`` for a matrix with one row and n_features columns, without conversions.

        None if the row would have to be converted or scaled: other types, indices that do not ascend, values that are 0
        or not finite, or a squared length that differs from 1 by more than ``slack``. ``options`` is
        ``config.native(k, 1)``.
        """
        pointers = X.indptr.tolist()
        if len(pointers) != 2 or pointers[0] != 0:
            return None
        labels = np.empty((1, k), np.int32)
        scores = np.empty((1, k), np.float32)
        try:
            plain = _native.search_row(
                self._native, X.indices, X.data, pointers[1], self.n_features, slack, options, labels, scores
            )
        except (TypeError, ValueError):
            return None
        return (labels, scores) if plain else None

    def score(
        self, X: Features, pointers: Int64, leaves: Int32, config: SearchConfig, *, threads: int = 1
    ) -> tuple[Float32, Float32]:
        """Scores and margins, without a beam, of leaves[pointers[i]:pointers[i + 1]] for row i of X."""
        self._check_width(X)
        if len(pointers) != X.shape[0] + 1 or not ascends(pointers, len(leaves)):
            raise InputError(f"pointers must ascend from 0 to {len(leaves)}, the number of leaves given")
        if len(leaves) and (leaves.min() < 0 or leaves.max() >= self.n_leaves):
            raise InputError(f"leaves must lie in 0..{self.n_leaves - 1}")
        scores, margins = np.empty(len(leaves), np.float32), np.empty(len(leaves), np.float32)
        options = config.native(1, threads)
        _native.score(self._native, feature_arrays(X), pointers, leaves, options, scores, margins, None)
        return scores, margins

    def score_labels(
        self,
        X: Features,
        pointers: Int64,
        leaves: Int32,
        label_pointers: Int64,
        config: SearchConfig,
        *,
        threads: int = 1,
    ) -> tuple[Float32, Float32, Float32]:
        """Scores of labels, merged from their leaves as the search does, and scores and margins of the leaves.

        Row i of X is scored for leaves[pointers[i]:pointers[i + 1]]; label j has the ascending leaves
        leaves[label_pointers[j]:label_pointers[j + 1]]. The scores of leaves are logarithms.
        """
        logs = replace(config, transform="log-" + config.transform.removeprefix("log-"))
        found, margins = self.score(X, pointers, leaves, logs, threads=threads)
        if not ascends(label_pointers, len(leaves)):
            raise InputError(f"label_pointers must ascend from 0 to {len(leaves)}, the number of leaves given")
        merged = np.empty(len(label_pointers) - 1, np.float32)
        _native.merge(label_pointers, leaves, found, margins, config.native(1, 1), merged)
        return merged, found, margins

    def _check_width(self, X: Features) -> None:
        if X.shape[1] != self.n_features:
            raise InputError(f"X has {X.shape[1]} columns, but the model has {self.n_features} features")
        n_dense = X.n_dense if isinstance(X, Hybrid) else 0
        if n_dense != self.n_dense:
            raise InputError(
                f"X has a dense block of {n_dense} columns, but the model was trained on one of {self.n_dense}: "
                "give the features of the training data"
            )


def nodes_reached(
    parents: tuple[Int32, ...], levels: Sequence[PackedLevel], X: Features, config: SearchConfig, *, threads: int = 1
) -> CSR:
    """Nodes that a beam search of inner levels ends at.

    Parameters
    ----------
    parents : tuple of int32 arrays
        Of the levels searched, from the top (see ``LabelTree``).
    levels : sequence of PackedLevel
        Their weights.
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    config : SearchConfig
        Its ``path_weight`` is not used, because these nodes are inner nodes of the whole tree.

    Returns
    -------
    csr_matrix, shape (n, nodes of the last level)
        The score of the path, above 0, where the beam ends.
    """
    n_nodes = len(parents[-1])
    upper = LabelTree(parents, np.arange(n_nodes, dtype=np.int32), n_nodes)
    beam = min(config.beam, n_nodes)
    path = replace(config, path_weight=1.0, transform=config.transform.removeprefix("log-"))
    top = TopK(*Searcher(upper, levels).search(X, beam, path, threads=threads))
    scores = np.maximum(top.scores, np.finfo(np.float32).tiny)  # the product of a long path may underflow
    return top.matrix(top.labels >= 0, scores, n_nodes)


def _most_copies(tree: LabelTree) -> int:
    """Maximum number of leaves of a label."""
    if tree.n_labels <= 8 * tree.n_leaves:
        return int(np.bincount(tree.leaf_labels).max())
    return int(np.unique(tree.leaf_labels, return_counts=True)[1].max())  # memory grows with the leaves


def _leaf_bias(tree: LabelTree, log_bias: Float32) -> Float32:
    if log_bias.dtype != np.float32 or log_bias.shape != (tree.n_labels,):
        raise InputError(f"log_bias must be a float32 vector of length {tree.n_labels}")
    if not (log_bias <= 0).all():
        raise InputError("log_bias must be 0 at most for every label")
    return np.ascontiguousarray(log_bias[tree.leaf_labels])


def _allowed_leaves(tree: LabelTree, allowed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    if allowed.dtype != np.bool_ or allowed.shape != (tree.n_leaves,):
        raise InputError(f"allowed_leaves must be a bool vector of length {tree.n_leaves}")
    return allowed.astype(np.uint8)


def _allowed_nodes(tree: LabelTree, allowed_labels: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.uint8]]:
    if allowed_labels.dtype != np.bool_ or allowed_labels.shape != (tree.n_labels,):
        raise InputError(f"allowed_labels must be a bool vector of length {tree.n_labels}")
    nodes = allowed_labels[tree.leaf_labels]
    masks = [nodes.astype(np.uint8)]
    for level in range(tree.depth - 1, 0, -1):
        above = np.zeros(len(tree.parents[level - 1]), bool)
        above[tree.parents[level][nodes]] = True
        nodes = above
        masks.append(nodes.astype(np.uint8))
    return masks[::-1]
