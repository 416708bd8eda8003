"""Training targets of every level of a tree with the weights of the positives: Y_{t-1} = Y_t · C_t (docs/papers.md).

A positive may have a relevance. "induced" sums the relevances up the tree, so that a cluster with k of an instance's
labels has relevance k, and then normalises them per instance.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.checks import OneOf
from ramify.values import CSR, LabelTree, nonzero

NORMS = ("none", "l1", "l2", "max")


def level_targets(
    Y: CSR, tree: LabelTree, *, visits: CSR | None = None, induced: bool = False, norm: str = "none"
) -> list[CSR]:
    """Targets of every level, from the top.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        Relevance of each positive label; 1 by default.
    tree : LabelTree
        The hierarchy.
    visits : csr_matrix, shape (n, clusters above the leaves), optional
        Non-zero: clusters that the instance is a positive of, among those of its labels; all of these when None.
    induced : bool, default False
        The relevance of an inner node is the sum over the nodes below it; 1 if False.
    norm : {"none", "l1", "l2", "max"}
        Norm by which the relevances of an instance are divided, on every level.

    Returns
    -------
    list of csr_matrix, shape (n, nodes of the level)
    """
    OneOf(NORMS).check("relevance_norm", norm)
    target = sp.csr_matrix(Y @ tree.leaf_matrix())
    targets = [target]
    for level in range(tree.depth - 1, 0, -1):
        target = sp.csr_matrix(target @ tree.membership(level))
        if visits is not None and level == tree.depth - 1:
            target = sp.csr_matrix(target.multiply(nonzero(visits)))
        if not induced:
            target.data[:] = 1
        targets.append(target)
    for target in targets:
        target.sort_indices()
    return [_normalised(target, norm) for target in reversed(targets)]


def _normalised(target: CSR, norm: str) -> CSR:
    if norm == "none":
        return target
    if norm == "max":
        size = target.max(axis=1).toarray().ravel()
    elif norm == "l1":
        size = np.asarray(target.sum(axis=1)).ravel()
    else:
        size = np.sqrt(np.asarray(target.multiply(target).sum(axis=1)).ravel())
    per_entry = np.repeat(size, np.diff(target.indptr))
    data = (target.data / np.where(per_entry > 0, per_entry, 1)).astype(np.float32)
    return sp.csr_matrix((data, target.indices, target.indptr), shape=target.shape)
