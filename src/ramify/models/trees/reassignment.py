"""One round of label disentanglement: labels are reassigned to the clusters that their instances reach.

Liu et al., NeurIPS 2021 (docs/papers.md, Label disentanglement).

reached = clusters of each training instance, by cross-fitted matchers              shape (n, K)
C = disentangled(tree, reached, Y)           at most λ clusters per label    shape (L, K)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.exchange import CheckedTraining, Request, Training
from ramify.index.overlap import Candidates, candidates, clusters_of, disentangled, visits, with_clusters
from ramify.label_vectors import PIFA
from ramify.models.base.adapter import as_model
from ramify.values import CSR, Float32, LabelTree


@dataclass(frozen=True, kw_only=True)
class Round:
    """Changes of one round, measured on the clusters that the training instances reach.

    Parameters
    ----------
    before, after : Candidates
        Recall and precision of the matcher's candidates with the old and with the new assignment.
    leaves : int
        Number of leaves of the new tree.
    held_out : float or None
        Mean of P@1, P@3 and P@5 of the retrained model on held-out instances, if there are any.
    """

    before: Candidates
    after: Candidates
    leaves: int
    held_out: float | None = None

    def __str__(self) -> str:
        moved = f"candidates contain {self.before.recall:.2%} -> {self.after.recall:.2%} of the labels"
        exact = f"{self.before.precision:.3%} -> {self.after.precision:.3%} of them correct"
        held = "" if self.held_out is None else f", held-out precision {self.held_out:.2%}"
        return f"{moved}, {exact}, {self.leaves:,} leaves{held}"


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Settings of a reassignment.

    Parameters
    ----------
    copies : int
        Maximum number of clusters per label, λ.
    cap : int, optional
        Maximum number of labels per cluster; None: λ times the size of the largest cluster; 0: no limit.
    beam : int, optional
        Number of clusters that an instance reaches; the model's ``beam`` when None.
    folds : int
        Folds of cross-fitting; 0: the clusters are those of the model itself, which overfits its training instances.
    weighting : {"rank", "count"}
        Weight of a cluster that an instance reaches; see ``overlap.disentangled``.
    seed : int
        Random seed of the folds.
    """

    copies: int
    cap: int | None = None
    beam: int | None = None
    folds: int = 0
    weighting: str = "rank"
    seed: int = 0


@dataclass(frozen=True)
class Reassigned:
    """Result of a round.

    Parameters
    ----------
    tree : LabelTree
        The new tree.
    C : csr_matrix, shape (L, K)
        Clusters of the labels, by the numbers of the old tree.
    round : Round
        Changes of the round.
    """

    tree: LabelTree
    C: CSR
    round: Round

    def visits(self, training: CheckedTraining, threads: int = 1) -> CSR:
        """Clusters of the new tree whose classifiers each instance trains, for positives "company"."""
        used = np.flatnonzero(np.bincount(self.C.indices, minlength=self.C.shape[1]))
        Z = PIFA().represent(training.X, training.Y, threads=threads)
        return visits(training.X, Z, training.Y, sp.csr_matrix(self.C[:, used]))


def reassigned(model: Any, training: CheckedTraining, how: Assignment) -> Reassigned:
    """Reassign the labels of a trained tree model to clusters.

    Parameters
    ----------
    model : estimator
        Fitted, with ``tree_`` and ``clusters_reached``, as ``XRLinear`` has.
    training : CheckedTraining
        The training instances and their labels.
    how : Assignment
        Settings of the reassignment.
    """
    return assigned(model.tree_, reached_clusters(model, training, how), training.Y, how)


def assigned(tree: LabelTree, reached: CSR, Y: CSR, how: Assignment) -> Reassigned:
    """Assign labels to the clusters that their positives reach; see ``reassigned``.

    Parameters
    ----------
    tree : LabelTree
        The present tree.
    reached : csr_matrix, shape (n, K)
        From ``reached_clusters``.
    Y : csr_matrix, shape (n, L)
        Label assignments.
    how : Assignment
        Settings of the reassignment.
    """
    current = clusters_of(tree)
    cap = how.copies * int(np.bincount(current.indices).max()) if how.cap is None else how.cap
    C = disentangled(tree, reached, Y, copies=how.copies, cap=cap or None, weighting=how.weighting)
    before, after = candidates(reached, Y, current), candidates(reached, Y, C)
    return Reassigned(with_clusters(tree, C), C, Round(before=before, after=after, leaves=C.nnz))


def reached_clusters(model: Any, training: CheckedTraining, how: Assignment) -> CSR:
    """Clusters of each instance with their scores, shape (n, K); cross-fitted if ``how`` has folds."""
    unseen = how.folds > 1 and "above_leaves" in as_model(model).abilities and model.tree_.depth > 1
    if not unseen or training.X.shape[0] < 2 * how.folds:
        reached: CSR = model.clusters_reached(training.X, beam=how.beam)
        return reached
    return reached_unseen(model, training, how)


def reached_unseen(model: Any, training: CheckedTraining, how: Assignment) -> CSR:
    """Clusters of each instance, shape (n, K), by matchers that were trained on the other folds.

    The model overfits its own training instances: on gutenberg-lcsh they reach the clusters of 99.9% of their labels,
    new instances those of 70%.
    """
    Y = sp.csr_matrix(training.Y @ clusters_of(model.tree_))
    beam, n_clusters = how.beam or model.beam, Y.shape[1]
    fold = np.random.default_rng(how.seed).permutation(training.X.shape[0]) % how.folds
    pieces = []
    for number in range(how.folds):
        rest, held, threads = training.X[fold != number], training.X[fold == number], training.threads
        matcher = as_model(model.above_leaves()).fit_training(Training(X=rest, Y=Y[fold != number], threads=threads))
        request = Request(X=held, k=min(beam, n_clusters), beam=beam, threads=threads)
        top = as_model(matcher).answer(request)
        worth: Float32 = np.broadcast_to(1 / np.arange(1, top.k + 1, dtype=np.float32), top.labels.shape)
        pieces.append(top.matrix(top.labels >= 0, worth, n_clusters))
    place = np.argsort(np.argsort(fold, kind="stable"))
    return sp.csr_matrix(sp.csr_matrix(sp.vstack(pieces))[place])
