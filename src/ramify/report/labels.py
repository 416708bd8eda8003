"""The labels with the lowest quality, and the labels that are suggested in place of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ramify.report.judged import Judged
from ramify.values import CSR, Bool, Int64, LabelTree

FEWEST_TRUE = (20, 10, 5, 3, 2, 1)
"""Test documents that a label of the table has at least: the first number that enough labels reach."""
CHUNK = 4096
"""Documents whose pairs of labels are counted at once."""


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
    """

    missed: str
    instead: str
    documents: int
    missing: int


@dataclass(frozen=True)
class Confusions:
    """The most frequent confusions; ``siblings``: of labels in one leaf cluster of the tree, else of any labels."""

    siblings: bool
    pairs: Sequence[Confusion]


def weak_labels(one: Judged, names: Sequence[str], counts: Int64 | None, count: int = 15) -> WeakLabels:
    """The labels of lowest F1.

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
    fewest = next((least for least in FEWEST_TRUE if (true >= least).sum() >= 2 * count), 1)
    labels = np.flatnonzero(true >= fewest)
    f1 = 2 * right[labels] / (true + suggested)[labels]
    worst = labels[np.lexsort((-true[labels], f1))][:count].tolist()
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
    """The most frequent confusions, between labels of one leaf cluster where the tree has clusters.

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
    total = sp.csr_matrix((n_labels, n_labels), dtype=np.int32)
    for begin in range(0, missed.shape[0], CHUNK):
        rows = slice(begin, begin + CHUNK)
        total = sp.csr_matrix(total + _among_siblings(sp.coo_matrix(missed[rows].T @ wrong[rows]), clusters))
    pairs = sp.coo_matrix(total)
    order = np.lexsort((pairs.col, pairs.row, -pairs.data))[:count]
    missing = np.bincount(missed.indices, minlength=n_labels)
    found = [
        Confusion(names[a], names[b], int(number), int(missing[a]))
        for a, b, number in zip(pairs.row[order].tolist(), pairs.col[order].tolist(), pairs.data[order], strict=True)
        if number > 1
    ]
    return Confusions(clusters is not None, found)


def cluster_sizes(tree: LabelTree) -> Int64:
    """Number of leaves of each leaf cluster; of all labels for a tree without clusters."""
    return np.diff(tree.first_children(tree.depth - 1))


def _clusters(tree: LabelTree, n_labels: int) -> CSR:
    """0/1 matrix, shape (n_labels, leaf clusters): the clusters of each label."""
    inside = sp.csr_matrix(tree.leaf_matrix() @ tree.membership(tree.depth - 1))
    inside.resize((n_labels, inside.shape[1]))
    return inside


def _missed_and_wrong(one: Judged) -> tuple[CSR, CSR]:
    """True labels that are not suggested, and suggested ones that are not true: 0/1 matrices, shape (n, L)."""
    right = _matrix(one, one.chosen & one.hits)
    missed = sp.csr_matrix(one.truth.astype(np.int32) - right)
    missed.eliminate_zeros()
    return missed, _matrix(one, one.chosen & ~one.hits)


def _matrix(one: Judged, which: Bool) -> CSR:
    indptr = np.concatenate([[0], np.cumsum(which.sum(axis=1))])
    labels = one.labels[which]
    return sp.csr_matrix((np.ones(len(labels), np.int32), labels, indptr), shape=one.truth.shape)


def _among_siblings(pairs: sp.coo_matrix, clusters: CSR | None) -> CSR:
    """The pairs whose labels share a cluster; all pairs without clusters."""
    if clusters is None:
        return sp.csr_matrix(pairs)
    kept = np.zeros(pairs.nnz, bool)
    for part in _slices(pairs.nnz, 1 << 20):
        shared = clusters[pairs.row[part]].multiply(clusters[pairs.col[part]]).sum(axis=1)
        kept[part] = np.asarray(shared).ravel() > 0
    return sp.csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(begin, begin + step) for begin in range(0, length, step))
