"""The other tables: floors, labels in several clusters, senses, labels without an instance, chains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from racing.chain_tables import chain_section
from racing.command_line_tables import command_line_section
from racing.floor_tables import floor_section
from racing.indexer_tables import indexer_section
from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

DISENTANGLE, ZERO_SHOT = HERE / "results" / "disentangle.jsonl", HERE / "results" / "zero-shot.jsonl"
MAIN_JOB = HERE / "results" / "main-job.jsonl"
SIX = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
ZERO = ("P@1", "P@3", "P@5", "PSP@5", "0-shot/R@5", "0-shot/R@10", "0-shot/P@5", "1-shot/R@5")
MAIN_JOB_TEXT = """\
`python benchmarks/main_job.py train`: whole runs of `ramify train` with default settings, from gzipped JSON lines to a
saved model, 2 threads. The latest run of each data set."""
COPIES_TEXT = """\
`python benchmarks/disentanglement.py copies`. λ is the maximum number of clusters of a label; 0 is the plain tree, 1
only moves labels. Means over the seeds, on the test documents. **Bold** and <u>underlined</u>: better or worse than λ
= 1 by a paired bootstrap over the test documents of all seeds (5%). CPU seconds: training of the plain tree,
assignment of labels to clusters, second training. "warm": leaves that stay in their cluster are not trained again.
"company": each positive trains only the copy whose cluster's other labels it is most similar to."""
SENSES_TEXT = """\
`python benchmarks/disentanglement.py senses`. Pairs of labels below one node of the first level are merged into
labels with two senses, and `Disentangled(copies=2)` is trained on them. An instance belongs to the copy with the
highest score. The table shows the variation of information, in bits, between this split and the true one, and that of
a random split with the same sizes; ± one standard error of the difference."""
ZERO_TEXT = """\
`python benchmarks/zero_shot.py test`. Labels without a training instance are placed in the tree by their names. Beam
and weight of the name similarity were chosen on held-out training documents. All test documents are included."""


def study_sections(threads: int) -> str:
    """The sections of ``RESULTS.md`` after the race."""
    found = read_rows(DISENTANGLE)
    parts = [
        command_line_section(threads),
        _main_job(read_rows(MAIN_JOB)),
        floor_section(threads),
        indexer_section(),
        _copies(found),
        _senses(found),
        _zero_shot(read_rows(ZERO_SHOT)),
        chain_section(),
    ]
    return "".join(f"\n{part}\n" for part in parts if part)


def _latest(rows: Iterable[Row], *names: str) -> list[Row]:
    """The latest row of each measurement."""
    return list({tuple(str(row.get(name)) for name in names): row for row in rows}.values())


def _grouped(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return groups


def _main_job(rows: Sequence[Row]) -> str:
    latest = {row["dataset"]: row for row in rows}
    if not latest:
        return ""
    lines = []
    for dataset, row in latest.items():
        run = row["run"]
        sizes = [f"{run[key]:,}" for key in ("documents", "labels")]
        memory = [number(run[key] / 1e6) for key in ("peak_memory_bytes", "bytes")]
        lines.append([dataset, *sizes, number(run["wall_seconds"]), number(run["cpu_seconds"]), *memory, row["commit"]])
    header = ("data set", "documents", "labels", "wall s", "CPU s", "peak MB", "model MB", "commit")
    return "\n\n".join(["## Whole runs", MAIN_JOB_TEXT, markdown(header, lines)])


def _copies(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row["kind"] == "copies"]
    if not chosen:
        return ""
    parts = ["## Labels in several clusters", COPIES_TEXT]
    costs = {row["dataset"]: row.get("costs") for row in chosen}
    chosen = [row for row in chosen if row.get("costs") == costs[row["dataset"]]]
    against = {
        (row["dataset"], row["positives"], row.get("warm_start"), row["copies"], row["merge"]): row["differences"]
        for row in rows
        if row["kind"] == "copies against 1" and row.get("costs") == costs.get(row["dataset"])
    }
    latest = _latest(chosen, "dataset", "settings", "folds", "positives", "warm_start", "copies", "merge", "seed")
    for (dataset,), own in _grouped(latest, "dataset").items():
        groups = _grouped(own, "positives", "warm_start", "copies", "merge")
        lines = [_copies_line(key, group, against.get((dataset, *key), {})) for key, group in groups.items()]
        header = ("λ", "merged by", *SIX, "plain", "clusters", "again", "µs per document", "leaves", "recall", "seeds")
        parts += [f"### {dataset}", markdown(header, lines)]
    return "\n\n".join(parts)


def _copies_line(key: tuple[Any, ...], rows: Sequence[Row], differences: dict[str, list[float]]) -> list[str]:
    positives, warm, copies, merge = key
    quality = [_marked(np.mean([row["measures"][name][0] for row in rows]), differences.get(name)) for name in SIX]
    costs = [_median(rows, name) for name in ("first_cpu_s", "reassign_cpu_s", "again_cpu_s", "batch_cpu_us")]
    recall = f"{100 * np.mean([row['recall_after'] for row in rows]):.1f}" if "recall_after" in rows[0] else "–"
    label = ", ".join([str(copies), *([positives] if positives != "all" else []), *(["warm"] if warm else [])])
    return [label, merge if copies > 1 else "–", *quality, *costs, f"{rows[0]['leaves']:,}", recall, str(len(rows))]


def _marked(value: float, difference: list[float] | None) -> str:
    text = f"{value:.2f}"
    if difference is None or difference[3] >= 0.05:
        return text
    return f"**{text}**" if difference[0] > 0 else f"<u>{text}</u>"


def _median(rows: Sequence[Row], name: str) -> str:
    values = [row[name] for row in rows if name in row]
    return number(float(np.median(values))) if values else "–"


def _senses(rows: Sequence[Row]) -> str:
    chosen = _latest((row for row in rows if row["kind"] == "senses"), "dataset", "positives", "folds", "seed")
    if not chosen:
        return ""
    lines = []
    for (dataset, positives), own in _grouped(chosen, "dataset", "positives").items():
        found, split, error = (
            float(np.mean([row[name] for row in own]))
            for name in ("variation_of_information", "random_split", "standard_error")
        )
        pairs = sum(row["pairs"] for row in own)
        lines.append([dataset, positives, f"{found:.3f}", f"{split:.3f}", f"{error:.3f}", str(pairs), str(len(own))])
    header = ("set", "positives", "copies", "random split", "±", "labels", "seeds")
    return "\n\n".join(["## Senses", SENSES_TEXT, markdown(header, lines)])


def _zero_shot(rows: Sequence[Row]) -> str:
    chosen = _latest((row for row in rows if row["kind"] == "test"), "dataset", "way", "seed")
    if not chosen:
        return ""
    lines = []
    for row in chosen:
        values = [f"{row['measures'][name][0]:.1f}" for name in ZERO]
        say = "–" if row["share"] is None else str(row["share"])
        costs = [number(row["train_cpu_s"]), number(row["batch_cpu_us"])]
        lines.append([row["dataset"], row["way"], str(row["beam"]), say, *values, *costs])
    header = ("set", "way", "beam", "weight of names", *ZERO, "CPU s", "µs per document")
    return "\n\n".join(["## Labels without an instance", ZERO_TEXT, markdown(header, lines)])
