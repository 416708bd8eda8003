"""Evaluation of taggers on labelled documents, in a joint label space of tagger and documents.

True labels that did not occur in training remain in the truth: they cannot be predicted, but they count in recall. The
tagger stores the training frequency of each label, so that measures by frequency do not need the training file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.data import align, renamed
from ramify.errors import InputError
from ramify.evaluation import Comparison, EvaluationConfig, Report, TrainingCounts
from ramify.evaluation.bootstrap import replicates
from ramify.evaluation.evaluator import check_resamples, compared, measures
from ramify.evaluation.measured import Measured, Truth, measure, truth_of
from ramify.exchange import part_of
from ramify.tagger.given_labels import of_used_labels
from ramify.tagger.vocabulary import known_labels
from ramify.values import Dataset, Float64, StageProgress, TopK
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.tagger.tagger import Tagger

RESAMPLES = 1000
MOST_LABELS_PER_DOCUMENT = 1000
"""Cut-offs up to this number are taken for any number of labels: the rankings of few labels are padded to it."""


def evaluate_tagger(
    tagger: Tagger,
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    *,
    training: Dataset | None = None,
    threads: int | None = None,
) -> Report:
    """Measure a tagger on labelled documents.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger.
    dataset : Dataset
        Test documents; their label space may differ from the tagger's.
    config : EvaluationConfig, optional
        Cut-offs, propensities, resamples; ``EvaluationConfig()`` when None.
    training : Dataset, optional
        Training documents for the label frequencies; the tagger's own counts when None.
    threads : int, optional
        Number of threads of prediction; the model's setting when None.

    Returns
    -------
    Report
        The measures; without PSP and frequency buckets if there are neither counts nor ``training``.

    Raises
    ------
    InputError
        The tagger needs texts and the data contain features, or the reverse; a cut-off above both 1,000 and the number
        of labels.
    """
    return assess([tagger], dataset, config, training=training, threads=threads).report()


def compare_taggers(
    a: Tagger,
    b: Tagger,
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    *,
    training: Dataset | None = None,
    threads: int | None = None,
) -> Comparison:
    """Compare two taggers on the same documents by a paired bootstrap; their labels may differ.

    Parameters
    ----------
    a, b : Tagger
        Fitted taggers; frequency buckets use the training frequencies of ``a``.
    dataset, config, training, threads
        As in ``evaluate_tagger``; 1000 resamples when ``config`` is None.

    Raises
    ------
    InputError
        As ``evaluate_tagger``; taggers without a label in common.
    """
    config = config or EvaluationConfig(bootstrap=RESAMPLES)
    return assess([a, b], dataset, config, training=training, threads=threads).comparison(1)


@dataclass(frozen=True)
class Assessment:
    """Predictions of taggers for the same labelled documents, in one label space, and measures of these predictions.

    Parameters
    ----------
    taggers : tuple of Tagger
    dataset : Dataset
        The documents; its labels begin with those of the taggers.
    tops : tuple of TopK, shape (n, k) each
        Predicted columns of the Dataset's labels.
    counts : TrainingCounts or None
        Training documents per label: of the first tagger, or of training data.
    config : EvaluationConfig
    seconds : tuple of float
        Wall time of each prediction.
    own_counts : tuple of (TrainingCounts or None)
        Training documents per label of each tagger, or of training data; None where unknown.
    """

    taggers: tuple[Tagger, ...]
    dataset: Dataset
    tops: tuple[TopK, ...]
    counts: TrainingCounts | None
    config: EvaluationConfig
    seconds: tuple[float, ...]
    own_counts: tuple[TrainingCounts | None, ...]

    @cached_property
    def truth(self) -> Truth:
        """The true labels, with buckets and propensities."""
        return truth_of(self.dataset.Y, self.counts, self.config)

    def own_labels(self, number: int) -> TopK:
        """The predictions of a tagger, with the ids of its own labels."""
        top, names = self.tops[number], self.taggers[number].label_names_
        columns = {name: column for column, name in enumerate(self.dataset.label_names)}
        own = np.full(len(columns) + 1, -1, np.int32)
        own[[columns[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        return TopK(own[top.labels], top.scores)

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """The comparison of each tagger's predictions with the true labels."""
        return tuple(measure(self.truth, top, self.config) for top in self.tops)

    @cached_property
    def samples(self) -> list[Float64] | None:
        """Per tagger its measures on the same resamples, shape (resamples, measures); None without resamples."""
        return replicates(self.measured, self.config.bootstrap, self.config.seed) if self.config.bootstrap else None

    def report(self, number: int = 0) -> Report:
        """The measures of a tagger, by its place in ``taggers``."""
        samples = None if self.samples is None else self.samples[number]
        return Report(**measures(self.truth, self.measured[number], samples), ks=tuple(self.config.ks))

    def comparison(self, number: int) -> Comparison:
        """The paired comparison of a tagger, b, with the first one, a."""
        check_resamples(self.config)
        samples = self.samples or []
        pair = [samples[0], samples[number]]
        return compared(self.measured[0], self.measured[number], self.config, self.truth, pair)


def assess(
    taggers: Sequence[Tagger],
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    *,
    k: int = 1,
    training: Dataset | None = None,
    threads: int | None = None,
    progress: StageProgress | None = None,
) -> Assessment:
    """Predict the labels of documents with each tagger, once.

    Parameters
    ----------
    taggers : sequence of Tagger
        Fitted taggers; their labels may differ.
    dataset, config, training, threads
        As in ``evaluate_tagger``.
    k : int, default 1
        Labels per document at least; the largest cut-off if it is larger.
    progress : callable, optional
        Called with ("predict", share done).

    Raises
    ------
    InputError
        As ``evaluate_tagger``; taggers without a label in common with the first.
    """
    config = config or EvaluationConfig()
    first, *others = taggers
    for other in others:
        _check_common_labels(first, other)
    for tagger in taggers:
        dataset = named_by(tagger, dataset)
    names = first.label_names_
    if others:
        names = list(dict.fromkeys(name for tagger in taggers for name in tagger.label_names_))
    dataset = align(dataset, names)
    tops, seconds = [], []
    for number, tagger in enumerate(taggers):
        begun = time.perf_counter()
        own = part_of(progress, number, len(taggers))
        tops.append(predictions(tagger, dataset, max(k, *config.ks), dataset.label_names, threads, own))
        seconds.append(time.perf_counter() - begun)
    counts = tuple(training_counts(tagger, dataset.label_names, training) for tagger in taggers)
    return Assessment(tuple(taggers), dataset, tuple(tops), counts[0], config, tuple(seconds), counts)


def _check_common_labels(a: Tagger, b: Tagger) -> None:
    if set(a.label_names_).isdisjoint(b.label_names_):
        raise InputError(
            f"the models have no label in common, as a has labels such as {quoted(a.label_names_[0])} and b such as "
            f"{quoted(b.label_names_[0])}: train both with the same label names"
        )


def named_by(tagger: Tagger, dataset: Dataset) -> Dataset:
    """The Dataset with label identifiers replaced by the tagger's names; unused labels may be dropped."""
    dataset = of_used_labels(dataset)
    if tagger.label_keys_ is None or dataset.label_keys is not None:  # a name may be the identifier of another label
        return dataset
    if tagger.vocabulary_ is not None:
        return renamed(dataset, *known_labels(dataset.label_names, tagger.vocabulary_, tagger.label_names_))
    return renamed(dataset, tagger.label_keys_, tagger.label_names_)


def instances_of(tagger: Tagger, dataset: Dataset) -> Any:
    """The texts of a Dataset, or its features, as the tagger takes them; InputError if the data contain none."""
    wanted, held = ("texts", dataset.texts) if tagger.takes_texts_ else ("features", dataset.X)
    if held is None:
        raise InputError(f"the model was trained on {wanted}, but the data contain none: give data of the same kind")
    return held


def predictions(
    tagger: Tagger,
    dataset: Dataset,
    k: int,
    label_names: Sequence[str],
    threads: int | None = None,
    progress: StageProgress | None = None,
) -> TopK:
    """Predicted columns of ``label_names``, shape (n, k); filled with -1 if the tagger has fewer than k labels."""
    held = instances_of(tagger, dataset)
    if k > max(MOST_LABELS_PER_DOCUMENT, len(label_names)):
        raise InputError(f"a cut-off in ks is {k}, but there are {len(label_names)} labels: give at most this number")
    top = tagger.predict_topk(held, min(k, len(tagger.label_names_)), threads=threads, progress=progress)
    columns = {name: column for column, name in enumerate(label_names)}
    place = np.array([*(columns[name] for name in tagger.label_names_), -1], np.int32)
    missing = ((0, 0), (0, k - top.k))
    labels = np.pad(place[top.labels], missing, constant_values=-1)
    return TopK(labels, np.pad(top.scores, missing, constant_values=-np.inf))


def training_counts(tagger: Tagger, label_names: Sequence[str], training: Dataset | None) -> TrainingCounts | None:
    """Training documents per label of ``label_names``, which contain the tagger's labels."""
    if training is not None:
        return TrainingCounts.of(align(named_by(tagger, training), label_names).Y)
    counts: Any = tagger.label_counts_
    if counts is None:
        return None
    columns = {name: column for column, name in enumerate(label_names)}
    joint = np.zeros(len(label_names), np.int64)
    joint[[columns[name] for name in tagger.label_names_]] = counts
    return TrainingCounts(joint, tagger.n_documents_)
