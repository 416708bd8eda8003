"""Measures that are means over labels: macro F1 and coverage.

Every label has the same weight. With tp, predicted and true counted per label over the documents, within the first k
predictions, and the mean taken over the labels with a true document in the test set:

- macroF1@k: mean of 2 tp / (predicted + true);
- Coverage@k: share of the labels with at least one correct prediction (tp > 0).

Counting is a product of sparse (label, document) matrices with the documents' weights, so that a resample of the
documents costs no more than another column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.evaluation.judgement import Judgement
from ramify.values import CSR, Bool, Float32, Float64, Int32


@dataclass(frozen=True)
class LabelTally:
    """Label counts for sums under any weights of the documents.

    Parameters
    ----------
    ks : tuple of int
        The cut-offs, ascending.
    true : csr_matrix, shape (T, n)
        Documents of each of the T labels with a true document.
    predicted, right : tuple of csr_matrix, shape (T, n)
        Per range between two cut-offs: documents for which the label is predicted, and predicted correctly.
    groups : bool array, shape (g, T)
        Labels of each group.
    group_names : tuple of str, length g
        "" for all labels.
    """

    ks: tuple[int, ...]
    true: CSR
    predicted: tuple[CSR, ...]
    right: tuple[CSR, ...]
    groups: Bool
    group_names: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The measures, in the order of :meth:`values`: per cut-off, per kind, per group."""
        kinds = [f"{kind}@{k}" for k in self.ks for kind in ("macroF1", "Coverage")]
        return tuple(scoped(group, kind) for kind in kinds for group in self.group_names)

    def values(self, weights: Float64) -> Float64:
        """The measures with documents weighted by ``weights``, shape (b, n); shape (b, len(names))."""
        # float32 halves the time of resamples, whose last digits do not matter; counts are exact up to 2^24
        number: Any = np.float64 if len(weights) == 1 else np.float32
        by_document = np.ascontiguousarray(weights.T, dtype=number)
        true: npt.NDArray[Any] = self.true @ by_document  # (T, b)
        total, tp = true.copy(), np.zeros_like(true)
        groups = self.groups.astype(number)
        n_present = groups @ (true > 0).astype(number)  # (g, b)
        columns = []
        for predicted, right in zip(self.predicted, self.right, strict=True):
            total += predicted @ by_document
            tp += right @ by_document
            f1 = np.zeros_like(true)
            np.divide(2 * tp, total, out=f1, where=tp > 0)
            columns += [groups @ f1, groups @ (tp > 0).astype(number)]
        sums = np.vstack(columns).astype(np.float64)
        present = np.tile(n_present, (len(columns), 1))
        means = np.full_like(sums, np.nan)
        np.divide(sums, present, out=means, where=present > 0)
        return np.minimum(means, 1.0).T  # sums round


def label_tally(judgement: Judgement, ks: Sequence[int], buckets: Mapping[str, Bool]) -> LabelTally:
    """Count labels over all documents of a judgement; ``buckets`` are bool arrays, shape (L,), by name."""
    present = np.unique(judgement.truth.indices)
    compact = np.full(judgement.truth.shape[1], -1, np.int32)
    compact[present] = np.arange(len(present), dtype=np.int32)
    labels = np.where(judgement.labels >= 0, compact[judgement.labels], np.int32(-1))
    stretches = list(pairwise((0, *ks)))
    return LabelTally(
        ks=tuple(ks),
        true=sp.csr_matrix(judgement.truth.T)[present],
        predicted=tuple(_incidence(labels[:, a:b], len(present)) for a, b in stretches),
        right=tuple(
            _incidence(np.where(judgement.hits, labels, np.int32(-1))[:, a:b], len(present)) for a, b in stretches
        ),
        groups=np.array([np.ones(len(present), bool), *(bucket[present] for bucket in buckets.values())]),
        group_names=("", *buckets),
    )


def scoped(group: str, measure: str) -> str:
    """The full name of a measure of a group of labels, such as "tail/R@5"; the group "" is all labels."""
    return f"{group}/{measure}" if group else measure


def _incidence(labels: Int32, n_labels: int) -> CSR:
    """0/1 matrix, shape (n_labels, n): documents of each label; -1 is none."""
    documents, columns = np.nonzero(labels >= 0)
    ones: Float32 = np.ones(len(documents), np.float32)
    pairs: tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]] = (labels[documents, columns], documents)
    return sp.csr_matrix((ones, pairs), shape=(n_labels, len(labels)))
