"""The linear classifiers of one level of a label tree, in two forms.

``LevelWeights``, the result of training: weights by block of siblings, by feature, by child.
``PackedLevel``, the input of prediction (see cpp/packed.hpp): rounded, hashed, suitable for memory mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import Float32, Int32, Int64, LabelTree

MAX_BLOCK = 256
"""Maximum number of children of a block, so that their numbers fit into a byte."""

ROWS_AT_ONCE = 1 << 16
"""Rows that are checked at a time, to limit the memory of the check."""

PRECISIONS = ("int8", "bf16", "fp32")
ENTRY_BYTES = {"int8": 2, "bf16": 3, "fp32": 5}

PANEL = 16
"""Children of a block whose dense weights are stored together."""


@dataclass(frozen=True)
class Blocks:
    """Contiguous siblings; parents with more than 256 children have several blocks.

    Parameters
    ----------
    parent_blocks : int64 array, length parents + 1
        Blocks of parent p are [parent_blocks[p], parent_blocks[p + 1]).
    begin : int64 array, length blocks + 1
        Children of block b are the nodes [begin[b], begin[b + 1]) of the level.
    parent : int32 array, length blocks
        The parent of each block.
    """

    parent_blocks: Int64
    begin: Int64
    parent: Int32

    @classmethod
    def of(cls, tree: LabelTree, level: int) -> Blocks:
        """The blocks of one level of a tree."""
        return cls.below(np.diff(tree.first_children(level)))

    @classmethod
    def below(cls, n_children: Int64) -> Blocks:
        """The blocks of a level from the number of children of each parent."""
        first = np.concatenate([[0], np.cumsum(n_children)])
        n_blocks = -(-n_children // MAX_BLOCK)
        parent_blocks = np.concatenate([[0], np.cumsum(n_blocks)]).astype(np.int64)
        parent = np.repeat(np.arange(len(n_blocks), dtype=np.int32), n_blocks)
        within = np.arange(len(parent)) - parent_blocks[parent]
        begin = np.append(first[parent] + within * MAX_BLOCK, first[-1]).astype(np.int64)
        return cls(parent_blocks, begin, parent)


@dataclass(frozen=True)
class LevelWeights:
    """Trained classifiers of one level.

    Parameters
    ----------
    blocks : Blocks
        Blocks of siblings of the level.
    n_features : int
        Width of X, with the columns of a dense block.
    block_rows : int64 array, length blocks + 1
        Rows of block b are [block_rows[b], block_rows[b + 1]); a row is a feature that the block uses.
    features : int32 array, length rows
        Column of X; ascending within a block.
    row_entries : int64 array, length rows + 1
        Weights of row r are [row_entries[r], row_entries[r + 1]).
    children : uint8 array, length entries
        Number of the child within its block; ascending within a row.
    values : float32 array, length entries
        Its weight.
    bias : float32 array, length nodes
        Intercepts.
    dense : float32 array, shape (nodes, m), optional
        Weights of the last m columns of X, the dense block of a ``Hybrid``.
    """

    blocks: Blocks
    n_features: int
    block_rows: Int64
    features: Int32
    row_entries: Int64
    children: npt.NDArray[np.uint8]
    values: Float32
    bias: Float32
    dense: Float32 | None = None

    def __post_init__(self) -> None:
        n_rows, n_entries, n_blocks = len(self.features), len(self.values), len(self.blocks.begin) - 1
        fits = len(self.block_rows) == n_blocks + 1 and len(self.row_entries) == n_rows + 1
        if not fits or len(self.children) != n_entries or len(self.bias) != self.blocks.begin[-1]:
            raise InputError("the arrays of LevelWeights differ in length: see the docstring of LevelWeights")
        if self.dense is not None and (self.dense.ndim != 2 or len(self.dense) != self.n_nodes):
            raise InputError("the dense weights of LevelWeights must have one row per node")

    @property
    def n_dense(self) -> int:
        """Columns of the dense block of X, m."""
        return 0 if self.dense is None else int(self.dense.shape[1])

    @property
    def n_sparse(self) -> int:
        """Sparse columns of X."""
        return self.n_features - self.n_dense

    @property
    def n_nodes(self) -> int:
        """Nodes of the level."""
        return len(self.bias)

    def check(self) -> None:
        """Raise InputError for weights that are not safe for native code.

        Raises
        ------
        InputError
            Pointers that do not ascend, features or children out of range or out of order, values not finite.
        """
        n_rows, n_entries = len(self.features), len(self.values)
        pointers = ((self.block_rows, n_rows), (self.row_entries, n_entries), (self.blocks.begin, self.n_nodes))
        sound = all(p[0] == 0 and p[-1] == end and (p[1:] >= p[:-1]).all() for p, end in pointers)
        starts = range(0, n_rows, ROWS_AT_ONCE)
        if not sound or not all(self._rows_are_sound(start, min(n_rows, start + ROWS_AT_ONCE)) for start in starts):
            raise InputError("LevelWeights are inconsistent: see the docstring of LevelWeights")
        if self.dense is not None and not all(
            np.isfinite(self.dense[first : first + ROWS_AT_ONCE]).all()
            for first in range(0, self.n_nodes, ROWS_AT_ONCE)
        ):
            raise InputError("the dense weights of LevelWeights are not finite")

    def _rows_are_sound(self, first: int, last: int) -> bool:
        """Whether rows first..last - 1 are valid and follow the row before them."""
        pointers, features = self.row_entries[first : last + 1], self.features[first:last]
        sizes = np.diff(pointers)
        if sizes.min() < 1 or sizes.max() > MAX_BLOCK or features.min() < 0 or features.max() >= self.n_sparse:
            return False
        before = max(0, first - 1)
        block = np.searchsorted(self.block_rows, np.arange(before, last), side="right") - 1
        same_block = block[1:] == block[:-1]
        entries = slice(pointers[0], pointers[-1])
        last_child = np.maximum.reduceat(self.children[entries], pointers[:-1] - pointers[0])
        return bool(
            not (same_block & (np.diff(self.features[before:last]) <= 0)).any()
            and (last_child < np.diff(self.blocks.begin)[block[first - before :]]).all()
            and np.isfinite(self.values[entries]).all()
        )

    def matrix(self) -> sp.csc_matrix:
        """Weights of the sparse columns, shape (d, nodes): one column per node, without intercepts."""
        rows_of_block = np.diff(self.block_rows)
        block_of_row = np.repeat(np.arange(len(rows_of_block)), rows_of_block)
        entries_of_row = np.diff(self.row_entries)
        nodes = np.repeat(self.blocks.begin[block_of_row], entries_of_row) + self.children
        features = np.repeat(self.features, entries_of_row)
        return sp.csc_matrix((self.values, (features, nodes)), shape=(self.n_sparse, self.n_nodes))


def concatenated(parts: Sequence[LevelWeights], blocks: Blocks) -> LevelWeights:
    """Join the weights of consecutive ranges of parents into one level.

    Parameters
    ----------
    parts : sequence of LevelWeights
        Weights of the nodes below each range of parents, in order; together they have the nodes of ``blocks``.
    blocks : Blocks
        Blocks of the level.
    """
    dense = [part.dense for part in parts if part.dense is not None]
    return LevelWeights(
        blocks=blocks,
        n_features=parts[0].n_features,
        block_rows=_chained([part.block_rows for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        row_entries=_chained([part.row_entries for part in parts]),
        children=np.concatenate([part.children for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        bias=np.concatenate([part.bias for part in parts]),
        dense=np.concatenate(dense) if dense else None,
    )


def _chained(pointers: Sequence[Int64]) -> Int64:
    """Pointers of consecutive parts, each from 0, as pointers of the whole."""
    sizes = [np.diff(one) for one in pointers]
    return np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)


def joined(parts: Sequence[tuple[LevelWeights, Int64]], blocks: Blocks) -> LevelWeights:
    """Join nodes of several levels with the same parents into one level.

    Parameters
    ----------
    parts : sequence of (LevelWeights, int64 array)
        Weights, and for each of their nodes its number in the new level, below the same parent; -1 excludes it.
    blocks : Blocks
        Blocks of the new level. Nodes that are in no part have weights of 0.
    """
    n_nodes, n_dense = int(blocks.begin[-1]), parts[0][0].n_dense
    bias = np.zeros(n_nodes, np.float32)
    dense = np.zeros((n_nodes, n_dense), np.float32) if n_dense else None
    for level, places in parts:
        bias[places[places >= 0]] = level.bias[places >= 0]
        if dense is not None and level.dense is not None:
            dense[places[places >= 0]] = level.dense[places >= 0]
    pieces = [_joined_below(parent, parts, blocks) for parent in range(len(blocks.parent_blocks) - 1)]
    rows, features, sizes, children, values = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return LevelWeights(
        blocks=blocks,
        n_features=parts[0][0].n_features,
        block_rows=np.concatenate([[0], np.cumsum(rows)]).astype(np.int64),
        features=features.astype(np.int32),
        row_entries=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        children=children.astype(np.uint8),
        values=values,
        bias=bias,
        dense=dense,
    )


def _joined_below(
    parent: int, parts: Sequence[tuple[LevelWeights, Int64]], blocks: Blocks
) -> tuple[Int64, Int64, Int64, Int64, Float32]:
    """Of one parent: rows of each block; feature and entries of each row; child and value of each entry."""
    found = [_entries_below(parent, level, places) for level, places in parts]
    features, nodes, values = (np.concatenate(column) for column in zip(*found, strict=True))
    first, last = blocks.parent_blocks[parent : parent + 2]
    block = np.searchsorted(blocks.begin[first:last], nodes, side="right") - 1
    order = np.lexsort((nodes, features, block))
    features, nodes, values, block = features[order], nodes[order], values[order], block[order]
    starts = np.flatnonzero(np.diff(block, prepend=-1) | np.diff(features, prepend=-1))
    rows = np.bincount(block[starts], minlength=last - first)
    return rows, features[starts], np.diff(starts, append=len(nodes)), nodes - blocks.begin[first:last][block], values


def _entries_below(parent: int, level: LevelWeights, places: Int64) -> tuple[Int64, Int64, Float32]:
    """Feature, place of the node, and value of each weight that a part has below a parent."""
    first, last = level.blocks.parent_blocks[parent : parent + 2]
    rows = slice(level.block_rows[first], level.block_rows[last])
    entries = slice(level.row_entries[rows.start], level.row_entries[rows.stop])
    sizes = np.diff(level.row_entries[rows.start : rows.stop + 1])
    begin = np.repeat(level.blocks.begin[first:last], np.diff(level.block_rows[first : last + 1]))
    node = places[np.repeat(begin, sizes) + level.children[entries]]
    features, values, kept = np.repeat(level.features[rows], sizes), level.values[entries], node >= 0
    return features[kept].astype(np.int64), node[kept], values[kept]


@dataclass(frozen=True)
class PackedLevel:
    """Classifiers of one level in the form of prediction; every array may be memory-mapped.

    See cpp/packed.hpp for the meaning of the arrays. Without a dense block in X, ``n_dense`` is 0, and ``dense`` and
    ``dense_scale`` are None.
    """

    n_features: int
    precision: str
    parent_blocks: Int64
    block_begin: Int64
    block_words: Int64
    block_rows: Int64
    block_entries: Int64
    words: npt.NDArray[np.uint64]
    keys: npt.NDArray[Any]
    counts: npt.NDArray[np.uint8]
    entries: npt.NDArray[np.uint8]
    scale: Float32
    bias: Float32
    n_dense: int = 0
    dense: npt.NDArray[Any] | None = None
    dense_scale: Float32 | None = None

    @property
    def n_nodes(self) -> int:
        """Nodes of the level."""
        return len(self.bias)

    @property
    def n_sparse(self) -> int:
        """Sparse columns of X."""
        return self.n_features - self.n_dense

    @property
    def n_entries(self) -> int:
        """Number of weights of sparse columns."""
        return int(self.block_entries[-1])

    @property
    def block_dense(self) -> Int64:
        """Place of the dense weights of each block, length blocks + 1."""
        panels = -(-np.diff(self.block_begin) // PANEL)
        return np.concatenate([[0], np.cumsum(panels * PANEL * self.n_dense)]).astype(np.int64)

    @property
    def n_parents(self) -> int:
        """Nodes of the level above."""
        return len(self.parent_blocks) - 1

    @property
    def n_weights(self) -> int:
        """Number of weights."""
        return self.n_entries + self.n_nodes * self.n_dense

    @property
    def hash_bits(self) -> int:
        """Features hash into [0, 2^hash_bits)."""
        return hash_bits(self.n_sparse)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, for a model directory."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: array for name, array in named.items() if isinstance(array, np.ndarray)}


def hash_bits(n_features: int) -> int:
    """Bits of the bijective feature hash: enough for every column, at least 6."""
    return max(6, int(n_features - 1).bit_length())
