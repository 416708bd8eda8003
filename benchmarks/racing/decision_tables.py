"""The tables of label sets: F1 of each rule beside the peers, calibration, wanted shares, missing labels, overhead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown

DECISIONS = HERE / "results" / "decisions.jsonl"
MEASURES = {"microF1": "micro F1", "macroF1": "macro F1", "F1": "example F1", "microP": "micro P", "microR": "micro R"}
WANTED = {"precision": "microP", "coverage": "R"}
"""Measure of which a rule wants a share."""
SETS_TEXT = """\
`python benchmarks/decisions.py sets`. Every system predicts the same held-out documents (`tagger.decide.cross_fit`: up
to five folds of the training documents), then all test documents after training on all training documents. ramify's
scores are calibrated and its rules fitted on the held-out documents. Peers have, for each F1, the global threshold with
the largest F1 on them. In percent; `NAME:10000` are that many training documents with the whole test set."""
DIFFERENCE_TEXT = """\
ramify's default model minus the peer's global threshold for the same measure, in percentage points with 95% interval
and p (paired bootstrap over test documents). Rules of ramify: micro-f1, macro-f1, example-f1."""
ERROR_TEXT = """\
Expected calibration error on the test documents, in percent, of scores and of probabilities, over the predicted labels
(`k` per document)."""
WANTED_TEXT = """\
Wanted shares on test documents with 95% intervals: precision of all predicted labels, and mean share of a document's
true labels that is in its set (coverage). A share above that of `k` labels per document is an error."""
HIDDEN_TEXT = """\
`python benchmarks/decisions.py hidden`: a share of the labels of the training documents is removed, the test labels are
untouched. `tail_cost` weights the positives of a label by a power of its inverse propensity, 0.5 by default; `known
share` weights all positives by 1 / (1 - share) as well. Means over the seeds; ± is the largest distance from them."""
OVERHEAD_TEXT = """\
`python benchmarks/decisions.py overhead`: CPU µs per document, of the best labels with names (`tag`) and of a rule's
set with names and probabilities (`decide`), both from `k` predicted labels; then the same without names, as arrays
(`predict_topk`) and as a matrix of sets (`predict`). Features are given: texts would add their time to all. Median of
7 turns."""


REASON_TEXT = """\
`python benchmarks/explaining.py`: milliseconds of the reason of one label of a vectorized document, and of
`Tagger.explain` from the text, with the words of the text; medians over test documents, one at a time."""


def decision_section() -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = read_rows(DECISIONS)
    if not rows:
        return ""
    parts = ["## Probabilities and label sets"]
    for make in (_sets, _differences, _errors, _wanted, _hidden, _overhead, _reasons):
        parts += make(rows)
    return "\n\n".join(parts)


def _latest(rows: Iterable[Row], *names: str) -> list[Row]:
    """The last row of each combination of values, in the order of the first ones."""
    return list({tuple(str(row.get(name)) for name in names): row for row in rows}.values())


def _measured(rows: Iterable[Row]) -> list[Row]:
    return _latest((row for row in rows if row["kind"] == "sets"), "dataset", "system", "rule", "k")


def _usual(rows: Sequence[Row]) -> list[Row]:
    """The rows with the least number of labels per document of each data set."""
    least = {
        dataset: min(row["k"] for row in rows if row["dataset"] == dataset) for dataset in {r["dataset"] for r in rows}
    }
    return [row for row in rows if row["k"] == least[row["dataset"]]]


def _sets(rows: Sequence[Row]) -> list[str]:
    found = [
        row for row in _usual(_measured(rows)) if "measures" in row and "=" not in row["rule"].replace("threshold=", "")
    ]
    parts = [SETS_TEXT] if found else []
    for dataset in dict.fromkeys(row["dataset"] for row in found):
        lines = [
            [
                f"{row['system']}, {row['rule']}",
                *(f"{row['measures'][name][0]:.2f}" for name in MEASURES),
                f"{row['size']:.1f}",
            ]
            for row in found
            if row["dataset"] == dataset
        ]
        parts += [f"### {dataset}", markdown(("system, rule", *MEASURES.values(), "labels"), lines)]
    return parts


def _differences(rows: Sequence[Row]) -> list[str]:
    found = _latest((row for row in rows if row["kind"] == "difference"), "dataset", "peer", "measure")
    if not found:
        return []
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in found:
        value, low, high = row["difference"]
        text = f"{value:+.2f} ({low:+.2f} to {high:+.2f}), p {row['p']:.3f}"
        cells.setdefault((row["dataset"], row["peer"]), {})[row["measure"]] = text
    names = ("microF1", "macroF1", "F1")
    lines = [[*key, *(one.get(name, "–") for name in names)] for key, one in cells.items()]
    header = ("set", "peer", *(MEASURES[name] for name in names))
    return ["### ramify beside the peers", DIFFERENCE_TEXT, markdown(header, lines)]


def _errors(rows: Sequence[Row]) -> list[str]:
    found = [row for row in _usual(_measured(rows)) if "errors" in row]
    groups = ("all", "head", "middle", "tail")
    lines = [
        [
            row["dataset"],
            row["system"],
            f"{row['held_out']:,}",
            str(row["k"]),
            *(_pair(row["errors"].get(name)) for name in groups),
        ]
        for row in found
    ]
    header = ("set", "system", "held-out documents", "k", *groups)
    return ["### Calibration", ERROR_TEXT, markdown(header, lines)] if lines else []


def _pair(values: Sequence[float] | None) -> str:
    return "–" if values is None else f"{values[0]:.2f} → {values[1]:.2f}"


def _wanted(rows: Sequence[Row]) -> list[str]:
    lines = []
    for row in _measured(rows):
        kind, _, wanted = row["rule"].partition("=")
        if kind not in WANTED:
            continue
        what = f"{kind} ≥ {float(wanted):.0%}"
        if "failed" in row:
            lines.append([row["dataset"], row["system"], str(row["k"]), what, "error", "–"])
        else:
            value, low, high = row["measures"][WANTED[kind]]
            kept = f"{value:.2f} ({low:.2f} to {high:.2f})"
            lines.append([row["dataset"], row["system"], str(row["k"]), what, kept, f"{row['size']:.1f}"])
    header = ("set", "system", "k", "wanted", "on test documents", "labels")
    return ["### Wanted precision and coverage", WANTED_TEXT, markdown(header, lines)] if lines else []


def _hidden(rows: Sequence[Row]) -> list[str]:
    found = _latest((row for row in rows if row["kind"] == "hidden"), "dataset", "share", "seed", "way")
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        groups.setdefault((row["dataset"], row["share"], row["way"]), []).append(row)
    names = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
    lines = []
    for (dataset, share, way), runs in groups.items():
        values = np.array([[run["measures"][name] for name in names] for run in runs])
        mean = values.mean(axis=0)
        cells = [f"{m:.2f} ±{s:.2f}" for m, s in zip(mean, np.abs(values - mean).max(axis=0), strict=True)]
        lines.append([dataset, f"{share:.0%}", way, *cells, str(len(runs))])
    header = ("set", "removed", "training", *names, "seeds")
    return ["### Missing labels", HIDDEN_TEXT, markdown(header, lines)] if lines else []


def _overhead(rows: Sequence[Row]) -> list[str]:
    found = _latest((row for row in rows if row["kind"] == "overhead"), "dataset", "rule", "threads")
    times = ("tag_us", "decide_us", "predict_topk_us", "predict_us")
    lines = [[row["dataset"], row["rule"], str(row["k"]), *(f"{row[name]:.1f}" for name in times)] for row in found]
    header = ("set", "rule", "k", *(name.removesuffix("_us") for name in times))
    return ["### Cost of probabilities and rules", OVERHEAD_TEXT, markdown(header, lines)] if lines else []


def _reasons(rows: Sequence[Row]) -> list[str]:
    found = _latest((row for row in rows if row["kind"] == "reasons"), "dataset", "preset")
    lines = [[row["dataset"], f"{row['reason_ms']:.2f}", f"{row['named_ms']:.2f}"] for row in found]
    return ["### Cost of reasons", REASON_TEXT, markdown(("set", "reason", "explain"), lines)] if lines else []
