"""Evaluation of taggers on labelled documents, in a joint label space of tagger and documents.

True labels that did not occur in training remain in the truth: they cannot be predicted, but they count in recall. The
tagger stores the training frequency of each label, so that measures by frequency do not need the training file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.data import align, renamed
from ramify.errors import InputError
from ramify.evaluation import (
    Comparison,
    EvaluationConfig,
    Report,
    TrainingCounts,
    compare_with,
    evaluate_with,
)
from ramify.tagger.given_labels import of_used_labels
from ramify.values import Dataset, TopK
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
    config = config or EvaluationConfig()
    truth = align(named_by(tagger, dataset), tagger.label_names_)
    top = predictions(tagger, dataset, max(config.ks), truth.label_names, threads)
    return evaluate_with(config, truth.Y, top, training_counts(tagger, truth.label_names, training))


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
    if set(a.label_names_).isdisjoint(b.label_names_):
        raise InputError(
            f"the models have no label in common, as a has labels such as {quoted(a.label_names_[0])} and b such as "
            f"{quoted(b.label_names_[0])}: train both with the same label names"
        )
    names = dict.fromkeys([*a.label_names_, *b.label_names_])
    truth = align(named_by(b, named_by(a, dataset)), list(names))
    tops = [predictions(tagger, dataset, max(config.ks), truth.label_names, threads) for tagger in (a, b)]
    return compare_with(config, truth.Y, tops[0], tops[1], training_counts(a, truth.label_names, training))


def named_by(tagger: Tagger, dataset: Dataset) -> Dataset:
    """The Dataset with label identifiers replaced by the tagger's names; unused labels may be dropped."""
    dataset = of_used_labels(dataset)
    return dataset if tagger.label_keys_ is None else renamed(dataset, tagger.label_keys_, tagger.label_names_)


def predictions(
    tagger: Tagger, dataset: Dataset, k: int, label_names: Sequence[str], threads: int | None = None
) -> TopK:
    """Predicted columns of ``label_names``, shape (n, k); filled with -1 if the tagger has fewer than k labels."""
    wanted, held = ("texts", dataset.texts) if tagger.takes_texts_ else ("features", dataset.X)
    if held is None:
        raise InputError(f"the model was trained on {wanted}, but the data contain none: give data of the same kind")
    if k > max(MOST_LABELS_PER_DOCUMENT, len(label_names)):
        raise InputError(f"a cut-off in ks is {k}, but there are {len(label_names)} labels: give at most this number")
    top = tagger.predict_topk(held, min(k, len(tagger.label_names_)), threads=threads)
    columns = {name: column for column, name in enumerate(label_names)}
    place = np.array([*(columns[name] for name in tagger.label_names_), -1], np.int32)
    missing = ((0, 0), (0, k - top.k))
    labels = np.pad(place[top.labels], missing, constant_values=-1)
    return TopK(labels, np.pad(top.scores, missing, constant_values=-np.inf))


def training_counts(tagger: Tagger, label_names: Sequence[str], training: Dataset | None) -> TrainingCounts | None:
    """Training documents per label of ``label_names``, which start with the tagger's labels."""
    if training is not None:
        return TrainingCounts.of(align(named_by(tagger, training), label_names).Y)
    counts: Any = tagger.label_counts_
    return None if counts is None else TrainingCounts(counts, tagger.n_documents_).widened(len(label_names))
