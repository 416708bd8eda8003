"""Fitting the decisions of a tagger on labelled documents that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ramify.checks import COUNT
from ramify.data import align
from ramify.errors import InputError
from ramify.evaluation import EvaluationConfig, SetReport, evaluate_sets_with
from ramify.tagger.assessment import Assessment, assess, named_by, predictions, training_counts
from ramify.tagger.decide.decisions import Decisions
from ramify.tagger.decide.evidence import Evidence
from ramify.values import Bool, Dataset, Float32

if TYPE_CHECKING:
    from ramify.tagger.tagger import Tagger

PER_LABEL, LEAST_K, MOST_K = 5, 20, 100
"""Predicted labels per label of a training document, and their least and largest number."""


def decisions_of(tagger: Tagger, held_out: Dataset, kind: str, k: int | None, threads: int | None) -> Decisions:
    """Calibration of a tagger, with the evidence for its rules.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger.
    held_out : Dataset
        Documents that it was not trained on. Labels that were not in training count as true and are never predicted.
    kind : {"isotonic", "platt", "beta"}
    k : int or None
        Predicted labels per document; see ``labels_per_document`` when None.
    threads : int or None
        Of the prediction; the model's setting when None.

    Raises
    ------
    InputError
        Too few documents, data of another kind than in training, or a tagger without training frequencies.
    """
    if tagger.label_counts_ is None:
        raise InputError("the tagger was made of fitted parts, without the frequencies of labels: use Tagger.fit")
    k = labels_per_document(tagger, k)
    truth = align(named_by(tagger, held_out), tagger.label_names_)
    top = predictions(tagger, held_out, k, truth.label_names, threads)
    evidence = Evidence.of(truth.Y, top, training_counts(tagger, truth.label_names, None))
    return Decisions.fit(evidence, kind)


def labels_per_document(tagger: Tagger, k: int | None) -> int:
    """Number of predicted labels among which rules choose: k, or by the mean number of labels of a training document.

    On documents with 20 labels each, rules that choose among 100 labels instead of 20 have a micro F1 higher by a
    tenth; on documents with few labels, more than 20 change nothing.
    """
    if k is None:
        counts = tagger.label_counts_
        k = usual_k(0.0 if counts is None else counts.sum() / max(1, tagger.n_documents_))
    return min(int(COUNT.check("k", k)), len(tagger.label_names_))


def usual_k(mean: float) -> int:
    """Number of predicted labels among which rules choose, by the mean number of labels of a document."""
    return int(np.clip(np.ceil(PER_LABEL * mean), LEAST_K, MOST_K))


def evaluate_decisions(
    tagger: Tagger,
    dataset: Dataset,
    rule: str,
    config: EvaluationConfig | None = None,
    *,
    training: Dataset | None = None,
    threads: int | None = None,
) -> SetReport:
    """Measure the label sets of a rule on labelled documents.

    Parameters
    ----------
    tagger : Tagger
        A calibrated tagger.
    dataset : Dataset
        Test documents; their label space may differ from the tagger's.
    rule : str
        Name of the rule (``fitting.fit_rule``).
    config : EvaluationConfig, optional
        Resamples, and which documents and labels count; ``EvaluationConfig()`` when None.
    training : Dataset, optional
        Training documents for the label frequencies; the tagger's own counts when None.
    threads : int, optional
        Of the prediction; the model's setting when None.

    Raises
    ------
    InputError
        A tagger that is not calibrated, a rule that cannot be fitted, or data of another kind than in training.
    """
    decisions = tagger.decisions_or_error()
    decisions.rule(rule)  # an unknown one is refused before the prediction
    found = assess([tagger], dataset, config, k=decisions.k, training=training, threads=threads)
    return measured_sets(found, rule)


def measured_sets(found: Assessment, rule: str, number: int = 0) -> SetReport:
    """Measure the label sets of a rule on documents whose labels are predicted already.

    Parameters
    ----------
    found : Assessment
        With at least as many labels per document as the decisions of the tagger have.
    rule : str
        Name of the rule.
    number : int, default 0
        Place of the tagger, which is calibrated.
    """
    kept, _ = chosen_labels(found, rule, number)
    top = found.tops[number]
    sets = top.matrix(kept, np.ones(top.labels.shape, np.float32), found.dataset.n_labels)
    return evaluate_sets_with(found.config, found.dataset.Y, sets, found.counts)


def chosen_labels(found: Assessment, rule: str, number: int = 0) -> tuple[Bool, Float32]:
    """Which predicted labels of a tagger are in the sets of a rule, and the probabilities of all predicted labels.

    Returns
    -------
    (kept, probabilities) : bool and float32 arrays, shape (n, k)
        False and 0 beyond the labels that the decisions were fitted on.
    """
    decisions, top = found.taggers[number].decisions_or_error(), found.tops[number]
    own = found.own_labels(number).first(decisions.k)
    probabilities = decisions.calibration.probabilities(own)
    kept = decisions.rule(rule).kept(own, probabilities) & (own.labels >= 0)
    beyond = ((0, 0), (0, top.k - own.k))
    return np.pad(kept, beyond), np.pad(probabilities, beyond)
