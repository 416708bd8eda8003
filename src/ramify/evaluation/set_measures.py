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
from ramify.evaluation.judgement import restrict_columns
from ramify.evaluation.label_measures import scoped
from ramify.values import CSR, Bool, Float64, Int64

OVER_LABELS = ("macroP", "macroR", "macroF1")
OVER_DOCUMENTS = tuple(name for name in SET_MEASURES if name not in OVER_LABELS)


@dataclass(frozen=True)
class SetCounts:
    """True, predicted and correctly predicted labels of some documents, as matrices of shape (n, L).

    Parameters
    ----------
    truth, sets, right : csr_matrix, shape (n, L)
        0/1.
    rows : int64 array, shape (n,)
        Number of each document among those included in the measures of all labels.
    """

    truth: CSR
    sets: CSR
    right: CSR
    rows: Int64

    @classmethod
    def of(cls, truth: CSR, sets: CSR) -> SetCounts:
        """Compare sets with the truth of the same documents."""
        return cls(truth, sets, sp.csr_matrix(truth.multiply(sets)), np.arange(truth.shape[0]))

    def restrict(self, bucket: Bool) -> SetCounts:
        """Labels of a bucket only, in the documents that have one in truth or set."""
        truth, sets, right = (restrict_columns(part, bucket) for part in (self.truth, self.sets, self.right))
        kept = np.flatnonzero(np.diff(truth.indptr) + np.diff(sets.indptr))
        return SetCounts(truth[kept], sets[kept], right[kept], kept)


def set_contributions(counts: SetCounts, *, count_unlabelled: bool) -> Contributions:
    """Contribution of each document to the measures ``OVER_DOCUMENTS``."""
    true, predicted, right = (
        np.diff(part.indptr).astype(np.float64) for part in (counts.truth, counts.sets, counts.right)
    )
    both = predicted + true
    exact = (right == predicted) & (right == true)
    shares = [right / np.maximum(predicted, 1), right / np.maximum(true, 1), 2 * right / np.maximum(both, 1), exact]
    relevant = np.ones(len(true)) if count_unlabelled else true > 0
    return Contributions(
        names=OVER_DOCUMENTS,
        rows=counts.rows,
        numerators=np.column_stack([*(share * relevant for share in shares), right, right, 2 * right]).astype(
            np.float64
        ),
        denominators=np.column_stack([relevant, predicted, true, both]).astype(np.float64),
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
        # float32 halves the time of resamples, whose last digits do not matter; counts are exact up to 2^24
        number: Any = np.float64 if len(weights) == 1 else np.float32
        by_document = np.ascontiguousarray(weights.T, dtype=number)
        true, predicted, right = (np.asarray(part @ by_document) for part in (self.true, self.predicted, self.right))
        groups = self.groups.astype(number)
        present = groups @ (true > 0).astype(number)
        columns = []
        for numerator, denominator in ((right, predicted), (right, true), (2 * right, predicted + true)):
            share = np.zeros_like(right)
            np.divide(numerator, denominator, out=share, where=(denominator > 0) & (true > 0))
            means = np.full_like(present, np.nan)
            np.divide(groups @ share, present, out=means, where=present > 0)
            columns.append(means)
        values: Float64 = np.minimum(np.vstack(columns), 1.0).T.astype(np.float64)  # sums round
        return values


def set_tally(counts: SetCounts, buckets: Mapping[str, Bool]) -> SetTally:
    """Count labels over all documents; ``buckets`` are bool arrays, shape (L,), by name."""
    true = sp.csr_matrix(counts.truth.T)
    present = np.flatnonzero(np.diff(true.indptr))
    return SetTally(
        true=true[present],
        predicted=sp.csr_matrix(counts.sets.T)[present],
        right=sp.csr_matrix(counts.right.T)[present],
        groups=np.array([np.ones(len(present), bool), *(bucket[present] for bucket in buckets.values())]),
        group_names=("", *buckets),
    )
