"""The label tree of a training: built by an indexer, or flat where there are few labels."""

from __future__ import annotations

from typing import Any

from ramify.errors import InputError
from ramify.exchange import CheckedTraining, VectorCache
from ramify.index.kmeans import KMeansIndexer, kept_labels
from ramify.label_vectors import PIFA
from ramify.protocols import Indexer, Representation
from ramify.values import Features, Hybrid, Int32, LabelTree

MAX_LEAF = 100
"""Maximum number of labels per leaf cluster."""

FEW_LABELS = 500
"""A tree of so few labels has at most five leaf clusters, and a search enters nearly all of them."""

CHEAP = 1_500_000_000
"""Multiplications per pass, stored values of X times labels: less than a CPU second of training without a tree."""

DENSE_PER_SPARSE = 16
"""Dense values that count as one sparse value: their products take a fifth of the time, and making them took longer."""


def is_flat(training: CheckedTraining, max_leaf: int | None) -> bool:
    """Whether the tree of a training has no clusters; labels without an instance do not count.

    Parameters
    ----------
    training : CheckedTraining
        Instances and labels.
    max_leaf : int or None
        Maximum number of labels per leaf cluster: a tree of at most so many labels is flat. None: a tree is flat if it
        has so few labels, or so little data, that it is as fast as clusters.
    """
    n_labels = len(_used_labels(training))
    if max_leaf is not None:
        return n_labels <= max_leaf
    return n_labels <= FEW_LABELS or _costly_values(training.X) * n_labels <= CHEAP


def _costly_values(X: Features) -> float:
    """Stored values of X; those of a dense block count less, because their products need no indices."""
    return X.sparse.nnz + X.dense.size / DENSE_PER_SPARSE if isinstance(X, Hybrid) else X.nnz


def flat_tree(training: CheckedTraining) -> LabelTree:
    """A tree without clusters of the labels that have an instance."""
    return LabelTree.flat(_used_labels(training), training.Y.shape[1])


def _used_labels(training: CheckedTraining) -> Int32:
    return kept_labels(training.Y, keep_unused=False)


def built_tree(training: CheckedTraining, indexer: Indexer, representation: Representation | None) -> LabelTree:
    """The indexer's tree over label vectors; ``representation`` is PIFA when None.

    Raises
    ------
    InputError
        The tree has a wrong number of labels.
    """
    Y, threads = training.Y, training.threads
    Z, spill = None, training.spill
    if getattr(indexer, "needs_vectors", True):
        training.report("represent", 0.0)
        Z = _vectors(training, representation or PIFA())
        training.report("represent", 1.0)
    training.report("index", 0.0)
    if spill is not None and isinstance(indexer, KMeansIndexer):
        tree = indexer.build(Z, Y, seed=training.seed, threads=threads, spill=spill)
    else:
        tree = indexer.build(Z, Y, seed=training.seed, threads=threads)
    if tree.n_labels != Y.shape[1]:
        raise InputError(f"the indexer's tree has {tree.n_labels} labels, but Y has {Y.shape[1]} columns")
    training.report("index", 1.0)
    return tree


def _vectors(training: CheckedTraining, representation: Representation) -> Any:
    """Label vectors, those of PIFA in files if the training has a folder for them."""
    X, Y, threads = training.X, training.Y, training.threads
    if training.spill is not None and training.vectors is None and isinstance(representation, PIFA):
        return representation.represent(X, Y, threads=threads, empty=training.spill.empty)
    return (training.vectors or VectorCache()).represent(representation, X, Y, threads)
