"""``evaluate`` measures one prediction; ``compare`` compares two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.bootstrap import centred, intervals, replicates, two_sided_p
from ramify.evaluation.comparison import Comparison, Difference
from ramify.evaluation.config import EvaluationConfig
from ramify.evaluation.measured import Measured, Truth, measure, truth_of
from ramify.evaluation.report import BucketSize, Report
from ramify.values import Float64, TopK

SIGNIFICANT_BELOW = 0.05


def evaluate(
    Y_test: Any,
    top: TopK,
    *,
    Y_train: Any = None,
    ks: Sequence[int] = (1, 3, 5),
    propensity: tuple[float, float] = (0.55, 1.5),
    bootstrap: int = 0,
    seed: int = 0,
) -> Report:
    """Measure predictions: P, nDCG, PSP, PSnDCG, recall, hit rate, micro and macro F1, label coverage, all at k.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1. May be wider or narrower than Y_train: missing columns are empty.
    top : TopK, shape (n, at least max(ks))
        Predictions, in descending order.
    Y_train : array-like or sparse, shape (m, L), or TrainingCounts, optional
        Training labels or their counts, required by PSP, PSnDCG and the buckets by training frequency.
    ks : sequence of int, default (1, 3, 5)
        Cut-offs.
    propensity : (float, float), default (0.55, 1.5)
        A, B: (0.5, 0.4) for Wikipedia sets, (0.6, 2.6) for Amazon sets.
    bootstrap : int, default 0
        Resamples of the documents for 95% intervals; 0 for none.
    seed : int, default 0
        Seed of the resampling.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        Matrices or predictions that do not fit together, a label predicted twice for a document, NaN scores,
        predictions of fewer than max(ks) columns, no true label at all, or a setting out of range.

    Notes
    -----
    Documents without a true label are left out; :func:`evaluate_with` can count them. P@k divides by k even where
    fewer labels are predicted. Formulas: ``ramify.evaluation.document_measures`` and ``label_measures``.

    The measures of a bucket include only its labels. A predicted label of another bucket is neither correct nor wrong,
    but keeps its rank, so P and nDCG of a bucket are limited by the ranks that other labels occupy; recall, PSP, F1
    and coverage are more informative. Documents without a true label of the bucket are left out, except for micro and
    macro F1, where a label of the bucket that is predicted for them is an error.
    """
    config = EvaluationConfig(ks=ks, propensity=propensity, bootstrap=bootstrap, seed=seed)
    return evaluate_with(config, Y_test, top, Y_train)


def evaluate_with(config: EvaluationConfig, Y_test: Any, top: TopK, Y_train: Any = None) -> Report:
    """As :func:`evaluate`, with an ``EvaluationConfig``."""
    truth = truth_of(Y_test, Y_train, config)
    measured = measure(truth, top, config)
    samples = replicates([measured], config.bootstrap, config.seed)[0] if config.bootstrap else None
    return Report(**measures(truth, measured, samples), ks=tuple(config.ks))


def compare(
    Y_test: Any,
    top_a: TopK,
    top_b: TopK,
    *,
    Y_train: Any = None,
    ks: Sequence[int] = (1, 3, 5),
    bootstrap: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two predictions of the same documents by a paired bootstrap.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    top_a, top_b : TopK, shape (n, at least max(ks))
        The two predictions.
    Y_train : array-like or sparse, shape (m, L), optional
        Training labels, as in :func:`evaluate`.
    ks : sequence of int, default (1, 3, 5)
        Cut-offs.
    bootstrap : int, default 1000
        Resamples of the documents, at least 1.
    seed : int, default 0
        Seed of the resampling.

    Returns
    -------
    Comparison
        Per measure both values, b - a with its 95% interval, and a two-sided p value.

    Raises
    ------
    InputError
        As :func:`evaluate`, or bootstrap below 1.
    """
    config = EvaluationConfig(ks=ks, bootstrap=bootstrap, seed=seed)
    return compare_with(config, Y_test, top_a, top_b, Y_train)


def compare_with(config: EvaluationConfig, Y_test: Any, top_a: TopK, top_b: TopK, Y_train: Any = None) -> Comparison:
    """As :func:`compare`, with an ``EvaluationConfig``."""
    check_resamples(config)
    truth = truth_of(Y_test, Y_train, config)
    a, b = measure(truth, top_a, config), measure(truth, top_b, config)
    return compared(a, b, config, truth, replicates([a, b], config.bootstrap, config.seed))


def check_resamples(config: EvaluationConfig) -> None:
    """Raise InputError if a comparison has no resamples."""
    if config.bootstrap < 1:
        raise InputError("bootstrap is 0, but a comparison needs resamples: give bootstrap=1000")


def compared(
    a: Measured, b: Measured, config: EvaluationConfig, truth: Truth, samples: Sequence[Float64]
) -> Comparison:
    """The paired comparison of two predictions, from their measures on the same resamples of the documents."""
    samples_a, samples_b = samples
    differences = b.estimate - a.estimate
    resampled = centred(samples_b - samples_a, differences, a.over_labels)
    edges, p = intervals(resampled), two_sided_p(resampled)
    columns = zip(a.names, a.estimate, b.estimate, differences, edges, p, strict=True)
    return Comparison(
        differences={
            name: Difference(
                float(va), float(vb), float(d), float(low), float(high), float(q), bool(q < SIGNIFICANT_BELOW)
            )
            for name, va, vb, d, (low, high), q in columns
        },
        n_counted=a.n_counted,
        bootstrap=config.bootstrap,
        unseen=truth.unseen,
    )


def measures(truth: Truth, measured: Measured, samples: Float64 | None) -> dict[str, Any]:
    """The fields of ``report.Measures``; ``samples`` are the replicates of the measures, None without resamples."""
    return {
        "values": dict(zip(measured.names, map(float, measured.estimate), strict=True)),
        "intervals": {} if samples is None else _interval_bounds(measured, samples),
        "n_documents": measured.n_documents,
        "n_counted": measured.n_counted,
        "unseen": truth.unseen,
        "n_labels": truth.Y.shape[1],
        "buckets": _bucket_sizes(truth, measured),
        "measured": measured,
    }


def _interval_bounds(measured: Measured, samples: Float64) -> dict[str, tuple[float, float]]:
    """95% intervals by measure."""
    edges = np.clip(intervals(centred(samples, measured.estimate, measured.over_labels)), 0, 1)
    return {name: (float(low), float(high)) for name, (low, high) in zip(measured.names, edges, strict=True)}


def _bucket_sizes(truth: Truth, measured: Measured) -> dict[str, BucketSize]:
    """Numbers of labels and documents of each bucket."""
    groups = dict(zip(measured.by_label.group_names, measured.by_label.groups, strict=True))
    return {
        name: BucketSize(
            labels=int(bucket.sum()),
            test_labels=int(groups[name].sum()),
            documents=int(measured.by_document[name].denominators[:, 0].sum()),  # the relevant ones
        )
        for name, bucket in truth.buckets.items()
    }
