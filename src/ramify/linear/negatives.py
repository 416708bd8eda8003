"""Negatives: the instances that the classifiers of a cluster train on (PECOS; docs/papers.md).

- tfn, teacher forcing: instances with a positive label in the cluster;
- man, matcher-aware: instances that the trained levels above assign to the cluster;
- own: instances with a user-supplied negative label in the cluster;
- unions such as "tfn+man". All positive instances of a label are included, whether a scheme selects them or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from ramify.checks import Real
from ramify.errors import InputError
from ramify.values import CSR, LabelTree
from ramify.wording import quoted

SCHEMES = ("tfn", "man", "own")
HARD_NEGATIVE_WEIGHT = Real(0.01, 1, optional=True)


def parse_negatives(negatives: str | Sequence[str], depth: int) -> list[frozenset[str]]:
    """Schemes of every level, from the top.

    Parameters
    ----------
    negatives : str or sequence of str
        "tfn", "tfn+man" and so on, for all levels; or a list, also as one string with commas. A list is aligned to the
        bottom: its last entry is for the leaves, its first entry for all remaining levels, e.g. "tfn,tfn+man".
    depth : int
        Number of levels.

    Raises
    ------
    InputError
        An unknown scheme, or none.
    """
    texts = negatives.split(",") if isinstance(negatives, str) else negatives
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(
            f"negatives is {quoted(negatives)}, but must be a string such as tfn+man, or several in a list"
        )
    levels = [frozenset(part.strip().lower() for part in text.split("+")) for text in texts]
    for level, text in zip(levels, texts, strict=True):
        if not level <= set(SCHEMES):
            raise InputError(f"negatives names {quoted(text)}, but schemes are {', '.join(SCHEMES)}, joined by +")
    levels = levels[-depth:]  # a tree with fewer levels than the list uses the last entries
    return [levels[0]] * (depth - len(levels)) + levels


def training_rows(
    above: CSR,
    matched: CSR | None = None,
    own: CSR | None = None,
    *,
    tfn: bool = True,
    weight: float | None = None,
) -> CSR:
    """Training instances of every cluster.

    Parameters
    ----------
    above : csr_matrix, shape (n, clusters)
        Targets of the level above: clusters that an instance has a positive label in.
    matched : csr_matrix, shape (n, clusters), optional
        Clusters that the levels above assign instances to, for schemes with man.
    own : csr_matrix, shape (n, clusters), optional
        Clusters of the user-supplied negatives.
    tfn : bool, default True
        Whether the scheme contains tfn.
    weight : float, optional
        Weight of an instance that only the matcher assigns to a cluster; ``balanced_weight`` when None.

    Returns
    -------
    csr_matrix, shape (clusters, n)
        Data: factor of the instance's cost; 0 if the instance is used for its positive labels only.
    """
    kinds = _pattern(above)  # bits: 1 positive label in the cluster, 2 tfn, 4 man, 8 own
    n_positive = kinds.nnz
    if tfn:
        kinds.data += 2
    if own is not None:
        kinds = kinds + 8 * _pattern(own)
    if matched is not None:
        kinds = kinds + 4 * _pattern(matched)
    bits = kinds.data.astype(np.int8)
    if weight is None:
        weight = balanced_weight(n_positive, int((bits == 4).sum()))
    factors = np.ones(16, np.float32)
    factors[1], factors[4] = 0, weight
    rows = sp.csr_matrix((factors[bits], kinds.indices, kinds.indptr), shape=kinds.shape).T.tocsr()
    rows.sort_indices()
    return rows


def balanced_weight(n_positive: int, n_hard: int) -> float:
    """Weight of hard negatives: √(instances reached by label / reached only by the matcher), at most 1.

    If instances have few labels, most instances that the matcher assigns to a cluster are negatives of all its labels
    and would outweigh the positives; if they have many labels, the weight is 1.
    """
    return float(np.sqrt(min(1.0, max(n_positive, 1) / max(n_hard, 1))))


def everything(n_instances: int) -> CSR:
    """The instances of the root: all, including those without a label."""
    indices = np.arange(n_instances, dtype=np.int32)
    return sp.csr_matrix((np.ones(n_instances, np.float32), indices, [0, n_instances]), shape=(1, n_instances))


def _pattern(matrix: CSR) -> CSR:
    matrix = sp.csr_matrix(matrix)
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def own_clusters(own: CSR, tree: LabelTree) -> list[CSR]:
    """User-supplied negatives, shape (n, L), as clusters of every level: entry t has shape (n, nodes above level t)."""
    nodes = sp.csr_matrix(own @ tree.leaf_matrix())
    clusters = []
    for level in range(tree.depth - 1, -1, -1):
        nodes = sp.csr_matrix(nodes @ tree.membership(level))
        clusters.append(nodes)
    return clusters[::-1]
