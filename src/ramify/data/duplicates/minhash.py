"""MinHash signatures and their bands.

For a random permutation of all shingles, two sets have the same smallest shingle with a probability equal to their
Jaccard similarity s. A band consists of r such smallest shingles, so two sets agree on a band with probability s^r, and
on at least one of b bands with probability 1 − (1 − s^r)^b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ramify.data.duplicates.shingles import BLOCK_SHINGLES, Sets, UInt32, mixed, runs
from ramify.values import Int64

PERMUTATIONS = 120
LEAST_RECALL = 0.99
CACHED = 1 << 15
"""Shingles hashed at a time; the buffers then fit in the cache of a CPU core."""


@dataclass(frozen=True)
class Banding:
    """Number of bands, and of minima in each.

    Parameters
    ----------
    bands, rows : int
        b and r above.
    """

    bands: int
    rows: int

    @classmethod
    def for_similarity(cls, similarity: float) -> Banding:
        """The longest bands with a recall of at least ``LEAST_RECALL``; longer ones have fewer wrong candidates."""
        rows = PERMUTATIONS
        while rows > 1 and cls(PERMUTATIONS // rows, rows).recall(similarity) < LEAST_RECALL:
            rows -= 1
        return cls(PERMUTATIONS // rows, rows)

    def recall(self, similarity: float) -> float:
        """Probability that a pair of this Jaccard similarity agrees on a band, and so becomes a candidate."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


def band_hashes(
    sets: Sets, documents: Int64, banding: Banding, seed: int = 0, report: Callable[[float], None] | None = None
) -> UInt32:
    """Hashes of the bands of each document.

    Parameters
    ----------
    sets : Sets
    documents : int64 array, shape (m,)
        Documents that have at least one shingle each.
    banding : Banding
    seed : int, default 0
        Seed of the permutations.
    report : callable, optional
        Called with the share done.

    Returns
    -------
    uint32 array, shape (bands, m)
    """
    rng = np.random.default_rng(seed)
    n = banding.bands * banding.rows
    # A multiplication by an odd number permutes the 32-bit numbers: its minimum is that of a random order.
    masks = rng.integers(0, 2**32, n, np.uint32)
    factors = rng.integers(0, 2**32, n, np.uint32) | np.uint32(1)
    found = np.zeros((banding.bands, len(documents)), np.uint32)
    for first, last in runs(sets.sizes(documents), BLOCK_SHINGLES):
        values, ends = sets.hashes(documents[first:last])
        for start, stop in runs(np.diff(ends), CACHED):
            piece = values[ends[start] : ends[stop]]
            target = found[:, first + start : first + stop]
            _add_bands(piece, ends[start:stop] - ends[start], masks, factors, target)
        if report is not None:
            report(last / len(documents))
    return found


def _add_bands(values: UInt32, starts: Int64, masks: UInt32, factors: UInt32, target: UInt32) -> None:
    """Fill the band hashes, shape (bands, documents), of one piece."""
    buffer = np.empty_like(values)
    rows = len(masks) // len(target)
    for number, (mask, factor) in enumerate(zip(masks, factors, strict=True)):
        np.bitwise_xor(values, mask, out=buffer)
        np.multiply(buffer, factor, out=buffer)
        smallest = np.minimum.reduceat(buffer, starts)
        band = target[number // rows]
        band[:] = mixed(band * np.uint32(31) + smallest)
