"""Measures of the study of label generation: label sets, rankings, and paired differences between systems.

Label sets are the best sequence of a generator ("own"), that with the true clusters ("upper"), or the ranked labels
with a score of at least one threshold, fitted on held-out documents for micro or macro F1. 1-shot and 0-shot F1 are
micro F1 over the labels with exactly one and with no training document, counted after hiding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from racing.generation_answers import HELD_OUT, TEST, Answered, Problem
from racing.quality import RESAMPLES, differences, tested
from racing.rows import Row

SET_MEASURES = {
    "micro F1": "microF1",
    "macro F1": "macroF1",
    "1-shot F1": "1-shot/microF1",
    "0-shot F1": "0-shot/microF1",
}
"""Name in the rows -> name in a ``SetReport``."""
RANKED = ("P@1", "P@3", "P@5")
OWN, UPPER = "own", "upper"
RULES = {"micro threshold": "one-micro-f1", "macro threshold": "one-macro-f1"}
KINDS = (OWN, *RULES, UPPER)
"""Kinds of label sets."""


def measured(problem: Problem, part: str, top: Any, sets: dict[str, Any]) -> Row:
    """The measures of a ranking and of label sets, in percent.

    Parameters
    ----------
    problem : Problem
    part : str
        "held-out" or "test".
    top : TopK
    sets : dict of str to csr_matrix
        Label sets by kind.
    """
    return _judged(*problem.truth(part), top, sets)


def _judged(truth: Any, trained: Any, top: Any, sets: dict[str, Any]) -> Row:
    """As ``measured``, of documents with these labels and a model with these training labels."""
    from ramify import evaluate
    from ramify.evaluation import evaluate_sets

    report = evaluate(truth, top, Y_train=trained)
    row: Row = {"measures": {name: _percent(report[name]) for name in RANKED}, "sets": {}}
    for kind, found in sets.items():
        values = evaluate_sets(truth, found, Y_train=trained)
        row["sets"][kind] = {name: _percent(values[own]) for name, own in SET_MEASURES.items()}
        row["sets"][kind]["labels"] = round(values.mean_size, 3)
    return row


def _percent(value: float) -> float | None:
    return None if math.isnan(value) else round(100 * float(value), 3)


def sets_of(problem: Problem, held: Answered, test: Answered) -> dict[str, Any]:
    """The label sets of the test documents by kind."""
    own = {kind: test.sets(kind) for kind in (OWN, UPPER)}
    found = own | threshold_sets(problem, held.top, test.top)
    return {kind: found[kind] for kind in KINDS if found[kind] is not None}


def threshold_sets(problem: Problem, held: Any, test: Any) -> dict[str, Any]:
    """The sets of the test documents under each of ``RULES``, fitted on the ranking of the held-out documents."""
    from ramify.tagger.decide import Evidence

    truth, trained = problem.truth(HELD_OUT)
    return _fitted_sets(Evidence.of(truth, held, trained), test, problem.Y.shape[1])


def _fitted_sets(evidence: Any, top: Any, n_labels: int) -> dict[str, Any]:
    from ramify.tagger.decide import fit_rule

    rules = {kind: fit_rule(rule, evidence, evidence.scores) for kind, rule in RULES.items()}
    return {kind: rule.sets(top, top.scores, n_labels) for kind, rule in rules.items()}


def measured_in_halves(problem: Problem, held: Answered) -> Row:
    """The measures of the held-out documents, in percent: the means of those of their first and their last half.

    The thresholds for a half are fitted on the other one; the own sets need none.
    """
    from ramify import TopK
    from ramify.tagger.decide import Evidence

    truth, trained = problem.truth(HELD_OUT)
    evidence, own = Evidence.of(truth, held.top, trained), held.sets(OWN)
    first, last = evidence.halves()
    rows = []
    for half, other in ((first, last), (last, first)):
        top = TopK(held.top.labels[half], held.top.scores[half])
        sets = {} if own is None else {OWN: own[half]}
        sets |= _fitted_sets(evidence.of_rows(other), top, problem.Y.shape[1])
        rows.append(_judged(truth[half], trained, top, sets))
    kinds = {kind: _means([row["sets"][kind] for row in rows]) for kind in rows[0]["sets"]}
    return {"measures": _means([row["measures"] for row in rows]), "sets": kinds}


def _means(parts: Sequence[Row]) -> Row:
    """The mean of each measure over the parts that have a value; None without any."""
    values = {name: [part[name] for part in parts if part[name] is not None] for name in parts[0]}
    return {name: round(sum(found) / len(found), 3) if found else None for name, found in values.items()}


def compared(
    problems: Sequence[Problem], first: Sequence[tuple[Any, Any]], second: Sequence[tuple[Any, Any]]
) -> dict[str, list[float]]:
    """Differences first - second in percent with 95% interval and p, of rankings and label sets.

    The bootstrap is over test documents and seeds (``racing.quality``); run i of both systems shares its seed.

    Parameters
    ----------
    problems : sequence of Problem
        With different seeds.
    first, second : sequences of (TopK, csr_matrix)
        Ranking and label sets of each problem.

    Returns
    -------
    dict of str to list of float
        Measure -> [difference, low, high, p]. A measure that has no value for a problem is left out.
    """
    from ramify.evaluation.config import EvaluationConfig
    from ramify.evaluation.measured import measure, measure_sets, truth_of

    config = EvaluationConfig()
    truths = [truth_of(*problem.truth(TEST), config) for problem in problems]

    def judged(answers: Sequence[tuple[Any, Any]], place: int, make: Any) -> list[Any]:
        return [make(truth, one[place], config) for truth, one in zip(truths, answers, strict=True)]

    tops = [judged(answers, 0, measure) for answers in (second, first)]
    sets = [judged(answers, 1, measure_sets) for answers in (second, first)]
    return _paired(*tops, {name: name for name in RANKED}) | _paired(*sets, SET_MEASURES)


def _paired(peers: Sequence[Any], own: Sequence[Any], names: dict[str, str]) -> dict[str, list[float]]:
    """As ``quality.paired`` for all measures of ``ramify.evaluation``, those over labels included."""
    from ramify.evaluation.bootstrap import centred, replicates

    values = np.stack(replicates([*peers, *own], RESAMPLES, seed=0), axis=1)
    estimate = np.mean([one.estimate for one in own], axis=0) - np.mean([one.estimate for one in peers], axis=0)
    samples = centred(differences(values, len(peers), runs_in_pairs=True), estimate, own[0].over_labels)
    columns = {shown: own[0].names.index(name) for shown, name in names.items()}
    columns = {shown: column for shown, column in columns.items() if not np.isnan(estimate[column])}
    places = list(columns.values())
    return tested(list(columns), estimate[places], samples[:, places])
