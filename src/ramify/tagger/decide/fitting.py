"""Fitting a rule on held-out predictions, from its name.

=====================  ==============================================================================================
name                   rule
=====================  ==============================================================================================
one-micro-f1           one threshold with the largest micro F1
one-macro-f1           one threshold with the largest macro F1
one-example-f1         one threshold with the largest mean F1 of a document
group-f1               a threshold per group of labels by training frequency, each with the largest micro F1
group-macro-f1         a threshold per group of labels by training frequency, each with the largest macro F1
label-f1               a threshold per label: half of the largest F1 that its probabilities let expect
count                  the most probable labels, as many as a document probably has
expected-f1            the set of the largest expected F1 of each document
precision=0.9          one threshold: at least this share of the labels is true (lower bound of 95%)
recall=0.8             one threshold: at least this share of the true labels is found (lower bound of 95%)
coverage=0.9           conformal sets: this share of the true labels of a new document, in expectation
threshold=0.5          one given threshold
=====================  ==============================================================================================

``micro-f1``, ``macro-f1`` and ``example-f1`` are the best of these kinds for the measure (``choice.chosen_kinds``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ramify.checks import Real
from ramify.errors import InputError
from ramify.tagger.decide import sweeps
from ramify.tagger.decide.evidence import BUCKETS, Evidence
from ramify.tagger.decide.measures import example_f1
from ramify.tagger.decide.rules import Counted, ExpectedF1, Rule, Thresholds
from ramify.values import Float32, Float64
from ramify.wording import quoted

RATIOS, SHARES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0), (0.0, 0.5, 1.0)
"""For expected-f1: factors of the sum of the probabilities, and shares of the mean number of labels not predicted."""
MORE = "ask for less or predict more labels per document"


def fit_rule(name: str, evidence: Evidence, probabilities: Float32) -> Rule:
    """Fit a rule.

    Parameters
    ----------
    name : str
        A name of the table above.
    evidence : Evidence
    probabilities : float32 array, shape (n, k)
        Of the predicted labels (``Calibration.probabilities``).

    Raises
    ------
    InputError
        An unknown name, a share outside 0..1, or a share that no threshold reaches.
    """
    check_rule(name)
    kind, given, value = name.partition("=")
    if not given:
        return FITTED[kind](evidence, probabilities)
    return WANTED[kind](evidence, probabilities, _share(kind, value))


def check_rule(name: str) -> None:
    """Raise InputError for an unknown rule, or a share outside 0..1."""
    kind, given, value = name.partition("=") if isinstance(name, str) else ("", "", "")
    if given and kind in WANTED:
        _share(kind, value)
    elif given or kind not in FITTED:
        names = ", ".join([*CHOSEN, *FITTED, *(f"{one}=SHARE" for one in WANTED)])
        raise InputError(f"there is no rule {quoted(name)}: choose {names}")


def _share(kind: str, value: str) -> float:
    try:
        share: float | str = float(value)
    except ValueError:
        share = value
    return float(Real(0, 1).check(kind, share))


def _flat(evidence: Evidence, probabilities: Float32) -> tuple[Float64, np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, hits, documents and labels of all predictions, shape (m,) each."""
    valid = evidence.valid
    rows = np.nonzero(valid)[0].astype(np.int64)
    return probabilities[valid].astype(np.float64), evidence.hits[valid], rows, evidence.labels[valid].astype(np.int64)


def _one(threshold: float) -> Thresholds:
    return Thresholds(np.array([threshold], np.float32))


def _micro(evidence: Evidence, probabilities: Float32) -> Rule:
    p, hits, _, labels = _flat(evidence, probabilities)
    return _one(sweeps.best_threshold(p, hits, np.zeros_like(labels), np.array([evidence.truth.nnz])))


def _macro(evidence: Evidence, probabilities: Float32) -> Rule:
    p, hits, _, labels = _flat(evidence, probabilities)
    true = np.bincount(evidence.truth.indices, minlength=evidence.truth.shape[1])
    return _one(sweeps.best_threshold(p, hits, labels, true))


def _example(evidence: Evidence, probabilities: Float32) -> Rule:
    p, hits, rows, _ = _flat(evidence, probabilities)
    return _one(sweeps.best_threshold(p, hits, rows, evidence.n_true))


def _group(evidence: Evidence, probabilities: Float32) -> Thresholds:
    p, hits, _, labels = _flat(evidence, probabilities)
    groups = evidence.bucket_of.astype(np.int64)
    true = np.bincount(groups[evidence.truth.indices], minlength=len(BUCKETS))
    values = sweeps.best_threshold_of_each(p, hits, groups[labels], true)
    every = sweeps.best_threshold(p, hits, np.zeros_like(labels), np.array([evidence.truth.nnz]))
    return Thresholds(np.where(np.isnan(values), every, values)[groups].astype(np.float32))


def _group_macro(evidence: Evidence, probabilities: Float32) -> Rule:
    """The macro F1 of all labels is the mean of those of the groups, so that each group has its own best threshold."""
    p, hits, _, labels = _flat(evidence, probabilities)
    true = np.bincount(evidence.truth.indices, minlength=evidence.truth.shape[1])
    groups = evidence.bucket_of.astype(np.int64)
    values = np.full(len(BUCKETS), sweeps.best_threshold(p, hits, labels, true))
    for number in range(len(BUCKETS)):
        own = groups[labels] == number
        if hits[own].any():
            values[number] = sweeps.best_threshold(p[own], hits[own], labels[own], true)
    return Thresholds(values[groups].astype(np.float32))


def _label(evidence: Evidence, probabilities: Float32) -> Rule:
    """With true probabilities, the threshold of the largest expected F1 is half of that F1.

    The expectation uses the probabilities of the held-out predictions instead of their few correct ones, and the share
    of true labels that are predicted at all, by group of labels. Labels without predictions have the threshold of
    one-macro-f1. Zachary Lipton, Charles Elkan, Balakrishnan Naryanaswamy: Optimal Thresholding of Classifiers to
    Maximize F1 Measure. ECML PKDD 2014, theorem 1.
    """
    p, hits, _, labels = _flat(evidence, probabilities)
    groups = evidence.bucket_of.astype(np.int64)
    true = np.bincount(groups[evidence.truth.indices], minlength=len(BUCKETS))
    found = np.bincount(groups[labels], hits, minlength=len(BUCKETS))
    ratio = np.maximum(true / np.maximum(found, 1), 1).astype(np.float64)
    expected = np.bincount(labels, p, minlength=len(groups)) * ratio[groups]
    largest = sweeps.largest_expected_f1(p, labels, expected)
    every = sweeps.best_threshold(p, hits, labels, np.bincount(evidence.truth.indices, minlength=len(groups)))
    return Thresholds(np.where(np.isnan(largest), every, largest / 2).astype(np.float32))


def _count(evidence: Evidence, probabilities: Float32) -> Rule:
    from sklearn.isotonic import IsotonicRegression

    sums = np.where(evidence.valid, probabilities, 0).sum(axis=1, dtype=np.float64)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(sums, evidence.n_true)
    return Counted(np.stack([fitted.X_thresholds_, fitted.y_thresholds_]).astype(np.float64))


def _expected(evidence: Evidence, probabilities: Float32) -> Rule:
    missing = float((evidence.n_true - evidence.hits.sum(axis=1)).mean())
    rules = [ExpectedF1(ratio, share * missing) for ratio in RATIOS for share in SHARES]
    return max(rules, key=lambda rule: example_f1(evidence, rule.kept(evidence.top, probabilities) & evidence.valid))


def _precision(evidence: Evidence, probabilities: Float32, share: float) -> Rule:
    p, hits, rows, _ = _flat(evidence, probabilities)
    return _reached(sweeps.threshold_of_precision(p, hits, rows, share), "precision", share, "ask for less")


def _recall(evidence: Evidence, probabilities: Float32, share: float) -> Rule:
    p, hits, rows, _ = _flat(evidence, probabilities)
    return _reached(sweeps.threshold_of_recall(p, hits, rows, evidence.n_true, share), "recall", share, MORE)


def _coverage(evidence: Evidence, probabilities: Float32, share: float) -> Rule:
    p, hits, rows, _ = _flat(evidence, probabilities)
    return _reached(sweeps.threshold_of_coverage(p, hits, rows, evidence.n_true, share), "coverage", share, MORE)


def _given(evidence: Evidence, probabilities: Float32, share: float) -> Rule:
    return _one(share)


def _reached(found: sweeps.Reached, name: str, wanted: float, remedy: str) -> Rule:
    if found.threshold is None:
        raise InputError(
            f"no threshold reaches a {name} of {wanted:g} on the held-out documents, where at most {found.best:.3f} "
            f"is certain: {remedy}"
        )
    return _one(found.threshold)


CHOSEN = ("micro-f1", "macro-f1", "example-f1")
"""Names of measures whose kind of rule is chosen (``choice``)."""

FITTED: dict[str, Callable[[Evidence, Float32], Rule]] = {
    "one-micro-f1": _micro,
    "one-macro-f1": _macro,
    "one-example-f1": _example,
    "group-f1": _group,
    "group-macro-f1": _group_macro,
    "label-f1": _label,
    "count": _count,
    "expected-f1": _expected,
}
WANTED: dict[str, Callable[[Evidence, Float32, float], Rule]] = {
    "precision": _precision,
    "recall": _recall,
    "coverage": _coverage,
    "threshold": _given,
}
