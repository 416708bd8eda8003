"""The labels with the lowest quality, and the labels that are suggested in place of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import scipy.sparse as sp

from ramify.evaluation.judgement import widen
from ramify.report.judged import Judged
from ramify.values import CSR, Int64, LabelTree

FEWEST_TRUE = (20, 10, 5, 3, 2, 1)
"""Test documents that a label of the table has at least: the first number that enough labels reach."""
FEWEST_CONFUSED = (20, 10, 5, 3, 2)
"""Documents that a pair of confused labels has at least: the first number that enough pairs reach."""
CHANCE = 1 - 1e-9
"""Least lift of a pair; 1, up to rounding."""
CHUNK = 4096
"""Documents whose pairs of labels are counted at once."""
PAIRS = 1 << 20
"""Pairs whose clusters are looked up at once."""


@dataclass(frozen=True)
class LabelRecord:
    """Quality of one label.

    Parameters
    ----------
    name : str
    training : int or None
        Training documents; None if unknown.
    true, suggested, right : int
        Test documents that have the label, those that it is suggested for, and both.
    """

    name: str
    training: int | None
    true: int
    suggested: int
    right: int

    @property
    def f1(self) -> float:
        """F1, 0..1."""
        return 2 * self.right / max(self.true + self.suggested, 1)


@dataclass(frozen=True)
class WeakLabels:
    """The labels of lowest F1 among those with at least ``fewest`` test documents; the most frequent of equal ones."""

    fewest: int
    considered: int
    records: Sequence[LabelRecord]


@dataclass(frozen=True)
class Confusion:
    """A true label that is not suggested, and a label that is wrongly suggested for the same documents.

    Parameters
    ----------
    missed, instead : str
    documents : int
        Test documents with this pair.
    missing : int
        Test documents in which ``missed`` is true and not suggested.
    lift : float
        ``documents`` over the number of documents that are expected if both errors were independent.
    """

    missed: str
    instead: str
    documents: int
    missing: int
    lift: float


@dataclass(frozen=True)
class Confusions:
    """The confusions of highest lift.

    Parameters
    ----------
    siblings : bool
        Whether they are of labels in one leaf cluster of the tree; else of any labels.
    fewest : int
        Test documents that each pair has at least.
    pairs : sequence of Confusion
    """

    siblings: bool
    fewest: int
    pairs: Sequence[Confusion]


def weak_labels(one: Judged, names: Sequence[str], counts: Int64 | None, count: int = 15) -> WeakLabels:
    """The labels of lowest F1, without those that do not occur in training.

    Parameters
    ----------
    one : Judged
    names : sequence of str, length L
    counts : int64 array, shape (L,), or None
        Training documents per label.
    count : int, default 15
        Maximum number of labels.
    """
    true, suggested, right = one.tallies()
    usable = true if counts is None else np.where(counts > 0, true, 0)
    fewest = next((least for least in FEWEST_TRUE if (usable >= least).sum() >= 2 * count), 1)
    labels = np.flatnonzero(usable >= fewest)
    f1 = 2 * right[labels] / (true + suggested)[labels]
    worst = labels[np.lexsort((-true[labels], f1))][: min(count, int((f1 < 1).sum()))].tolist()
    records = [
        LabelRecord(
            name=names[label],
            training=None if counts is None else int(counts[label]),
            true=int(true[label]),
            suggested=int(suggested[label]),
            right=int(right[label]),
        )
        for label in worst
    ]
    return WeakLabels(fewest, len(labels), records)


def confusions(one: Judged, names: Sequence[str], tree: LabelTree | None, count: int = 15) -> Confusions:
    """The confusions of highest lift, between labels of one leaf cluster where the tree has clusters.

    Parameters
    ----------
    one : Judged
    names : sequence of str, length L
    tree : LabelTree or None
        With the labels of ``names``.
    count : int, default 15
        Maximum number of pairs.
    """
    n_labels = one.truth.shape[1]
    clusters = None if tree is None or tree.depth < 2 else _clusters(tree, n_labels)
    missed, wrong = _missed_and_wrong(one)
    slices = [slice(begin, begin + CHUNK) for begin in range(0, missed.shape[0], CHUNK)]
    counted = (_among_siblings(sp.coo_matrix(missed[rows].T @ wrong[rows]), clusters) for rows in slices)
    pairs = sp.coo_matrix(reduce(add, counted))
    missing, instead = (np.bincount(one.indices, minlength=n_labels) for one in (missed, wrong))
    lift = pairs.data * missed.shape[0] / (missing[pairs.row] * instead[pairs.col]).astype(np.float64)
    fewest = next((least for least in FEWEST_CONFUSED if (pairs.data >= least).sum() >= count), FEWEST_CONFUSED[-1])
    order = np.lexsort((pairs.col, pairs.row, -pairs.data, -lift))
    found = [
        Confusion(
            names[pairs.row[at]], names[pairs.col[at]], int(pairs.data[at]), int(missing[pairs.row[at]]), lift[at]
        )
        for at in order[(pairs.data[order] >= fewest) & (lift[order] >= CHANCE)][:count].tolist()
    ]
    return Confusions(clusters is not None, fewest, found)


def cluster_sizes(tree: LabelTree) -> Int64:
    """Number of leaves of each leaf cluster; of all labels for a tree without clusters."""
    return np.diff(tree.first_children(tree.depth - 1))


def _clusters(tree: LabelTree, n_labels: int) -> CSR:
    """0/1 matrix, shape (n_labels, leaf clusters): the clusters of each label."""
    return widen(sp.csr_matrix((tree.leaf_matrix() @ tree.membership(tree.depth - 1)).T), n_labels).T.tocsr()


def _missed_and_wrong(one: Judged) -> tuple[CSR, CSR]:
    """True labels that are not suggested, and suggested ones that are not true: 0/1 matrices, shape (n, L)."""
    sets = one.sets()
    right = sets.multiply(one.truth)
    missed, wrong = sp.csr_matrix(one.truth - right), sp.csr_matrix(sets - right)
    missed.eliminate_zeros()
    wrong.eliminate_zeros()
    return missed, wrong


def _among_siblings(pairs: sp.coo_matrix, clusters: CSR | None) -> CSR:
    """The pairs whose labels share a cluster; all pairs without clusters."""
    if clusters is None:
        return sp.csr_matrix(pairs)
    kept = np.zeros(pairs.nnz, bool)
    for begin in range(0, pairs.nnz, PAIRS):
        part = slice(begin, begin + PAIRS)
        shared = clusters[pairs.row[part]].multiply(clusters[pairs.col[part]]).sum(axis=1)
        kept[part] = np.asarray(shared).ravel() > 0
    return sp.csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)
