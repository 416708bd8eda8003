"""Measurements of the demo: its tagger, the most popular labels and scikit-learn's one-vs-rest.

One-vs-rest fits one LinearSVC per label over the same features, from the most frequent label downwards, for as long as
it is given; it is measured over all labels, as it would have to serve.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.evaluation import Report, TrainingCounts, evaluate, popular, top_k
from ramify.evaluation.grid import Grid, percent
from ramify.tagger import Tagger
from ramify.values import CSR, Dataset, Float32, Int32, StageProgress, TopK

MEASURES = ("P@1", "P@5", "R@5", "PSP@5", "tail/R@5")  # as many as a terminal of 80 columns holds
K = 5


@dataclass(frozen=True)
class Entry:
    """One method.

    Parameters
    ----------
    name : str
    seconds : float
        Training, features included.
    labels : int
        Labels that it can predict.
    report : Report
    """

    name: str
    seconds: float
    labels: int
    report: Report


@dataclass(frozen=True)
class Contest:
    """Methods on the same data.

    Parameters
    ----------
    entries : tuple of Entry
    n_documents, n_tests, n_labels : int
        Sizes of the data.
    best_precision : float
        Largest possible P@5: of a document with n labels it is min(n, 5) / 5.
    """

    entries: tuple[Entry, ...]
    n_documents: int
    n_tests: int
    n_labels: int
    best_precision: float

    @classmethod
    def of(
        cls,
        tagger: Tagger,
        train: Dataset,
        test: Dataset,
        *,
        seconds: float,
        rival_seconds: float,
        progress: StageProgress,
    ) -> Contest:
        """Measure a tagger that was trained in ``seconds``, and the other methods."""
        counts = TrainingCounts.of(train.Y)

        def entry(name: str, seconds: float, labels: int, top: TopK) -> Entry:
            return Entry(name, seconds, labels, evaluate(test.Y, top, Y_train=counts))

        n_labels = int((counts.labels > 0).sum())
        entries = [entry("most popular labels", 0.0, K, popular(train.Y, len(test), K))]
        if rival_seconds > 0:
            X, X_test = tagger.features(train.texts), tagger.features(test.texts)
            scores, order, spent = one_vs_rest(X, train.Y, X_test, rival_seconds, progress)
            entries.append(entry("one-vs-rest LinearSVC", spent, len(order), _best(scores, order)))
        progress("evaluate", 0.0)
        entries.append(entry("ramify", seconds, n_labels, tagger.predict_topk(test.texts, K)))
        progress("evaluate", 1.0)
        most = float(np.mean(np.minimum(np.diff(test.Y.indptr), K))) / K
        return cls(tuple(entries), len(train), len(test), n_labels, most)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        methods = [
            {"name": one.name, "training_seconds": one.seconds, "labels": one.labels, **one.report.as_dict()}
            for one in self.entries
        ]
        return {"documents": self.n_documents, "test_documents": self.n_tests, "methods": methods}

    def table(self) -> str:
        """The table of methods as text, at most 80 columns wide."""
        rows = tuple(
            (
                one.name,
                f"{one.labels:,}",
                f"{one.seconds:.1f}",
                *(percent(one.report[measure]) for measure in MEASURES),
            )
            for one in self.entries
        )
        title = f"On {self.n_tests:,} held-out functions, in percent; tail: labels of 1 to 5 documents"
        return str(Grid(title, ("", "labels", "train s", *MEASURES), rows))

    def typical_rows(self, count: int) -> list[int]:
        """Test documents whose P@5 is around the median: neither shown off nor hidden."""
        precision = self.entries[-1].report.per_document(f"P@{K}")
        middle = np.nanmedian(precision)
        distance = np.where(np.isnan(precision), np.inf, np.abs(precision - middle))
        near = np.argsort(distance, kind="stable")[: max(1, len(distance) // 4)]
        return sorted(near[np.linspace(0, len(near) - 1, count, dtype=int)].tolist()) if count else []

    def remarks(self) -> list[str]:
        """What the table means, a sentence each."""
        own = self.entries[-1].report
        sentences = [
            f"P@1: the first prediction is right for {own['P@1']:.0%} of the held-out functions.",
            f"P@5: {own['P@5']:.0%} of the first five predictions are right; {self.best_precision:.0%} is perfect.",
        ]
        partial = [one for one in self.entries if one.name.startswith("one-vs-rest") and one.labels < self.n_labels]
        if partial:
            whole = partial[0].seconds * self.n_labels / partial[0].labels
            sentences.append(
                f"one-vs-rest was stopped after {partial[0].labels:,} labels; all would take up to {whole:,.0f} s."
            )
        return sentences


def one_vs_rest(X: CSR, Y: CSR, X_test: CSR, seconds: float, progress: StageProgress) -> tuple[Float32, Int32, float]:
    """Scores of test documents by one LinearSVC per label, the most frequent first, until the time is over.

    Returns
    -------
    scores : float32 array, shape (n, labels fitted)
    order : int32 array, shape (labels fitted,)
        Which label each column is.
    spent : float
        Seconds of training.
    """
    begun = time.perf_counter()
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())].astype(np.int32)
    columns: list[Float32] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that did not converge
        for scores in _classifiers(X, Y.tocsc(), X_test, order):
            columns.append(scores)
            spent = time.perf_counter() - begun
            progress("one-vs-rest", min(1.0, max(spent / seconds, len(columns) / len(order))))
            if spent >= seconds:
                break
    progress("one-vs-rest", 1.0)
    return np.stack(columns, axis=1), order[: len(columns)], time.perf_counter() - begun


def _classifiers(X: CSR, Y: Any, X_test: CSR, order: Int32) -> Iterator[Float32]:
    from sklearn.svm import LinearSVC

    for label in order.tolist():
        truth = Y[:, [label]].toarray().ravel() > 0
        if truth.all():
            yield np.ones(X_test.shape[0], np.float32)
            continue
        yield LinearSVC(random_state=0).fit(X, truth).decision_function(X_test).astype(np.float32)


def _best(scores: Float32, order: Int32) -> TopK:
    k = min(K, scores.shape[1])
    best = top_k(scores, k)
    missing = ((0, 0), (0, K - k))
    labels = np.where(best.labels >= 0, order[best.labels], -1).astype(np.int32)
    return TopK(np.pad(labels, missing, constant_values=-1), np.pad(best.scores, missing, constant_values=-np.inf))
