"""Candidate pairs of documents, and the exact Jaccard similarity of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ramify.data.duplicates.shingles import BLOCK_SHINGLES, Sets, UInt32, runs
from ramify.values import Float64, Int64

WINDOW = 8
"""In a bucket of more than WINDOW + 1 documents, each is compared with the WINDOW next ones and with the first."""
LOW_BITS = np.uint64(0xFFFFFFFF)
HIGH_BITS = np.uint64(32)


def candidates(bands: UInt32, number: int) -> Iterator[Int64]:
    """Pairs of documents that agree on a band.

    Parameters
    ----------
    bands : uint32 array, shape (bands, m)
        See `Signatures`.
    number : int
        The band.

    Yields
    ------
    int64 array, shape (pairs, 2)
        The smaller document first. Within a bucket the documents are ordered by the next band, so that similar ones
        are neighbours. The first array has the neighbours, which usually connect the documents that are similar; the
        second one has the other pairs, at most WINDOW per document.
    """
    order = np.lexsort((bands[(number + 1) % len(bands)], bands[number]))
    keys = bands[number][order]
    places = np.arange(len(keys))
    begins = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    first = np.maximum.accumulate(np.where(begins, places, 0))
    found = []
    for step in range(1, WINDOW + 1):
        later = np.flatnonzero(places - first >= step)
        found.append(np.stack([order[later - step], order[later]], axis=1))
    far = np.flatnonzero(places - first > WINDOW)
    found.append(np.stack([order[first[far]], order[far]], axis=1))
    yield np.sort(found[0], axis=1)
    yield np.sort(np.concatenate(found[1:]), axis=1)


def jaccard(sets: Sets, pairs: Int64) -> Float64:
    """Jaccard similarity of pairs of documents: size of the intersection over that of the union.

    Parameters
    ----------
    sets : Sets
        Each document of a pair has at least one shingle.
    pairs : int64 array, shape (p, 2)

    Returns
    -------
    float64 array, shape (p,)
        Of the sets of 32-bit hashes, in which two shingles collide with probability 2⁻³².
    """
    similarity = np.zeros(len(pairs))
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    sizes = sets.sizes(pairs[order].reshape(-1)).reshape(-1, 2).sum(axis=1)
    for first, last in runs(sizes, 2 * BLOCK_SHINGLES):
        part = order[first:last]
        similarity[part] = _jaccard_of_part(sets, pairs[part])
    return similarity


def _jaccard_of_part(sets: Sets, pairs: Int64) -> Float64:
    documents, numbers = np.unique(pairs, return_inverse=True)
    numbers = numbers.reshape(pairs.shape)
    values, ends = sets.hashes(documents)
    owner = np.repeat(np.arange(len(documents), dtype=np.uint64), np.diff(ends))
    keys = np.unique((owner << HIGH_BITS) | values)
    ends = np.searchsorted(keys, np.arange(len(documents) + 1, dtype=np.uint64) << HIGH_BITS)
    sizes = np.diff(ends)[numbers]
    # The shingles of the smaller set of each pair are looked up in the larger one.
    pair = np.arange(len(pairs))
    side = np.argmin(sizes, axis=1)
    small, large = numbers[pair, side], numbers[pair, 1 - side]
    lengths = sizes[pair, side]
    offsets = np.cumsum(lengths) - lengths
    inside = np.repeat(ends[small] - offsets, lengths) + np.arange(lengths.sum())
    wanted = (keys[inside] & LOW_BITS) | (np.repeat(large, lengths).astype(np.uint64) << HIGH_BITS)
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    shared = np.add.reduceat((keys[found] == wanted).astype(np.int64), offsets)
    return np.asarray(shared / (sizes.sum(axis=1) - shared))
