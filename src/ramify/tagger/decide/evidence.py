"""Predictions for documents that were not trained on, with the truth: what calibration and rules are fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.evaluation import label_buckets
from ramify.evaluation.judgement import judge, widen
from ramify.evaluation.propensity import TrainingCounts
from ramify.values import CSR, Bool, Float32, Int8, Int32, Int64, TopK, as_label_matrix

BUCKETS = ("head", "middle", "tail", "0-shot")
"""Groups of labels by training frequency (``evaluation.buckets``), which together are all labels."""


@dataclass(frozen=True)
class Evidence:
    """Held-out predictions and their truth.

    Parameters
    ----------
    labels : int32 array, shape (n, k)
        Predicted labels, in descending order; -1 for none.
    scores : float32 array, shape (n, k)
    hits : bool array, shape (n, k)
        Which of them are true.
    truth : csr_matrix, shape (n, L)
        The true labels, found or not.
    bucket_of : int8 array, shape (L,)
        Number of each label's group in ``BUCKETS``.
    """

    labels: Int32
    scores: Float32
    hits: Bool
    truth: CSR
    bucket_of: Int8

    @classmethod
    def of(cls, Y: Any, top: TopK, Y_train: Any) -> Evidence:
        """From held-out labels (n, L), predictions of these documents, and the labels (or counts) of training.

        Raises
        ------
        InputError
            See ``judge``.
        """
        truth, trained = as_label_matrix(Y), TrainingCounts.of(Y_train)
        counts = trained.widened(truth.shape[1]).labels
        judgement = judge(widen(truth, len(counts)), top, least_k=top.k, count_unlabelled=True)
        return cls(judgement.labels, top.scores, judgement.hits, judgement.truth, bucket_numbers(counts))

    def of_rows(self, rows: Bool) -> Evidence:
        """The evidence of some documents, given by a mask of shape (n,)."""
        parts = (self.labels[rows], self.scores[rows], self.hits[rows], self.truth[rows])
        return Evidence(*parts, self.bucket_of)

    def halves(self) -> tuple[Bool, Bool]:
        """Masks of the first and of the last documents, shape (n,) each.

        Neighbours in a file are often alike, so that alternate documents would not be independent halves.
        """
        first = np.arange(len(self.labels)) < len(self.labels) // 2
        return first, ~first

    @property
    def top(self) -> TopK:
        """The predictions."""
        return TopK(self.labels, self.scores)

    @property
    def n_true(self) -> Int64:
        """True labels per document, shape (n,)."""
        return np.diff(self.truth.indptr).astype(np.int64)

    @property
    def valid(self) -> Bool:
        """Where there is a label, shape (n, k)."""
        return self.labels >= 0

    def buckets(self) -> Int8:
        """Group of each predicted label, shape (n, k); -1 for none."""
        return np.where(self.valid, self.bucket_of[self.labels], np.int8(-1))


def bucket_numbers(counts: Int64) -> Int8:
    """Number of each label's group in ``BUCKETS``, from its training instances, shape (L,)."""
    found = label_buckets(counts)
    numbers = np.zeros(len(counts), np.int8)
    for number, name in enumerate(BUCKETS):
        numbers[found[name]] = number
    return numbers
