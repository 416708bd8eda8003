"""From scores to label sets: F1 under each rule, calibration, wanted shares, missing labels, overhead.

    python benchmarks/decisions.py sets --sets bibtex delicious gutenberg-lcsh crs-bills-104-110:10000
    python benchmarks/decisions.py sets --sets bibtex gutenberg-lcsh --systems ramify --least-k 200
    python benchmarks/decisions.py hidden --sets bibtex crs-bills-mini gutenberg-lcsh
    python benchmarks/decisions.py overhead --sets gutenberg-lcsh

``sets`` has all rules of ramify, and the best global threshold of the peers for each F1, fitted on the same held-out
documents in the same way; "NAME:10000" are that many training documents, always the same ones. ``hidden`` removes a
share of the labels of the training documents, and trains with and without propensity weights. ``overhead`` measures the
time of probabilities and rules against that of prediction. Rows go to ``results/decisions.jsonl``; what is there
already is passed over.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from racing.decision_answers import AnswerError, Problem
from racing.held_out import parsed
from racing.machine import machine
from racing.matrices import prepare
from racing.places import DATA, HERE
from racing.rows import Row, add_stamped, read_rows
from racing.sources import source_hash
from racing.stopping import run_until_stopped
from racing.systems import System, all_systems

RESULTS = HERE / "results" / "decisions.jsonl"
SYSTEMS = ("ramify", "ramify-best", "libpecos", "libpecos-tuned", "omikuji", "omikuji-tuned")
TARGETS = {"one-micro-f1": "microF1", "one-macro-f1": "macroF1", "one-example-f1": "F1"}
"""Rule of one global threshold -> the measure that it is fitted for."""
OWN_RULE = {"microF1": "micro-f1", "macroF1": "macro-f1", "F1": "example-f1"}
"""The rule of ramify that is compared with the peers on each measure."""
WANTED = ("precision=0.9", "coverage=0.8", "coverage=0.9", "coverage=0.95")
MEASURES = ("microF1", "macroF1", "F1", "microP", "microR", "R", "exact")
SHARES = (0.0, 0.25, 0.5, 0.75)
KNOWN = "known share"
WAYS: dict[str, dict[str, Any]] = {
    "no weights": {"tail_cost": 0.0},
    "tail_cost 0.5": {"tail_cost": 0.5},
    "tail_cost 1": {"tail_cost": 1.0},
    KNOWN: {},
}
"""Settings of each way to train: positives weighted by a power of the inverse of their propensity, which depends on the
frequency of the label (``tail_cost``, 0.5 by default), and by the true share of labels left as well (known share)."""
SOURCES = source_hash("ramify.tagger.decide.cross_fit", "ramify.tagger.decide.fitting")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("sets", "hidden", "overhead"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--least-k", type=int, default=0, help="least number of labels per answer, for sets")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="to train, for hidden")
    parser.add_argument("--seeds", type=int, default=3, help="of the removed labels")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        dataset, amount = parsed(name)
        problem = Problem(name, prepare(dataset, chosen.data), amount, chosen.threads, chosen.least_k)
        for row in TASKS[chosen.task](chosen, problem):
            stamped = add_stamped(RESULTS, row | {"dataset": name, "machine": machine(), "sources": SOURCES})
            print({key: value for key, value in stamped.items() if key not in ("machine", "sources")}, flush=True)


def is_done(row: Row) -> bool:
    """Whether a row with these values is there."""
    return any(all(known.get(key) == value for key, value in row.items()) for known in read_rows(RESULTS))


def sets(chosen: argparse.Namespace, problem: Problem) -> Iterator[Row]:
    """Measures of the sets of each system and rule; then the differences between ramify and each peer."""
    found: dict[str, dict[str, Any]] = {}
    for name in chosen.systems:
        system = all_systems()[name].on(problem.matrices.dataset, problem.matrices.fingerprint)
        if system is None:
            print(f"{problem.name}: no complete trials of {name}")
            continue
        row = {"kind": "sets", "dataset": problem.name, "system": name, "identity": system.identity(), "k": problem.k}
        done = is_done(row | {"sources": SOURCES})
        try:
            found[name], measured = (_own if system.ours else _peers)(problem, system, measure=not done)
        except AnswerError as failure:
            print(failure, flush=True)
            continue
        for one in measured:
            yield row | {"documents": problem.matrices.X_test.shape[0]} | one
    yield from _compared(problem, found)


Made = tuple[dict[str, Any], list[Row]]
"""Sets of each rule, and the rows of their measures."""


def _own(problem: Problem, system: System, *, measure: bool) -> Made:
    """Of a calibrated model of ramify."""
    from ramify.errors import InputError
    from ramify.tagger.decide import Evidence
    from ramify.tagger.decide.fitting import CHOSEN, FITTED

    tagger = problem.calibrated(system)
    decisions, top = tagger.decisions_, tagger.predict_topk(problem.matrices.X_test, problem.k)
    p = decisions.calibration.probabilities(top)
    errors = _errors(Evidence.of(problem.matrices.Y_test, top, problem.training[1]), p)
    facts = {"held_out": len(decisions.evidence.labels), "chosen": dict(decisions.chosen), "errors": errors}
    made: dict[str, Any] = {}
    rows: list[Row] = [{"rule": ""} | facts]
    for name in (*CHOSEN, *FITTED, *WANTED, "threshold=0.5"):
        try:
            made[name] = decisions.rule(name).sets(top, p, problem.training[1].shape[1])
        except InputError as error:
            rows.append({"rule": name, "failed": str(error)})
    return _with_measures(problem, made, rows, measure=measure)


def _peers(problem: Problem, system: System, *, measure: bool) -> Made:
    """Of one global threshold for each F1, fitted on the scores of the held-out documents."""
    from ramify.tagger.decide.fitting import fit_rule

    evidence, top = problem.held_out(system), problem.test(system)
    made = {
        name: fit_rule(name, evidence, evidence.scores).sets(top, top.scores, problem.training[1].shape[1])
        for name in TARGETS
    }
    return _with_measures(problem, made, [], measure=measure)


def _with_measures(problem: Problem, made: dict[str, Any], rows: list[Row], *, measure: bool) -> Made:
    from ramify.evaluation import evaluate_sets

    if not measure:
        return made, []
    for name, one in made.items():
        report = evaluate_sets(problem.matrices.Y_test, one, Y_train=problem.training[1], bootstrap=1000)
        values = {kind: [round(100 * v, 2) for v in (report[kind], *report.intervals[kind])] for kind in MEASURES}
        rows.append({"rule": name, "measures": values, "size": round(report.mean_size, 3)})
    return made, rows


def _errors(evidence: Any, p: Any) -> dict[str, list[float | None]]:
    """Calibration error in percent, of scores and of probabilities, of all labels and by group."""
    from ramify.tagger.decide import reliability
    from ramify.tagger.decide.evidence import BUCKETS

    groups, found = evidence.buckets(), {}
    for number, name in enumerate(("all", *BUCKETS)):
        which = evidence.valid if not number else groups == number - 1
        if which.any():
            hits, pairs = evidence.hits[which], (evidence.scores[which], p[which])
            found[name] = [
                round(100 * reliability(np.clip(values, 0, 1).astype(np.float64), hits).ece, 3) for values in pairs
            ]
    return found


def _compared(problem: Problem, found: dict[str, dict[str, Any]]) -> Iterator[Row]:
    """Differences of ramify's sets to those of each peer, for the measure that the rules were fitted for."""
    from ramify.evaluation import compare_sets

    own, peers = found.get("ramify", {}), [name for name in found if not name.startswith("ramify")]
    for peer in peers:
        for rule, measure in TARGETS.items():
            row = {"kind": "difference", "dataset": problem.name, "peer": peer, "measure": measure}
            row["k"] = problem.k
            if rule not in found[peer] or OWN_RULE[measure] not in own or is_done(row | {"sources": SOURCES}):
                continue
            Y, Y_test = problem.training[1], problem.matrices.Y_test
            one = compare_sets(Y_test, found[peer][rule], own[OWN_RULE[measure]], Y_train=Y)
            found_one = one[measure]
            values = (found_one.difference, found_one.low, found_one.high)
            difference = [round(100 * value, 2) for value in values]
            yield row | {"rule": OWN_RULE[measure], "difference": difference, "p": round(found_one.p, 4)}


def hidden(chosen: argparse.Namespace, problem: Problem) -> Iterator[Row]:
    """Measures on untouched test labels after a share of the training labels was removed."""
    from ramify import XRLinear, evaluate
    from ramify.data import hide_labels

    X, Y = problem.training
    for share in SHARES:
        for seed in range(chosen.seeds):
            left = hide_labels(problem.dataset, share, seed).Y
            cost = None
            for way, own in ((name, WAYS[name]) for name in chosen.ways):
                row = {"kind": "hidden", "dataset": problem.name, "share": share, "seed": seed, "way": way}
                sources = source_hash("ramify.models.trees.xr_linear")
                if is_done(row | {"model": sources}):
                    continue
                cost = cost or XRLinear(threads=chosen.threads).fit(X, left).cost_
                settings = {"cost_positive": cost, "cost_negative": cost} | own
                if way == KNOWN:
                    settings["cost_positive"] = cost / (1 - share)
                model = XRLinear(threads=chosen.threads, **settings).fit(X, left)
                top = model.predict_topk(problem.matrices.X_test, min(10, Y.shape[1]))
                report = evaluate(problem.matrices.Y_test, top, Y_train=Y)
                ranked = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
                yield row | {"measures": {one: round(100 * report[one], 2) for one in ranked}, "model": sources}


def overhead(chosen: argparse.Namespace, problem: Problem) -> Iterator[Row]:
    """Time of ranking against ranking with probabilities and a rule, µs per document, medians of turns."""
    from ramify import Tagger

    tagger = Tagger.of_preset("default", threads=chosen.threads).fit_dataset(problem.dataset)
    tagger.cross_calibrate_dataset(problem.dataset, threads=chosen.threads)
    asked = problem.matrices.X_test[:20_000]
    for rule in ("micro-f1", "label-f1", "expected-f1"):
        row = {"kind": "overhead", "rule": rule, "threads": chosen.threads, "k": problem.k}
        if is_done(row | {"dataset": problem.name, "sources": SOURCES}):
            continue
        tagger.decide(asked[:10], rule)
        taken: dict[str, list[float]] = {"tag": [], "decide": [], "predict_topk": [], "predict": []}
        for _ in range(7):
            for name, call in {
                "tag": lambda: tagger.tag(asked, problem.k),
                "decide": lambda: tagger.decide(asked, rule),  # noqa: B023 - called in this turn
                "predict_topk": lambda: tagger.predict_topk(asked, problem.k),
                "predict": lambda: tagger._decided(asked, rule),  # noqa: B023
            }.items():
                begun = time.process_time()
                call()
                taken[name].append(time.process_time() - begun)
        medians = {f"{name}_us": 1e6 * statistics.median(ones) / asked.shape[0] for name, ones in taken.items()}
        yield row | {name: round(value, 2) for name, value in medians.items()}


TASKS = {"sets": sets, "hidden": hidden, "overhead": overhead}

if __name__ == "__main__":
    run_until_stopped(main, "rows")
