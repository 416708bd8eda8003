"""Measures of label sets, as functions of document weights.

With tp labels of a set that are true, p labels in the set and t true labels:

==========  =====================================================================
measure     value
==========  =====================================================================
P, R, F1    mean over documents of tp / p, tp / t, 2 tp / (p + t); 0 where p = 0
exact       share of documents whose set is the set of the true labels
microP      Σ tp / Σ p, over all documents
microR      Σ tp / Σ t
microF1     2 Σ tp / Σ (p + t)
macroP      mean over labels of tp / p, counted per label; 0 where p = 0
macroR      mean over labels of tp / t
macroF1     mean over labels of 2 tp / (p + t)
==========  =====================================================================

Means over labels are over those with a true document in the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.evaluation.document_measures import Contributions
from ramify.evaluation.grid import SET_MEASURES
from ramify.evaluation.judgement import Judgement
from ramify.evaluation.label_measures import scoped
from ramify.values import CSR, Bool, Float64, TopK

OVER_LABELS = ("macroP", "macroR", "macroF1")
OVER_DOCUMENTS = tuple(name for name in SET_MEASURES if name not in OVER_LABELS)


def padded_sets(sets: CSR) -> TopK:
    """The labels of each row in ascending order, filled with -1; scores are 1. Width: the largest set, at least 1."""
    counts = np.diff(sets.indptr)
    labels = np.full((sets.shape[0], max(1, int(counts.max(initial=0)))), -1, np.int32)
    rows = np.repeat(np.arange(len(counts)), counts)
    labels[rows, np.arange(sets.nnz) - sets.indptr[rows]] = sets.indices
    return TopK(labels, np.where(labels >= 0, 1.0, -np.inf).astype(np.float32))


def set_contributions(judgement: Judgement) -> Contributions:
    """Contribution of each document to the measures ``OVER_DOCUMENTS``."""
    right = judgement.hits.sum(axis=1).astype(np.float64)
    predicted = (judgement.labels >= 0).sum(axis=1).astype(np.float64)
    true = judgement.n_true.astype(np.float64)
    both = predicted + true
    exact = (right == predicted) & (right == true)
    shares = [right / np.maximum(predicted, 1), right / np.maximum(true, 1), 2 * right / np.maximum(both, 1), exact]
    return Contributions(
        names=OVER_DOCUMENTS,
        rows=judgement.rows,
        numerators=np.column_stack([*shares, right, right, 2 * right]).astype(np.float64),
        denominators=np.column_stack([judgement.relevant, predicted, true, both]).astype(np.float64),
        denominator_of=np.array([0, 0, 0, 0, 1, 2, 3]),
    )


@dataclass(frozen=True)
class SetTally:
    """Label counts for the measures ``OVER_LABELS`` under any weights of the documents.

    Parameters
    ----------
    true, predicted, right : csr_matrix, shape (T, n)
        Documents of each of the T labels with a true document: truly, by prediction, and both.
    groups : bool array, shape (g, T)
        Labels of each group.
    group_names : tuple of str, length g
        "" for all labels.
    """

    true: CSR
    predicted: CSR
    right: CSR
    groups: Bool
    group_names: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The measures, in the order of :meth:`values`: per kind, per group."""
        return tuple(scoped(group, kind) for kind in OVER_LABELS for group in self.group_names)

    def values(self, weights: Float64) -> Float64:
        """The measures with documents weighted by ``weights``, shape (b, n); shape (b, len(names))."""
        by_document = np.ascontiguousarray(weights.T)
        true, predicted, right = (np.asarray(part @ by_document) for part in (self.true, self.predicted, self.right))
        groups = self.groups.astype(np.float64)
        present = groups @ (true > 0)
        columns = []
        for numerator, denominator in ((right, predicted), (right, true), (2 * right, predicted + true)):
            share = np.zeros_like(right)
            np.divide(numerator, denominator, out=share, where=(denominator > 0) & (true > 0))
            means = np.full_like(present, np.nan)
            np.divide(groups @ share, present, out=means, where=present > 0)
            columns.append(means)
        values: Float64 = np.minimum(np.vstack(columns), 1.0).T  # sums round
        return values


def set_tally(judgement: Judgement, sets: CSR, buckets: Mapping[str, Bool]) -> SetTally:
    """Count labels over all documents of a judgement.

    Parameters
    ----------
    judgement : Judgement
        Of all labels.
    sets : csr_matrix, shape (n, L)
        The predicted sets of its documents, 0/1.
    buckets : dict of str to bool array, shape (L,)
    """
    true: Any = sp.csr_matrix(judgement.truth.T)
    present = np.flatnonzero(np.diff(true.indptr))
    true, predicted = true[present], sp.csr_matrix(sets.T)[present]
    return SetTally(
        true=true,
        predicted=predicted,
        right=sp.csr_matrix(true.multiply(predicted)),
        groups=np.array([np.ones(len(present), bool), *(bucket[present] for bucket in buckets.values())]),
        group_names=("", *buckets),
    )
