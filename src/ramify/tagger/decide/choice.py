"""The rule for a measure: the kind of rule that is best at it on held-out documents which it was not fitted on.

The held-out documents are divided into two halves. Each kind is fitted on one half and measured on the other, and the
kind with the largest mean is fitted on all of them. Which kind is best depends on the data: thresholds per label gain
macro F1 where labels differ in difficulty and have many predictions, and lose it where most labels are rare.
"""

from __future__ import annotations

import numpy as np

from ramify.tagger.decide.evidence import Evidence
from ramify.tagger.decide.fitting import fit_rule
from ramify.tagger.decide.rules import Rule
from ramify.values import Bool, Float32

KINDS = ("group-f1", "label-f1", "count", "expected-f1")
"""Kinds of rules tried for every measure, besides one threshold."""


def chosen_kinds(evidence: Evidence, probabilities: Float32) -> dict[str, str]:
    """The kind of rule for each measure of ``MEASURES``, by its name in ``fitting``.

    Parameters
    ----------
    evidence : Evidence
    probabilities : float32 array, shape (n, k)
        Of the held-out predictions.
    """
    half = np.arange(len(evidence.labels)) % 2 == 0
    parts = [(evidence.of_rows(rows), probabilities[rows]) for rows in (half, ~half)]
    if min(part.truth.nnz for part, _ in parts) == 0:
        return {name: f"one-{name}" for name in MEASURES}
    kept: dict[str, list[Bool]] = {}
    for kind in (*(f"one-{name}" for name in MEASURES), *KINDS):
        fitted = [fit_rule(kind, *part) for part in parts]
        kept[kind] = [_kept(rule, *part) for rule, part in zip(reversed(fitted), parts, strict=True)]
    found = {}
    for name, measure in MEASURES.items():
        means = {
            kind: np.mean([measure(part, one) for (part, _), one in zip(parts, kept[kind], strict=True)])
            for kind in (f"one-{name}", *KINDS)
        }
        found[name] = max(means, key=lambda kind: means[kind])
    return found


def _kept(rule: Rule, evidence: Evidence, probabilities: Float32) -> Bool:
    return rule.kept(evidence.top, probabilities) & evidence.valid


def micro_f1(evidence: Evidence, kept: Bool) -> float:
    """2 Σ tp / Σ (p + t) over all documents; ``kept`` marks the labels of the sets, shape (n, k)."""
    return float(2 * (kept & evidence.hits).sum() / max(1, kept.sum() + evidence.truth.nnz))


def macro_f1(evidence: Evidence, kept: Bool) -> float:
    """Mean of 2 tp / (p + t) over the labels with a true document."""
    n_labels = evidence.truth.shape[1]
    right, predicted = (
        np.bincount(evidence.labels[which], minlength=n_labels) for which in (kept & evidence.hits, kept)
    )
    true = np.bincount(evidence.truth.indices, minlength=n_labels)
    some = true > 0
    return float((2 * right[some] / (predicted + true)[some]).mean())


def example_f1(evidence: Evidence, kept: Bool) -> float:
    """Mean of 2 tp / (p + t) over the documents; 0 where both are 0."""
    both = np.maximum(kept.sum(axis=1) + evidence.n_true, 1)
    return float((2 * (kept & evidence.hits).sum(axis=1) / both).mean())


MEASURES = {"micro-f1": micro_f1, "macro-f1": macro_f1, "example-f1": example_f1}
