"""Clusters of labels, which guide the generation.

z_l = mean of the embeddings of the label's documents; of a label without documents, the embedding of its name
clusters = k-means of the z_l; or the nodes of a level of any label tree, in which a label may have several clusters

Embeddings of an encoder share a large common part, so they are centred: those of documents at their mean, those of
names at theirs, because names lie elsewhere. The mean of a few names is too much like each of them, so it is then that
of a sample of all labels' names. The centres of k-means are fitted on labels with documents. Otherwise most
clusters separate labels that no training document has, and those of a document are nearly independent of its labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import CSR, Float32, Int64, LabelTree, as_csr

MOST_FITTED = 100_000
"""Largest number of label vectors that k-means is fitted on; the others are assigned to the nearest centre."""

NAMES_OF_A_MEAN = 1_000
"""Label names whose mean is the centre of those of labels without documents, at least, where there are so many."""


def label_vectors(embeddings: Float32, Y: CSR, embed: Callable[[Int64], Float32]) -> Float32:
    """Mean centred embeddings of the documents of each label, scaled to length 1.

    Parameters
    ----------
    embeddings : float32 array, shape (n, width)
    Y : csr_matrix, shape (n, L)
    embed : callable
        The embeddings of the names of some labels, shape (m, width): of those without documents, and where these are
        fewer than ``NAMES_OF_A_MEAN``, of about as many others.
    """
    mean = embeddings.mean(axis=0, dtype=np.float64)
    factors = np.asarray(Y.sum(axis=0), np.float64).reshape(-1, 1)
    vectors = np.asarray(Y.T.tocsr() @ embeddings - factors * mean, np.float32)
    unseen = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]) == 0)
    if len(unseen):
        vectors[unseen] = _centred_names(unseen, Y.shape[1], embed)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def _centred_names(labels: Int64, n_labels: int, embed: Callable[[Int64], Float32]) -> Float32:
    """Embeddings of the names of some labels, centred at the mean of many, which are embedded together with them."""
    if len(labels) >= NAMES_OF_A_MEAN:
        names = embed(labels)
        return np.asarray(names - names.mean(axis=0), np.float32)
    sample = np.unique(np.linspace(0, n_labels - 1, min(n_labels, NAMES_OF_A_MEAN)).astype(np.int64))
    together = np.union1d(labels, sample)
    names = embed(together)
    mean = names[np.searchsorted(together, sample)].mean(axis=0)
    return np.asarray(names[np.searchsorted(together, labels)] - mean, np.float32)


def kmeans_clusters(vectors: Float32, fitted: Int64, n_clusters: int, seed: int) -> CSR:
    """0/1 matrix, shape (L, K): the k-means cluster of each label.

    Parameters
    ----------
    vectors : float32 array, shape (L, width)
    fitted : int64 array
        The labels that the centres are fitted on; all labels where these are fewer than the clusters.
    n_clusters : int
    seed : int

    Raises
    ------
    InputError
        More clusters than labels.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    check_fits(n_clusters, len(vectors))
    candidates = fitted if len(fitted) >= n_clusters else np.arange(len(vectors))
    rows = np.random.default_rng(seed).permutation(candidates)[:MOST_FITTED]
    with threadpool_limits(1):  # sums over threads would depend on their number
        model = KMeans(n_clusters, n_init=1, random_state=seed).fit(vectors[np.sort(rows)])
        found = model.predict(vectors)
    ones = np.ones(len(found), np.float32)
    return sp.csr_matrix((ones, found.astype(np.int32), np.arange(len(found) + 1)), shape=(len(found), n_clusters))


def check_fits(n_clusters: int, n_labels: int) -> None:
    """Raise InputError for more clusters than labels."""
    if n_clusters > n_labels:
        raise InputError(f"clusters is {n_clusters}, but there are only {n_labels} labels: lower clusters")


def tree_clusters(tree: LabelTree, wanted: int) -> CSR:
    """0/1 matrix, shape (L, K): the nodes above each label, on the level of about ``wanted`` nodes.

    Raises
    ------
    InputError
        A tree without a level above its leaves.
    """
    if tree.depth < 2:
        raise InputError("the tree has no level above its leaves, so it has no clusters: give a deeper tree")
    sizes = np.array(tree.level_sizes[:-1])
    level = int(np.argmin(np.abs(np.log(sizes / wanted))))
    found = tree.leaf_matrix()
    for depth in range(tree.depth - 1, level, -1):
        found = as_csr(found @ tree.membership(depth))
    found.data[:] = 1
    return found


def by_frequency(assignment: CSR, counts: Int64) -> CSR:
    """The clusters numbered by the training instances of their labels, the largest number first.

    Parameters
    ----------
    assignment : csr_matrix, shape (L, K)
    counts : int64 array, shape (L,)
        Training instances of each label.
    """
    totals = np.asarray(assignment.T @ counts.astype(np.float64)).ravel()
    found = as_csr(assignment[:, np.argsort(-totals, kind="stable")])
    found.sort_indices()
    return found


def clusters_of(Y: CSR, assignment: CSR) -> CSR:
    """0/1 matrix, shape (n, K): the clusters of each instance's labels."""
    found = as_csr(Y @ assignment)
    found.data[:] = 1
    return found


def given_clusters(clusters: Any, n_labels: int, wanted: int) -> CSR | None:
    """The clusters of a ``LabelTree`` or of a fitted model with a tree; None for a number.

    Raises
    ------
    InputError
        A tree of other labels.
    """
    tree = getattr(clusters, "tree_", clusters)
    if not isinstance(tree, LabelTree):
        return None
    if tree.n_labels != n_labels:
        raise InputError(f"the tree of clusters has {tree.n_labels} labels, but there are {n_labels}: give their tree")
    return tree_clusters(tree, wanted)
