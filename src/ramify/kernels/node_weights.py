"""Weights of one classifier for given features, read from the packed form of a level (see cpp/packed.hpp).

The search reads the weights of all siblings at once in native code. A reason needs those of one node: this lookup
touches only the rows of the given features, for weights of every precision, mapped from a file or not.

hash    = feature · multiplier mod 2^bits          slot = hash >> shift
row     = rows before the slot's word + set bits before the slot, if the key of the row is that of the hash;
          else that of one of the next slots
weight  = number of the child's entry in the row · scale of the node
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.values import Bool, Float64, Int32, Int64
from ramify.weights import ENTRY_BYTES, PANEL, PackedLevel

MULTIPLIER = np.uint32(0x9E3779B1)
"""kHashMultiplier of cpp/packed.hpp."""

NARROW_PROBES = 16
"""kMaxNarrowProbe of cpp/packed.hpp: slots in which the row of a feature with a key of 16 bits may be."""

WORD_ROWS = 64
"""Rows of a word of the bitmap at most."""

_WORD = np.dtype([("bits", np.uint64), ("row", np.uint32), ("entry", np.uint32)])
_UInt64 = npt.NDArray[np.uint64]


def node_weights(level: PackedLevel, node: int, features: Int32) -> Float64:
    """Weights of one node for the given sparse columns of X.

    Parameters
    ----------
    level : PackedLevel
        The weights of its level.
    node : int
        Number of the node within the level.
    features : int32 array, shape (n,)
        Distinct sparse columns of X.

    Returns
    -------
    float64 array, shape (n,)
        The rounded weights, as the search uses them; 0 for a column that the node has no weight for.
    """
    weights = np.zeros(len(features))
    block = _Block.of(level, node)
    if not len(features) or not len(block.words):
        return weights
    found, rows, words = block.rows_of(_hashed(features, level.hash_bits))
    entries, counts, sound = block.entries_of(rows, words)
    found, entries, counts = found[sound], entries[sound], counts[sound]
    at = np.repeat(entries - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    width = ENTRY_BYTES[level.precision]
    records = level.entries[block.first_entry * width : block.end_entry * width].reshape(-1, width)
    own = np.flatnonzero(records[at, 0] == node - block.first_child)
    numbers = _numbers(np.ascontiguousarray(records[at[own], 1:]), level.precision)
    weights[np.repeat(found, counts)[own]] = numbers * np.float64(level.scale[node])
    return weights


def node_dense_weights(level: PackedLevel, node: int) -> Float64:
    """Weights of one node for the dense columns of X, shape (m,)."""
    if level.dense is None or level.dense_scale is None:
        return np.zeros(0)
    number = _block_number(level, node)
    child = node - int(level.block_begin[number])
    first = int(level.block_dense[number]) + child // PANEL * PANEL * level.n_dense + child % PANEL
    numbers = level.dense[first : first + (level.n_dense - 1) * PANEL + 1 : PANEL]
    if level.precision == "bf16":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float64) * np.float64(level.dense_scale[node])


def _block_number(level: PackedLevel, node: int) -> int:
    return int(np.searchsorted(level.block_begin, node, side="right")) - 1


def _hashed(features: Int32, bits: int) -> npt.NDArray[np.uint32]:
    return (features.astype(np.uint32) * MULTIPLIER) & np.uint32((1 << bits) - 1)


def _numbers(records: npt.NDArray[np.uint8], precision: str) -> npt.NDArray[Any]:
    """The numbers of entries without their child, shape (n,): little-endian, whatever the machine."""
    if precision == "int8":
        return records.view(np.int8)[:, 0]
    if precision == "fp32":
        return records.view("<f4")[:, 0]
    return (records.view("<u2")[:, 0].astype(np.uint32) << 16).view(np.float32)


@dataclass(frozen=True)
class _Block:
    """One block of siblings.

    Parameters
    ----------
    words : structured array
        The words of its bitmap.
    keys, counts : arrays, length rows
        Key of each row, and its number of entries less one.
    shift : int
        From a hash to its slot.
    first_child, first_entry, end_entry : int
        Its first node, and its entries, within the level.
    """

    words: npt.NDArray[Any]
    keys: npt.NDArray[Any]
    counts: npt.NDArray[np.uint8]
    shift: int
    first_child: int
    first_entry: int
    end_entry: int

    @classmethod
    def of(cls, level: PackedLevel, node: int) -> _Block:
        """The block of a node."""
        number = _block_number(level, node)
        words = level.words[2 * level.block_words[number] : 2 * level.block_words[number + 1]].view(_WORD)
        rows = slice(level.block_rows[number], level.block_rows[number + 1])
        slots = len(words) * WORD_ROWS
        return cls(
            words=words,
            keys=level.keys[rows],
            counts=level.counts[rows],
            shift=max(0, level.hash_bits - (slots.bit_length() - 1)),
            first_child=int(level.block_begin[number]),
            first_entry=int(level.block_entries[number]),
            end_entry=int(level.block_entries[number + 1]),
        )

    def rows_of(self, hashes: npt.NDArray[np.uint32]) -> tuple[Int64, Int64, Int64]:
        """Positions of the hashes that have a row, these rows, and the word of the bitmap of each."""
        slots = (hashes >> np.uint32(self.shift)).astype(np.int64)
        at, found = np.arange(len(hashes)), []
        probes = len(self.words) * WORD_ROWS if self.keys.itemsize > np.dtype(np.uint16).itemsize else NARROW_PROBES
        for _ in range(probes):
            places, rows = self._rows_at(slots)
            at, slots = at[places], slots[places]
            match = self._match(rows, hashes[at])
            found.append((at[match], rows[match], slots[match] >> 6))
            at, slots = at[~match], slots[~match] + 1
            if not len(at):
                break
        positions, rows, words = (np.concatenate(column) for column in zip(*found, strict=True))
        return positions, rows, words

    def _rows_at(self, slots: Int64) -> tuple[Int64, Int64]:
        """Positions of the slots that hold a row, and these rows."""
        inside = np.flatnonzero(slots >> 6 < len(self.words))
        words, places = self.words[slots[inside] >> 6], (slots[inside] & 63).astype(np.uint64)
        bits: _UInt64 = words["bits"]
        before = np.bitwise_count(bits & ((np.uint64(1) << places) - np.uint64(1))).astype(np.int64)
        rows = words["row"].astype(np.int64) + before
        held = ((bits >> places) & np.uint64(1)).astype(bool) & (rows < len(self.keys))
        return inside[held], rows[held]

    def _match(self, rows: Int64, hashes: npt.NDArray[np.uint32]) -> Bool:
        """Whether the rows are those of the hashes; slots one hash wide hold no other."""
        if self.shift == 0:
            return np.ones(len(rows), bool)
        match: Bool = self.keys[rows] == hashes.astype(self.keys.dtype)
        return match

    def entries_of(self, rows: Int64, words: Int64) -> tuple[Int64, Int64, Bool]:
        """First entry and number of entries of each row, and whether they are within the block."""
        first = self.words["row"][words].astype(np.int64)
        before = rows - first
        near = np.minimum(first[:, None] + np.arange(WORD_ROWS), len(self.counts) - 1)
        sizes = np.where(np.arange(WORD_ROWS) < before[:, None], self.counts[near].astype(np.int64) + 1, 0)
        entries = self.words["entry"][words].astype(np.int64) + sizes.sum(axis=1)
        counts = self.counts[rows].astype(np.int64) + 1
        sound = (before < WORD_ROWS) & (entries + counts <= self.end_entry - self.first_entry)
        return entries, counts, sound
