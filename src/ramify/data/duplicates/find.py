"""Groups of exact and of near duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ramify.checks import SEED, OneOf, real_number
from ramify.data.duplicates.minhash import Banding, signatures
from ramify.data.duplicates.pairs import candidates, jaccard
from ramify.data.duplicates.shingles import RowSets, Sets, TextSets
from ramify.values import Bool, Dataset, Float64, Int64, StageProgress, as_csr

SIMILARITY = 0.8
"""Default least Jaccard similarity of near duplicates."""
LEAST_SIMILARITY = 0.5
MOST_REJECTED = 1 << 24
"""Pairs remembered as dissimilar, so that a later band does not verify them again; 8 bytes each."""

EXACT, NEAR = "duplicates", "near-duplicates"
KINDS = (EXACT, NEAR)


@dataclass(frozen=True)
class Duplicates:
    """Duplicates among n documents.

    Parameters
    ----------
    exact : int64 array, shape (n,)
        Number of the group of equal documents that each belongs to, counted from 0 by first appearance.
    near : int64 array, shape (n,)
        The same for near duplicates; equal documents are in one group.
    pairs : int64 array, shape (p, 2)
        Verified pairs that join the groups of ``near``, without equal documents; the smaller number first.
    similarity : float64 array, shape (p,)
        Jaccard similarity of each pair.
    empty : bool array, shape (n,)
        Documents without content; each is a group of its own.
    """

    exact: Int64
    near: Int64
    pairs: Int64
    similarity: Float64
    empty: Bool


def find_duplicates(
    documents: Sequence[str] | Any,
    *,
    similarity: float = SIMILARITY,
    seed: int = 0,
    progress: StageProgress | None = None,
) -> Duplicates:
    """Find exact and near duplicates.

    Parameters
    ----------
    documents : sequence of str, or sparse matrix, shape (n, d)
        Texts are compared by the character 5-grams of their first 100,000 characters: lower case, without punctuation.
        Rows of a matrix are compared by their sets of non-zero columns.
    similarity : float, default 0.8
        Least Jaccard similarity of near duplicates, 0.5..1. A pair at this similarity is found with a probability of at
        least 0.99, more similar ones with a higher one (`Banding.recall`). Pairs below it are never reported.
    seed : int, default 0
        Seed of the hash functions.
    progress : callable, optional
        Called with ("duplicates", share done).

    Returns
    -------
    Duplicates
        Groups are connected components: two documents of a group may be less similar than ``similarity``, if others
        lie between them.

    Raises
    ------
    InputError
        A similarity outside 0.5..1, or an invalid seed or matrix.

    Notes
    -----
    Time is linear in the number of characters. Beside the documents, memory is about 400 bytes per document.
    """
    similarity = real_number("similarity", similarity, LEAST_SIMILARITY, 1)
    seed = SEED.check("seed", seed)
    sets: Sets = RowSets(as_csr(documents)) if sp.issparse(documents) else TextSets(documents)
    report = progress or (lambda stage, done: None)
    report("duplicates", 0.0)
    empty = sets.empty()
    exact, first = _equal_groups(sets, empty)
    representatives = first[~empty[first]]
    pairs, values = _similar_pairs(sets, representatives, similarity, seed, report)
    equal = np.stack([first[exact], np.arange(len(sets))], axis=1)
    near = numbered_by_appearance(_components(len(sets), np.concatenate([pairs, equal])))
    report("duplicates", 1.0)
    return Duplicates(exact, near, pairs, values, empty)


def duplicate_groups(
    dataset: Dataset,
    kind: str = NEAR,
    *,
    similarity: float = SIMILARITY,
    seed: int = 0,
    progress: StageProgress | None = None,
) -> Int64:
    """The group of duplicates of each document, for `split_grouped`.

    Parameters
    ----------
    dataset : Dataset
    kind : {"near-duplicates", "duplicates"}, default "near-duplicates"
    similarity, seed, progress
        As in `find_duplicates`.

    Returns
    -------
    int64 array, shape (n,)

    Raises
    ------
    InputError
        As `find_duplicates`; another kind.
    """
    OneOf(KINDS).check("kind", kind)
    documents = dataset.X if dataset.texts is None else dataset.texts
    if kind == EXACT:
        sets: Sets = RowSets(as_csr(documents)) if dataset.texts is None else TextSets(dataset.texts)
        return _equal_groups(sets, sets.empty())[0]
    return find_duplicates(documents, similarity=similarity, seed=seed, progress=progress).near


def numbered_by_appearance(groups: Int64) -> Int64:
    """Group numbers counted from 0 in the order of their first document."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def _equal_groups(sets: Sets, empty: Bool) -> tuple[Int64, Int64]:
    """(group of each document, first document of each group)."""
    digests = sets.digests()
    groups = np.unique(digests, return_inverse=True)[1].reshape(-1).astype(np.int64)
    groups[empty] = len(sets) + np.flatnonzero(empty)
    groups = numbered_by_appearance(groups)
    return groups, np.unique(groups, return_index=True)[1]


def _similar_pairs(
    sets: Sets, documents: Int64, similarity: float, seed: int, report: StageProgress
) -> tuple[Int64, Float64]:
    """Verified pairs that connect all near duplicates among different documents, and their similarities."""
    banding = Banding.for_similarity(similarity)
    signed = signatures(sets, documents, banding, seed, lambda done: report("duplicates", 0.7 * done))
    m = max(len(documents), 1)
    kept, values = np.zeros((0, 2), np.int64), np.zeros(0)
    rejected = np.zeros(0, np.int64)
    component = np.arange(m)
    for number in range(banding.bands):
        for found in candidates(signed.bands, number):
            apart = found[component[found[:, 0]] != component[found[:, 1]]]
            likely = apart[signed.may_be_similar(apart, similarity)]
            keys = np.setdiff1d(likely[:, 0] * m + likely[:, 1], rejected)
            pairs = np.stack([keys // m, keys % m], axis=1)
            measured = jaccard(sets, documents[pairs])
            similar = measured >= similarity
            kept, values = np.concatenate([kept, pairs[similar]]), np.concatenate([values, measured[similar]])
            if len(rejected) < MOST_REJECTED:
                rejected = np.union1d(rejected, keys[~similar])
            component = _components(m, kept)
        report("duplicates", 0.7 + 0.3 * (number + 1) / banding.bands)
    return documents[kept], values


def _components(n: int, pairs: Int64) -> Int64:
    graph = sp.csr_matrix((np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
