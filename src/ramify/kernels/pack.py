"""Packing of trained weights into the form of prediction, and back. Twin: ``ramify.reference.predict.rounded``.

See cpp/packed.hpp for the arrays.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify import _native
from ramify.checks import OneOf
from ramify.errors import ModelFileError
from ramify.kernels.check import ascends
from ramify.spill import Empty
from ramify.values import Float32
from ramify.weights import ENTRY_BYTES, PANEL, PRECISIONS, Blocks, LevelWeights, PackedLevel, hash_bits

NARROW_KEY_BITS = 20
_DENSE_TYPES: dict[str, type[Any]] = {"int8": np.int8, "bf16": np.uint16, "fp32": np.float32}


def pack(level: LevelWeights, precision: str = "int8", *, empty: Empty = np.empty) -> PackedLevel:
    """Round and hash the weights of a level into the packed form of prediction.

    Parameters
    ----------
    level : LevelWeights
        Trained weights.
    precision : {"int8", "bf16", "fp32"}, default "int8"
        Storage of the weights; int8 has one scale per node.
    empty : callable, default numpy.empty
        Makes the large arrays, such as ``Spill.empty``.

    Raises
    ------
    InputError
        An unknown precision, or weights that are inconsistent.
    """
    OneOf(PRECISIONS).check("precision", precision)
    level.check()
    bits = hash_bits(level.n_sparse)
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
        words=empty(2 * packing.words, np.uint64),
        keys=empty(n_rows, _key_type(bits)),
        counts=empty(n_rows, np.uint8),
        entries=empty(n_entries * ENTRY_BYTES[precision], np.uint8),
        scale=np.empty(level.n_nodes, np.float32),
        bias=level.bias,
        n_dense=level.n_dense,
    )
    out = (packed.block_words, packed.words, packed.keys.view(np.uint8), packed.counts, packed.entries, packed.scale)
    _native.fill_pack(packing, *plain, level.n_nodes, bits, PRECISIONS.index(precision), *out, packed.block_entries)
    return packed if level.dense is None else _with_dense(packed, level.dense)


def _with_dense(packed: PackedLevel, weights: Float32) -> PackedLevel:
    """The level with dense weights, shape (nodes, m): block by block in panels of columns x ``PANEL`` children."""
    n_nodes, n_dense = weights.shape
    scale = np.ones(n_nodes, np.float32)
    if packed.precision == "int8":
        scale = np.maximum(weights.max(axis=1), -weights.min(axis=1)) / np.float32(127)
    pointers = packed.block_dense
    dense = np.zeros(pointers[-1], _DENSE_TYPES[packed.precision])
    for block, (first, last) in enumerate(pairwise(packed.block_begin.tolist())):
        panels = dense[pointers[block] : pointers[block + 1]].reshape(-1, n_dense, PANEL)
        rows = np.zeros((len(panels) * PANEL, n_dense), dense.dtype)
        rows[: last - first] = _rounded(weights[first:last], scale[first:last], packed.precision)
        panels[:] = rows.reshape(len(panels), PANEL, n_dense).transpose(0, 2, 1)
    return replace(packed, dense=dense, dense_scale=scale)


def _rounded(weights: Float32, scale: Float32, precision: str) -> npt.NDArray[Any]:
    """Weights in a precision: multiples of the scale of their node, bf16 to nearest even, or unchanged."""
    if precision == "int8":
        steps = np.divide(weights, scale[:, None], out=np.zeros_like(weights), where=scale[:, None] > 0)
        return np.clip(np.rint(steps), -127, 127).astype(np.int8)
    if precision == "bf16":
        bits = np.ascontiguousarray(weights).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return weights


def _dense_of(packed: PackedLevel) -> Float32 | None:
    """The rounded dense weights, shape (nodes, m)."""
    if packed.dense is None or packed.dense_scale is None:
        return None
    weights = np.empty((packed.n_nodes, packed.n_dense), np.float32)
    pointers = packed.block_dense
    for block, (first, last) in enumerate(pairwise(packed.block_begin.tolist())):
        numbers = packed.dense[pointers[block] : pointers[block + 1]]
        if packed.precision == "bf16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        panels = numbers.reshape(-1, packed.n_dense, PANEL).transpose(0, 2, 1)
        weights[first:last] = panels.reshape(-1, packed.n_dense)[: last - first]
    weights *= packed.dense_scale[:, None]
    return weights


def _key_type(bits: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint32 if bits > NARROW_KEY_BITS else np.uint16


def unpack(packed: PackedLevel) -> LevelWeights:
    """The rounded weights of a packed level as ``LevelWeights``."""
    n_rows, n_entries = int(packed.block_rows[-1]), packed.n_entries
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
        dense=_dense_of(packed),
    )
    try:
        _native.unpack(native_level(packed), level.features, level.row_entries, level.children, level.values)
    except ValueError as error:
        raise ModelFileError(f"the model's weights are damaged ({error}): restore the model directory") from None
    if n_rows and level.features.max() >= level.n_sparse:
        raise ModelFileError("the model's weights are damaged (a feature out of range): restore the model directory")
    return level


def native_level(packed: PackedLevel) -> _native.PackedLevel:
    """The level as an argument of native code, which keeps references to the arrays."""
    n_blocks = len(packed.block_begin) - 1
    sizes = [packed.n_nodes, packed.n_parents, n_blocks, len(packed.words) // 2, len(packed.keys)]
    bits = packed.hash_bits
    sizes += [packed.n_entries, bits, int(bits > NARROW_KEY_BITS), PRECISIONS.index(packed.precision)]
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
        _native_dense(packed),
    )


def _native_dense(packed: PackedLevel) -> _native.DenseWeights | None:
    if packed.dense is None or packed.dense_scale is None:
        return None
    return _native.DenseWeights(packed.n_dense, packed.block_dense, packed.dense.view(np.uint8), packed.dense_scale)


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
    types |= {"dense": _DENSE_TYPES[packed.precision], "dense_scale": np.float32}
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
    _check_dense(packed, int(blocks.begin[-1]))
    n_nodes = int(blocks.begin[-1])
    if len(packed.counts) != len(packed.keys) or len(packed.scale) != n_nodes or len(packed.bias) != n_nodes:
        raise ModelFileError("the arrays of a level differ in length: the model directory is damaged")


def _check_dense(packed: PackedLevel, n_nodes: int) -> None:
    wanted = (int(packed.block_dense[-1]), n_nodes) if packed.n_dense else (None, None)
    found = tuple(None if array is None else len(array) for array in (packed.dense, packed.dense_scale))
    if found != wanted:
        raise ModelFileError("the dense weights of a level do not fit its tree: the model directory is damaged")
