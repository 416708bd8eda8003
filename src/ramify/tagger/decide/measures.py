"""F1 of sets of predicted labels; ``kept`` marks the labels of the sets, a bool array of shape (n, k)."""

from __future__ import annotations

import numpy as np

from ramify.tagger.decide.evidence import Evidence
from ramify.values import Bool


def micro_f1(evidence: Evidence, kept: Bool) -> float:
    """2 Σ tp / Σ (p + t) over all documents."""
    return float(2 * (kept & evidence.hits).sum() / max(1, kept.sum() + evidence.truth.nnz))


def macro_f1(evidence: Evidence, kept: Bool) -> float:
    """Mean of 2 tp / (p + t) over the labels with a true document."""
    n_labels = evidence.truth.shape[1]
    right = np.bincount(evidence.labels[kept & evidence.hits], minlength=n_labels)
    predicted = np.bincount(evidence.labels[kept], minlength=n_labels)
    true = np.bincount(evidence.truth.indices, minlength=n_labels)
    some = true > 0
    return float((2 * right[some] / (predicted + true)[some]).mean())


def example_f1(evidence: Evidence, kept: Bool) -> float:
    """Mean of 2 tp / (p + t) over the documents; 0 where both are 0."""
    both = np.maximum(kept.sum(axis=1) + evidence.n_true, 1)
    return float((2 * (kept & evidence.hits).sum(axis=1) / both).mean())


MEASURES = {"micro-f1": micro_f1, "macro-f1": macro_f1, "example-f1": example_f1}
