"""Predictions beside the truth, from which the curves, the tables of labels and the examples are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.judgement import judge
from ramify.tagger.assessment import Assessment
from ramify.tagger.decide.held_out import chosen_labels
from ramify.values import CSR, Bool, Float32, Int32, Int64, TopK


@dataclass(frozen=True)
class Judged:
    """Predictions of one model for the documents with a true label.

    Parameters
    ----------
    labels : int32 array, shape (n, k)
        Predicted labels, best first; -1 for none.
    scores : float32 array, shape (n, k)
    probabilities : float32 array, shape (n, k), or None
        None for a model that is not calibrated.
    hits : bool array, shape (n, k)
        Which of the labels are true.
    chosen : bool array, shape (n, k)
        Which of them are suggested: those of the rule, or the first ones.
    truth : csr_matrix, shape (n, L)
    rows : int64 array, shape (n,)
        Row of each document in the Dataset.
    """

    labels: Int32
    scores: Float32
    probabilities: Float32 | None
    hits: Bool
    chosen: Bool
    truth: CSR
    rows: Int64

    @property
    def valid(self) -> Bool:
        """Where there is a label, shape (n, k)."""
        return self.labels >= 0

    @property
    def values(self) -> Float32:
        """Probabilities, or scores of a model that is not calibrated, shape (n, k)."""
        return self.scores if self.probabilities is None else self.probabilities

    @property
    def n_true(self) -> int:
        """True labels of all documents."""
        return int(self.truth.nnz)

    @property
    def precision(self) -> float:
        """Share of the suggested labels that are true; NaN without suggestions."""
        return _ratio(int((self.hits & self.chosen).sum()), int(self.chosen.sum()))

    @property
    def recall(self) -> float:
        """Share of the true labels that are suggested."""
        return _ratio(int((self.hits & self.chosen).sum()), self.n_true)

    @property
    def mean_size(self) -> float:
        """Suggested labels per document."""
        return float(self.chosen.sum() / len(self.chosen))

    def sets(self) -> CSR:
        """The suggested labels as a 0/1 matrix, shape (n, L)."""
        ones = np.ones(self.labels.shape, np.float32)
        return TopK(self.labels, self.scores).matrix(self.chosen, ones, self.truth.shape[1])

    def f1(self) -> Float32:
        """F1 of the suggested labels of each document, shape (n,)."""
        right = (self.hits & self.chosen).sum(axis=1)
        both = self.chosen.sum(axis=1) + np.diff(self.truth.indptr)
        return np.asarray(2 * right / np.maximum(both, 1), dtype=np.float32)

    def tallies(self) -> tuple[Int64, Int64, Int64]:
        """Per label: true documents, documents that it is suggested for, and those of them where it is true."""
        n_labels = self.truth.shape[1]
        true, suggested, right = (
            np.bincount(labels, minlength=n_labels).astype(np.int64)
            for labels in (self.truth.indices, self.labels[self.chosen], self.labels[self.chosen & self.hits])
        )
        return true, suggested, right


def judged(found: Assessment, rule: str | None, number: int = 0, *, first_labels: bool = False) -> Judged:
    """Compare the predictions of a model with the truth.

    Parameters
    ----------
    found : Assessment
    rule : str or None
        Name of a rule of the model's decisions; None for a model that is not calibrated.
    number : int, default 0
        Place of the model.
    first_labels : bool, default False
        Whether the first labels, up to the last cut-off, are suggested in place of those of the rule.
    """
    top = found.tops[number]
    judgement = judge(found.truth.Y, top, least_k=top.k)
    rows, probabilities = judgement.rows, None
    kept = (top.labels[rows] >= 0) & (np.arange(top.k) < found.config.ks[-1])
    if rule is not None:
        chosen, given = chosen_labels(found, rule, number)
        probabilities = given[rows]
        kept = kept if first_labels else chosen[rows]
    return Judged(
        labels=judgement.labels,
        scores=top.scores[rows],
        probabilities=probabilities,
        hits=judgement.hits,
        chosen=kept,
        truth=judgement.truth,
        rows=rows,
    )


def rule_of(found: Assessment, number: int, wanted: str | None, default: str) -> str | None:
    """The rule of a model: the wanted one, which needs a calibration, else the default if the model is calibrated.

    Raises
    ------
    InputError
        A wanted rule for a model that is not calibrated, or one that cannot be fitted.
    """
    tagger = found.taggers[number]
    if wanted is not None:
        tagger.decisions_or_error().rule(wanted)
        return wanted
    if tagger.decisions_ is None:
        return None
    try:
        tagger.decisions_.rule(default)
    except InputError:
        return None
    return default


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
