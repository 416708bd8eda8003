"""The rows as pages: ``RESULTS.md``, and the table in the README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from racing.command_line_tables import left_out
from racing.growth import growth_tables
from racing.requirements import cost_requirements, precision_requirements
from racing.rows import Row
from racing.sets import EVERY, GENERATED, RACE
from racing.summary import COSTS, Pairs, Summary, is_ours, measured, summaries
from racing.tables import cost_cell, cost_table, markdown, quality_cell, quality_table

START, END = "<!-- race -->", "<!-- /race -->"
README_MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
README_COSTS = tuple(cost for cost in COSTS if cost.name in ("train_cpu_s", "model_bytes", "single_p50_us"))
LEGEND = """\
Medians of the runs, in brackets least and most. N× after ramify's figures: the figure over that of the best peer in
the column, below 1 where ramify needs less. Quality in percent, the mean of the runs (each with a seed of its own),
± half of the 95% interval over resampled test documents; nDCG@1 is P@1. **Bold**: better than the best peer of the
column, <u>underlined</u>: worse, both by a paired bootstrap over the test documents, all runs of both (5%).
\\*: measured only while other programs used the machine.

Training is from matrices in memory to a model ready to predict, clustering included. Memory is the peak while training
above what the process held with the data loaded. Opening is the median of five in a fresh process, the files in the
page cache. Prediction asks for 10 labels with a beam of 10 where the system has one; batches with {threads} threads,
single documents with one, through each system's public Python API. Test documents without a label that training has
seen are left out.

Peers run as their documentation recommends: libpecos at its defaults, predicting with hash-chunked weights; omikuji
with its 3 balanced trees, and Bonsai-like (k = 100, unbalanced, depth 3), both without the time it takes to parse
their text format; napkinXC's PLT at its defaults, writing its model while it trains; scikit-learn's
OneVsRestClassifier of LinearSVC."""


def results_page(rows: Sequence[Row], threads: int) -> str:
    """All of ``RESULTS.md``."""
    found, pairs = summaries(rows, threads), Pairs(rows, threads)
    if not found:
        return f"# The race\n\nNo rows with {threads} threads yet: run `make bench`.\n"
    ordered = {name: found[name] for name in EVERY if name in found}
    parts = ["# The race", _head(ordered, threads), "## Requirements", cost_requirements(ordered, rows, threads)]
    parts += [precision_requirements(ordered, pairs)]
    parts += [_section(name, systems, pairs) for name, systems in ordered.items() if name not in GENERATED]
    if any(name in GENERATED for name in ordered):
        parts += ["## Growth", growth_tables(ordered)]
    parts += ["## Failures", _failures(ordered)]
    return "\n\n".join(parts) + "\n"


def _head(found: dict[str, dict[str, Summary]], threads: int) -> str:
    runs = [row for systems in found.values() for one in systems.values() for row in one.runs]
    dates = sorted({row["date"] for row in runs})
    commits = sorted({row["commit"] for row in runs if is_ours(row["system"])})
    versions = sorted({f"{row['system']} {row['version']}" for row in runs})
    when = " to ".join(dict.fromkeys((*dates[:1], *dates[-1:])))
    lines = [
        "Made by `make bench` (`python benchmarks/race.py`) from the rows in `results/race.jsonl`, each with its own",
        "command and settings.",
        "",
        f"- machine: {_machines(found)}; {threads} threads",
        f"- measured: {when}; ramify at commit {', '.join(commits)}",
        f"- versions: {', '.join(versions)}",
        "",
        LEGEND.format(threads=threads),
    ]
    return "\n".join(lines)


def _machines(found: dict[str, dict[str, Summary]]) -> str:
    """The machine; with the names of the data sets where there are several."""
    datasets: dict[str, list[str]] = {}
    for dataset, systems in found.items():
        for name in dict.fromkeys(row["machine"] for one in systems.values() for row in one.runs):
            datasets.setdefault(name, []).append(dataset)
    if len(datasets) < 2:
        return "".join(datasets) or "none"
    return "; ".join(f"{name} ({', '.join(names)})" for name, names in datasets.items())


def _section(dataset: str, systems: dict[str, Summary], pairs: Pairs) -> str:
    done = measured(systems)
    if not done:
        return f"## {dataset}\n\nNo system finished."
    shape = done[0].runs[0]["shape"]
    size = f"{shape['documents']:,} documents with {shape['features']:,} features, {shape['labels']:,} labels, "
    size += f"{shape['tests']:,} test documents"
    left = left_out().get(dataset)
    size += "." if left is None else f"; left out: {left}, none of whose labels occur in training."
    return "\n\n".join([f"## {dataset}", size, cost_table(systems), quality_table(dataset, systems, pairs)])


def _failures(found: dict[str, dict[str, Summary]]) -> str:
    lines = [
        f"- {dataset}, {one.system}: {one.failed}"
        for dataset, systems in found.items()
        for one in systems.values()
        if one.failed
    ]
    return "\n".join(lines) or "None."


def readme_table(rows: Sequence[Row], threads: int) -> str:
    """The short table: quality, training CPU, size, latency of every system on the sets of the race."""
    found, pairs = summaries(rows, threads), Pairs(rows, threads)
    lines = []
    for dataset in (name for name in RACE if name in found):
        systems = found[dataset]
        for place, one in enumerate(measured(systems)):
            quality = (quality_cell(dataset, one, n, systems, pairs, interval=False) for n in README_MEASURES)
            costs = (cost_cell(one, cost, {one.system: one}).split(" ")[0] for cost in README_COSTS)
            lines.append((dataset if place == 0 else "", f"{one.system}{' *' if one.busy else ''}", *quality, *costs))
    header = ("data set", "system", *README_MEASURES, *(cost.title for cost in README_COSTS))
    return markdown(header, lines)


def write_readme(path: Path, table: str) -> None:
    """Put the table between the markers; a README without them is left alone."""
    text = path.read_text("utf-8")
    if START not in text or END not in text:
        return
    before, rest = text.split(START, 1)
    path.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END, 1)[1]}", "utf-8")
