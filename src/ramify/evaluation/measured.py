"""Measures of one prediction, (Y_test, TopK, Y_train), as functions of document weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.buckets import label_buckets
from ramify.evaluation.config import EvaluationConfig
from ramify.evaluation.document_measures import Contributions, contributions
from ramify.evaluation.judgement import judge, restrict_columns, widen
from ramify.evaluation.label_measures import LabelTally, label_tally, scoped
from ramify.evaluation.propensity import TrainingCounts, inverse_propensities
from ramify.evaluation.set_measures import SetCounts, SetTally, set_contributions, set_tally
from ramify.evaluation.unseen import UnseenDocuments
from ramify.values import CSR, Bool, Float64, Int64, TopK, as_label_matrix


@dataclass(frozen=True)
class Truth:
    """The true labels and the data of the measures.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        True labels of the test documents, as wide as the wider of Y_test and Y_train.
    buckets : dict of str to bool array, shape (L,)
        Labels by training frequency; empty without Y_train.
    counts : int64 array, shape (L,), or None
        Training instances per label.
    weights : float64 array, shape (L,), or None
        Inverse propensities.
    unseen : UnseenDocuments
        Documents none of whose labels occurs in Y_train.
    """

    Y: CSR
    buckets: dict[str, Bool]
    counts: Int64 | None
    weights: Float64 | None
    unseen: UnseenDocuments


def truth_of(Y_test: Any, Y_train: Any, config: EvaluationConfig) -> Truth:
    """Extend test and training labels to one label space.

    Raises
    ------
    InputError
        Not a 0/1 matrix, or a setting that needs Y_train without Y_train.
    """
    Y = as_label_matrix(Y_test)
    if Y_train is None:
        if config.seen_labels_only:
            raise InputError("seen_labels_only needs Y_train, the training labels")
        return Truth(Y, {}, None, None, UnseenDocuments())
    seen = TrainingCounts.of(Y_train).widened(Y.shape[1])
    counts = seen.labels
    Y = widen(Y, len(counts))
    seen_only = restrict_columns(Y, counts > 0)
    n_unseen = int(((np.diff(Y.indptr) > 0) & (np.diff(seen_only.indptr) == 0)).sum())
    A, B = config.propensity
    return Truth(
        Y=seen_only if config.seen_labels_only else Y,
        buckets=label_buckets(counts, head_share=config.head_share, tail_at_most=config.tail_at_most),
        counts=counts,
        weights=inverse_propensities(counts, seen.n_documents, A=A, B=B),
        unseen=UnseenDocuments(n_unseen, counted=not config.seen_labels_only),
    )


@dataclass(frozen=True)
class Measured:
    """One prediction compared with the true labels.

    Parameters
    ----------
    n_documents : int
        Rows of Y_test.
    counted : int64 array, shape (n,)
        Rows of Y_test that are included; weights and contributions number them from 0.
    by_document : dict of str to Contributions
        Measures over documents, per group of labels; "" is all labels.
    by_label : LabelTally or SetTally
        Measures over labels, of all groups.
    """

    n_documents: int
    counted: Int64
    by_document: dict[str, Contributions]
    by_label: LabelTally | SetTally

    @property
    def n_counted(self) -> int:
        """Number of documents included."""
        return len(self.counted)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All measures, in the order of :meth:`under`."""
        own = [scoped(group, name) for group, part in self.by_document.items() for name in part.names]
        return (*own, *self.by_label.names)

    @cached_property
    def over_labels(self) -> Bool:
        """True for measures that are means over labels."""
        return np.arange(len(self.names)) >= len(self.names) - len(self.by_label.names)

    @cached_property
    def estimate(self) -> Float64:
        """The measures with equal weights, shape (measures,)."""
        estimate: Float64 = self.under(np.ones((1, self.n_counted)))[0]
        return estimate

    def under(self, weights: Float64) -> Float64:
        """The measures with documents weighted by ``weights``, shape (b, n_counted); shape (b, measures)."""
        return np.hstack([*(part.values(weights) for part in self.by_document.values()), self.by_label.values(weights)])


def measure(truth: Truth, top: TopK, config: EvaluationConfig) -> Measured:
    """Compare a prediction with the true labels.

    Raises
    ------
    InputError
        See :func:`ramify.evaluation.judgement.judge`.
    """
    ks = tuple(config.ks)
    judgement = judge(truth.Y, top, least_k=ks[-1], count_unlabelled=config.count_unlabelled)
    everything = contributions(judgement, ks, truth.weights)
    by_document = {"": replace(everything, rows=np.arange(len(judgement.rows)))}
    for name, bucket in truth.buckets.items():
        by_document[name] = contributions(judgement.restrict(bucket), ks, truth.weights)
    return Measured(
        n_documents=truth.Y.shape[0],
        counted=judgement.rows,
        by_document=by_document,
        by_label=label_tally(judgement, ks, truth.buckets),
    )


def measure_sets(truth: Truth, sets: CSR, config: EvaluationConfig) -> Measured:
    """Compare label sets, a 0/1 matrix of shape (n, L), with the true labels.

    Raises
    ------
    InputError
        No document has a true label.
    """
    if truth.Y.nnz == 0:
        raise InputError(f"none of the {truth.Y.shape[0]} test documents has a true label, so nothing can be measured")
    every = np.arange(truth.Y.shape[0])
    rows = every if config.count_unlabelled else np.flatnonzero(np.diff(truth.Y.indptr))
    counts = SetCounts.of(truth.Y[rows], widen(sets, truth.Y.shape[1])[rows])
    by_document = {"": set_contributions(counts, count_unlabelled=config.count_unlabelled)}
    for name, bucket in truth.buckets.items():
        by_document[name] = set_contributions(counts.restrict(bucket), count_unlabelled=False)
    return Measured(
        n_documents=truth.Y.shape[0], counted=rows, by_document=by_document, by_label=set_tally(counts, truth.buckets)
    )
