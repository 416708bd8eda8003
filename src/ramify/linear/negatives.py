"""Hard negatives: which instances a cluster's classifiers train on (PAPERS §1).

- tfn, teacher forcing: instances with a positive label in the cluster;
- man, matcher-aware: instances that the trained levels above send to the cluster;
- own: instances that the user names a negative label of the cluster for;
- and unions, e.g. "tfn+man". Every positive instance of a label counts, whether a scheme chose it or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import CSR, LabelTree

SCHEMES = ("tfn", "man", "own")


def parse_negatives(negatives: str | Sequence[str], depth: int) -> list[frozenset[str]]:
    """Schemes of every level, from the top.

    Parameters
    ----------
    negatives : str or sequence of str
        "tfn", "tfn+man" and so on: one for all levels; or several, also in one string with commas between: the last
        ones speak for the levels at the bottom, the first for all levels above, e.g. "tfn,tfn+man".
    depth : int
        Number of levels.

    Raises
    ------
    InputError
        An unknown scheme, or none.
    """
    texts = negatives.split(",") if isinstance(negatives, str) else negatives
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"negatives is {negatives!r}, but must be a string such as tfn+man, or several in a list")
    levels = [frozenset(part.strip().lower() for part in text.split("+")) for text in texts]
    for level, text in zip(levels, texts, strict=True):
        if not level <= set(SCHEMES):
            raise InputError(f"negatives names {text!r}, but schemes are {', '.join(SCHEMES)}, joined by +")
    levels = levels[-depth:]  # a tree may be flatter than expected: what speaks for the leaves stays
    return [levels[0]] * (depth - len(levels)) + levels


def training_rows(above: CSR | None, matched: CSR | None, own: CSR | None, positives: CSR, tree_level: CSR) -> CSR:
    """Instances of every cluster.

    Parameters
    ----------
    above : csr_matrix, shape (n, clusters), or None
        Targets of the level above, where tfn takes part.
    matched : csr_matrix, shape (n, clusters), or None
        Clusters that the levels above send instances to, where man takes part.
    own : csr_matrix, shape (n, clusters), or None
        The user's.
    positives : csr_matrix, shape (n, nodes)
        Targets of this level.
    tree_level : csr_matrix, shape (nodes, clusters)
        Membership.

    Returns
    -------
    csr_matrix, shape (clusters, n)
        Data 1: chosen; 0: there for its positive labels only.
    """
    chosen = _union([matrix for matrix in (above, matched, own) if matrix is not None])
    if above is None:  # with tfn every positive is chosen already
        positive = _pattern(positives @ tree_level)
        chosen = sp.csr_matrix(positive + 2 * chosen)  # 1: positive only, 2 and 3: chosen
        chosen.data = (chosen.data >= 2).astype(np.float32)
    rows = sp.csr_matrix(chosen.T)
    rows.sort_indices()
    return rows


def everything(n_instances: int) -> CSR:
    """The root's instances: all, also those without a label."""
    indices = np.arange(n_instances, dtype=np.int32)
    return sp.csr_matrix((np.ones(n_instances, np.float32), indices, [0, n_instances]), shape=(1, n_instances))


def _union(matrices: list[CSR]) -> CSR:
    total = _pattern(matrices[0])
    for matrix in matrices[1:]:
        total = _pattern(total + _pattern(matrix))
    return total


def _pattern(matrix: CSR) -> CSR:
    matrix = sp.csr_matrix(matrix)
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def own_clusters(own: CSR, tree: LabelTree) -> list[CSR]:
    """The user's negatives, shape (n, L), as clusters of every level: entry t has shape (n, nodes above level t)."""
    nodes = sp.csr_matrix(own @ tree.leaf_matrix())
    clusters = []
    for level in range(tree.depth - 1, -1, -1):
        nodes = sp.csr_matrix(nodes @ tree.membership(level))
        clusters.append(nodes)
    return clusters[::-1]
