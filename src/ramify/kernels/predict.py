"""Packing of weights and beam search over packed levels. Twin: ``ramify.reference.predict``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ramify import _native
from ramify.checks import COUNT, CheckedWhenMade, OneOf, Real, Rules, thread_count, whole_number
from ramify.errors import InputError, ModelFileError
from ramify.kernels.check import ascends, csr_arrays
from ramify.values import CSR, Float32, Int32, Int64, LabelTree, TopK
from ramify.weights import ENTRY_BYTES, PRECISIONS, Blocks, LevelWeights, PackedLevel, hash_bits

TRANSFORMS = ("l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge", "sigmoid")
NativeOptions: TypeAlias = _native.SearchOptions
"""From ``SearchConfig.native``."""

COPIES = ("max", "mean", "sum")
NARROW_KEY_BITS = 20
_NO_POINTERS = np.empty(0, np.int64)
_NO_LABELS = np.empty(0, np.int32)


def pack(level: LevelWeights, precision: str = "int8") -> PackedLevel:
    """Round and hash the weights of a level into the packed form of prediction.

    Parameters
    ----------
    level : LevelWeights
        Trained weights.
    precision : {"int8", "bf16", "fp32"}, default "int8"
        Storage of the weights; int8 has one scale per node.

    Raises
    ------
    InputError
        An unknown precision, or weights that are inconsistent.
    """
    OneOf(PRECISIONS).check("precision", precision)
    level.check()
    bits = hash_bits(level.n_features)
    plain = (level.blocks.begin, level.block_rows, level.features, level.row_entries, level.children, level.values)
    packing = _native.plan_pack(*plain, level.n_nodes, bits)
    n_rows, n_entries, n_blocks = len(level.features), len(level.values), len(level.blocks.parent)
    packed = PackedLevel(
        n_features=level.n_features,
        precision=precision,
        parent_blocks=level.blocks.parent_blocks,
        block_begin=level.blocks.begin,
        block_words=np.empty(n_blocks + 1, np.int64),
        block_rows=level.block_rows,
        block_entries=np.empty(n_blocks + 1, np.int64),
        words=np.empty(2 * packing.words, np.uint64),
        keys=np.empty(n_rows, _key_type(bits)),
        counts=np.empty(n_rows, np.uint8),
        entries=np.empty(n_entries * ENTRY_BYTES[precision], np.uint8),
        scale=np.empty(level.n_nodes, np.float32),
        bias=level.bias,
    )
    out = (packed.block_words, packed.words, packed.keys.view(np.uint8), packed.counts, packed.entries, packed.scale)
    _native.fill_pack(packing, *plain, level.n_nodes, bits, PRECISIONS.index(precision), *out, packed.block_entries)
    return packed


def _key_type(bits: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint32 if bits > NARROW_KEY_BITS else np.uint16


def unpack(packed: PackedLevel) -> LevelWeights:
    """The rounded weights of a packed level as ``LevelWeights``."""
    n_rows, n_entries = int(packed.block_rows[-1]), packed.n_weights
    n_blocks_of_parent = np.diff(packed.parent_blocks)
    level = LevelWeights(
        blocks=Blocks(
            packed.parent_blocks,
            packed.block_begin,
            np.repeat(np.arange(packed.n_parents, dtype=np.int32), n_blocks_of_parent),
        ),
        n_features=packed.n_features,
        block_rows=packed.block_rows,
        features=np.empty(n_rows, np.int32),
        row_entries=np.empty(n_rows + 1, np.int64),
        children=np.empty(n_entries, np.uint8),
        values=np.empty(n_entries, np.float32),
        bias=packed.bias,
    )
    try:
        _native.unpack(_native_level(packed), level.features, level.row_entries, level.children, level.values)
    except ValueError as error:
        raise ModelFileError(f"the model's weights are damaged ({error}): restore the model directory") from None
    if n_rows and level.features.max() >= level.n_features:
        raise ModelFileError("the model's weights are damaged (a feature out of range): restore the model directory")
    return level


def _native_level(packed: PackedLevel) -> _native.PackedLevel:
    n_blocks = len(packed.block_begin) - 1
    sizes = [packed.n_nodes, packed.n_parents, n_blocks, len(packed.words) // 2, len(packed.keys)]
    bits = packed.hash_bits
    sizes += [packed.n_weights, bits, int(bits > NARROW_KEY_BITS), PRECISIONS.index(packed.precision)]
    return _native.make_level(
        sizes,
        packed.parent_blocks,
        packed.block_begin,
        packed.block_words,
        packed.block_rows,
        packed.block_entries,
        packed.words,
        packed.keys.view(np.uint8),
        packed.counts,
        packed.entries,
        packed.scale,
        packed.bias,
    )


def check_packed(packed: PackedLevel, blocks: Blocks) -> None:
    """Raise ModelFileError for a packed level that is not safe for native code, for example from a damaged file.

    Parameters
    ----------
    packed : PackedLevel
        The level.
    blocks : Blocks
        Blocks of siblings, from the tree.

    Raises
    ------
    ModelFileError
        Types, lengths or pointers that do not agree.
    """
    types = {"words": np.uint64, "counts": np.uint8, "entries": np.uint8, "scale": np.float32, "bias": np.float32}
    types |= dict.fromkeys(("parent_blocks", "block_begin", "block_words", "block_rows", "block_entries"), np.int64)
    types["keys"] = _key_type(packed.hash_bits)
    for name, array in packed.arrays().items():
        if array.dtype != types[name] or array.ndim != 1 or not array.flags.c_contiguous:
            raise ModelFileError(f"array {name} has the wrong type or shape: the model directory is damaged")
    for name, pointer, wanted in (
        ("parent_blocks", packed.parent_blocks, blocks.parent_blocks),
        ("block_begin", packed.block_begin, blocks.begin),
    ):
        if not np.array_equal(pointer, wanted):
            raise ModelFileError(f"array {name} does not fit the tree: the model directory is damaged")
    for name, pointer, end in (
        ("block_words", packed.block_words, len(packed.words) / 2),
        ("block_rows", packed.block_rows, len(packed.keys)),
        ("block_entries", packed.block_entries, len(packed.entries) / ENTRY_BYTES[packed.precision]),
    ):
        if len(pointer) != len(blocks.begin) or not ascends(pointer, end):
            raise ModelFileError(f"array {name} does not fit the others: the model directory is damaged")
    n_words = np.diff(packed.block_words)
    powers = (n_words & (n_words - 1)) == 0
    if not powers.all() or (n_words > 2 ** (packed.hash_bits - 6)).any():
        raise ModelFileError("a block of the weights has an impossible size: the model directory is damaged")
    n_nodes = int(blocks.begin[-1])
    if len(packed.counts) != len(packed.keys) or len(packed.scale) != n_nodes or len(packed.bias) != n_nodes:
        raise ModelFileError("the arrays of a level differ in length: the model directory is damaged")


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
    """

    def __init__(
        self,
        tree: LabelTree,
        levels: Sequence[PackedLevel],
        allowed_labels: npt.NDArray[np.bool_] | None = None,
        log_bias: Float32 | None = None,
    ) -> None:
        if len(levels) != tree.depth:
            raise InputError(f"there are weights for {len(levels)} levels, but the tree has {tree.depth}")
        self.n_features = levels[0].n_features
        self.n_labels, self.n_leaves = tree.n_labels, tree.n_leaves
        masks: list[npt.NDArray[np.uint8] | None] = [None] * tree.depth
        if allowed_labels is not None:
            masks = [*_allowed_nodes(tree, allowed_labels)]
        natives = [_native_level(level) for level in levels]
        leaf_bias = None if log_bias is None else _leaf_bias(tree, log_bias)
        self._native = _native.Searcher(
            natives, list(tree.parents), masks, tree.leaf_labels, tree.n_labels, leaf_bias, _most_copies(tree)
        )

    def search(
        self,
        X: CSR,
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
        _native.search(self._native, *csr_arrays(X), X.shape[1], options, pointers, never, labels, scores, progress)
        return labels, scores

    def search_one(self, indices: Int32, values: Float32, options: NativeOptions, k: int) -> tuple[Int32, Float32]:
        """``search`` for a single instance given by its features and values; ``options`` is ``config.native(k, 1)``."""
        labels = np.empty((1, k), np.int32)
        scores = np.empty((1, k), np.float32)
        try:
            _native.search_one(self._native, indices, values, options, labels, scores)
        except (TypeError, ValueError):
            raise InputError(
                "a single instance is an int32 vector of feature numbers and a float32 vector of as many values"
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
        self, X: CSR, pointers: Int64, leaves: Int32, config: SearchConfig, *, threads: int = 1
    ) -> tuple[Float32, Float32]:
        """Scores and margins, without a beam, of leaves[pointers[i]:pointers[i + 1]] for row i of X."""
        self._check_width(X)
        if len(pointers) != X.shape[0] + 1 or not ascends(pointers, len(leaves)):
            raise InputError(f"pointers must ascend from 0 to {len(leaves)}, the number of leaves given")
        if len(leaves) and (leaves.min() < 0 or leaves.max() >= self.n_leaves):
            raise InputError(f"leaves must lie in 0..{self.n_leaves - 1}")
        scores, margins = np.empty(len(leaves), np.float32), np.empty(len(leaves), np.float32)
        options = config.native(1, threads)
        _native.score(self._native, *csr_arrays(X), X.shape[1], pointers, leaves, options, scores, margins, None)
        return scores, margins

    def score_labels(
        self, X: CSR, pointers: Int64, leaves: Int32, label_pointers: Int64, config: SearchConfig, *, threads: int = 1
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

    def _check_width(self, X: CSR) -> None:
        if X.shape[1] != self.n_features:
            raise InputError(f"X has {X.shape[1]} columns, but the model has {self.n_features} features")


def nodes_reached(
    parents: tuple[Int32, ...], levels: Sequence[PackedLevel], X: CSR, config: SearchConfig, *, threads: int = 1
) -> CSR:
    """Nodes that a beam search of inner levels ends at.

    Parameters
    ----------
    parents : tuple of int32 arrays
        Of the levels searched, from the top (see ``LabelTree``).
    levels : sequence of PackedLevel
        Their weights.
    X : csr_matrix, shape (n, d)
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
