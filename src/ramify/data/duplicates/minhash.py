"""MinHash signatures and their bands.

For a random permutation of all shingles, two sets have the same smallest shingle with a probability equal to their
Jaccard similarity s. A band consists of r such smallest shingles, so two sets agree on a band with probability s^r, and
on at least one of b bands with probability 1 − (1 − s^r)^b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ramify.data.duplicates.shingles import BLOCK_SHINGLES, Sets, UInt32, mixed, runs
from ramify.values import Bool, Int64

PERMUTATIONS = 120
LEAST_RECALL = 0.99
CACHED = 1 << 15
"""Shingles hashed at a time; the buffers then fit in the cache of a CPU core."""
COMPARED = 1 << 16
"""Pairs whose minima are compared at a time."""


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


@dataclass(frozen=True)
class Signatures:
    """What is kept of m documents.

    Parameters
    ----------
    bands : uint32 array, shape (bands, m)
        Hash of each band.
    minima : uint8 array, shape (m, bands * rows)
        The lowest byte of each minimum (b-bit minwise hashing: Ping Li, Christian König, WWW 2010).
    """

    bands: UInt32
    minima: npt.NDArray[np.uint8]

    def may_be_similar(self, pairs: Int64, similarity: float) -> Bool:
        """Whether the bytes of two documents agree as often as those of pairs with this similarity.

        Returns
        -------
        bool array, shape (p,)
            False for pairs whose number of equal bytes is 4 standard deviations below its mean at ``similarity``: at
            this similarity, 3 in 100,000 pairs.
        """
        n = self.minima.shape[1]
        least = similarity * n - 4 * np.sqrt(n * similarity * (1 - similarity))
        likely = np.empty(len(pairs), np.bool_)
        for first in range(0, len(pairs), COMPARED):
            part = pairs[first : first + COMPARED]
            equal = self.minima[part[:, 0]] == self.minima[part[:, 1]]
            likely[first : first + COMPARED] = equal.sum(axis=1) >= least
        return likely


def signatures(
    sets: Sets, documents: Int64, banding: Banding, seed: int = 0, report: Callable[[float], None] | None = None
) -> Signatures:
    """Minima and bands of each document.

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
    """
    rng = np.random.default_rng(seed)
    n = banding.bands * banding.rows
    # A multiplication by an odd number permutes the 32-bit numbers: its minimum is that of a random order.
    masks = rng.integers(0, 2**32, n, np.uint32)
    factors = rng.integers(0, 2**32, n, np.uint32) | np.uint32(1)
    bands = np.zeros((banding.bands, len(documents)), np.uint32)
    minima = np.zeros((len(documents), n), np.uint8)
    for first, last in runs(sets.sizes(documents), BLOCK_SHINGLES):
        values, ends = sets.hashes(documents[first:last])
        for start, stop in runs(np.diff(ends), CACHED):
            piece = values[ends[start] : ends[stop]]
            smallest = _minima(piece, ends[start:stop] - ends[start], masks, factors)
            minima[first + start : first + stop] = smallest.T
            for number, minimum in enumerate(smallest):
                band = bands[number // banding.rows, first + start : first + stop]
                band[:] = mixed(band * np.uint32(31) + minimum)
        if report is not None:
            report(last / len(documents))
    return Signatures(bands, minima)


def _minima(values: UInt32, starts: Int64, masks: UInt32, factors: UInt32) -> UInt32:
    """The smallest value of each document in each permutation, shape (permutations, documents)."""
    buffer = np.empty_like(values)
    smallest = np.empty((len(masks), len(starts)), np.uint32)
    for number, (mask, factor) in enumerate(zip(masks, factors, strict=True)):
        np.bitwise_xor(values, mask, out=buffer)
        np.multiply(buffer, factor, out=buffer)
        np.minimum.reduceat(buffer, starts, out=smallest[number])
    return smallest
