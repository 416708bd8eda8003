"""Pages made from the rows: ``RESULTS.md`` and the table in the README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from racing.command_line_tables import left_out
from racing.growth import growth_tables
from racing.requirements import cost_requirements, precision_requirements
from racing.rows import Row
from racing.sets import EVERY, GENERATED, HELD_BACK, RACE
from racing.summary import COSTS, NOT_RUN, Pairs, Summary, is_ours, measured, summaries, with_missing
from racing.systems import PEERS
from racing.tables import absent, cost_cell, cost_table, markdown, quality_cell, quality_table

START, END = "<!-- race -->", "<!-- /race -->"
SHORT_MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
SHORT_COSTS = tuple(cost for cost in COSTS if cost.name in ("train_cpu_s", "model_bytes", "row_p50_us"))
README_SYSTEMS = ("ramify", "libpecos", "libpecos-tuned")
README_MEASURES = ("P@1", "P@3", "P@5")
LEGEND = """\
Costs are medians over the runs; minimum and maximum are in brackets. N× after a figure of ramify is its ratio to the
best peer of the column; a ratio below 1 means that ramify needs less. Quality is in percent: the mean over the runs
(one seed each) ± half of the 95% interval over resampled test documents. nDCG@1 equals P@1. **Bold** is better than
the best peer of the column, <u>underlined</u> is worse (5%). \\*: measured only while other programs used the machine.
"runs" is the number of runs; a system without runs has the reason instead of figures: a limit that it exceeded ("> 1
h", "> 20 GB"; training and prediction each have both limits), "not run", or "failed" (reasons at the end of the race).

Bold, underlined and all differences: paired bootstrap of the mean over the runs. Each resample draws the test
documents with replacement, the same for all runs, and independently r − 1 of the r runs of each system with
replacement, so that the variance between seeds counts (Rao and Wu 1988). With one run of a system its seeds are not
resampled, and its intervals are too narrow.

Training starts with matrices in memory and ends with a model that can predict; it includes clustering. Memory is the
peak during training minus the memory of the process after the data were loaded. Opening is the median of five
openings in a fresh process, with the files in the page cache: "open" by the documented call (`ramify.load(folder)`,
which verifies the checksums; `XLinearModel.load(folder, is_predict_only=True)`), "fast open" of ramify without the
verification (`verify=False`), of libpecos from a memory-mapped model (`compile_mmap_model`). Prediction returns 10
labels, with a beam of 10 where the system has one; `best` and `tail` of ramify have beams of their own. Batches use
{threads} threads, single documents one thread, through the public Python API of each system. "one scipy row": one row
of a CSR matrix in, `predict_topk` of ramify. "one doc as arrays": arrays of indices and values, `single(k)` of ramify;
omikuji takes lists of pairs; the other peers have no such call. Test documents without a label that occurs in
training are left out, and labels that do not occur in training do not count as missed for the others.

Peers. libpecos: defaults, prediction with hash-chunked weights. omikuji: 3 balanced trees, and Bonsai-like trees (k =
100, unbalanced, depth 3), both without the time to parse its text format. napkinXC: PLT with defaults; its training
writes the model. scikit-learn: OneVsRestClassifier of LinearSVC with C = 1.

Tuned peers have the documented settings that were best on held-out fifths of the training data
(`python benchmarks/peers.py`; every trial is a row of `results/peer-tuning.jsonl`), by the mean of P@1, P@3 and P@5.
libpecos: negatives of the leaves "tfn" or "tfn+man", C (of positives and negatives) 0.5, 1 or 2, scores as the product
over all levels or of the leaf alone. omikuji and scikit-learn: C 0.5, 1 or 2. Where the best C is the smallest or the
largest, half or twice of it is tried as well: at most 7 trainings and 14 scored settings. ramify makes its
choices within `fit`, and their time is part of its training: C by three trainings of one-vs-rest classifiers on a
sample; `best` also the number of trees, beam (10, 20 or 40), share of the nearest instances and `tail_rank`, by two
trainings on a held-out fifth. The trials of the peers are not part of their training time, and their beam is 10.
Three held-out fifths on bibtex, delicious and kirjastonhoitaja-fi,
two on crs-bills-mini, one elsewhere; on crs-bills-104-110 of a fifth of the training documents, on yso-finna-en of
40,000. `libpecos-tuned-3-trees`: three such trees with other seeds; mean of their scores (`CsrEnsembler`), after a
sigmoid where the scores are those of the leaf alone; costs are those of all three.

`held-back-100`, `held-back-370` and `held-back-300` (`HeldBack` in `benchmarks/racing/sets.py` defines them) are
raced by `python benchmarks/race.py run --held-back`; the settings of tuned peers on them are from held-out fifths
of their training documents (`python benchmarks/peers.py --held-back`). The first race on the first two, at commit
2985020, found no significant loss on `held-back-100`, but losses on `held-back-370`: -0.1 / -0.3 / -0.3 points of
P@1, 3, 5 beside libpecos-tuned and -0.5 / -0.5 / -0.3 beside scikit-learn-tuned. `threshold` without clusters and
the sample for C were then changed, by held-out parts of the training data of other labels and other documents. The
figures of these two sets below are those after the change. `held-back-300` was added after it and was raced once."""


def results_page(rows: Sequence[Row], threads: int) -> str:
    """All of ``RESULTS.md``."""
    found, pairs = summaries(rows, threads), Pairs(rows, threads)
    if not found:
        return f"# Benchmark results\n\nNo rows with {threads} threads yet: run `make bench`.\n"
    ordered = {name: _complete(name, found[name]) for name in EVERY if name in found}
    parts = [
        "# Benchmark results",
        _head(ordered, threads),
        "## Requirements",
        cost_requirements(ordered, rows, threads),
    ]
    parts += [precision_requirements(ordered, pairs), "## Summary", summary_table(ordered, pairs)]
    parts += [_section(name, systems, pairs) for name, systems in ordered.items() if name not in GENERATED]
    if any(name in GENERATED for name in ordered):
        parts += ["## Growth", growth_tables(ordered)]
    parts += ["## Failures and systems that were not run", _failures(ordered)]
    return "\n\n".join(parts) + "\n"


def _complete(dataset: str, systems: dict[str, Summary]) -> dict[str, Summary]:
    """With the peers that have no row on a data set of the race; the generated sets are for some systems only."""
    if dataset in GENERATED:
        return systems
    own = [name for name in systems if is_ours(name)]
    return with_missing(systems, [*own, *(peer.name for peer in PEERS)])


def _head(found: dict[str, dict[str, Summary]], threads: int) -> str:
    runs = [row for systems in found.values() for one in systems.values() for row in one.runs]
    dates = sorted({row["date"] for row in runs})
    commits = sorted({row["commit"] for row in runs if is_ours(row["system"])})
    versions = sorted({f"{row['system']} {row['version']}" for row in runs})
    when = " to ".join(dict.fromkeys((*dates[:1], *dates[-1:])))
    lines = [
        "`make bench` (`python benchmarks/race.py`) writes this page from the rows in `results/race.jsonl`. Each row",
        "holds its command and settings. The charts are `plots/texts.svg` and `plots/features.svg`.",
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
    """Every failure with its reason, and per data set the peers that were not run."""
    absent = [(dataset, one) for dataset, systems in found.items() for one in systems.values() if not one.runs]
    lines = [f"- {dataset}, {one.system}: {one.failed}" for dataset, one in absent if one.failed != NOT_RUN]
    for dataset in dict.fromkeys(dataset for dataset, one in absent if one.failed == NOT_RUN):
        names = [one.system for name, one in absent if name == dataset and one.failed == NOT_RUN]
        lines.append(f"- {dataset}, not run: {', '.join(names)}")
    return "\n".join(lines) or "None."


def summary_table(found: dict[str, dict[str, Summary]], pairs: Pairs) -> str:
    """Quality, training CPU, size and latency of every system on the data sets of the race."""
    lines = []
    for dataset in (name for name in (*RACE, *HELD_BACK) if name in found):
        systems = found[dataset]
        for place, one in enumerate(systems.values()):
            cells = absent(one, len(SHORT_MEASURES) + len(SHORT_COSTS))
            if one.runs:
                cells = [quality_cell(dataset, one, n, systems, pairs, interval=False) for n in SHORT_MEASURES]
                cells += [cost_cell(one, cost, {one.system: one}).split(" ")[0] for cost in SHORT_COSTS]
            name = f"{one.system}{' *' if one.busy else ''}"
            lines.append((dataset if place == 0 else "", name, *cells, str(len(one.runs))))
    header = ("data set", "system", *SHORT_MEASURES, *(cost.title for cost in SHORT_COSTS), "runs")
    return markdown(header, lines)


def readme_table(rows: Sequence[Row], threads: int) -> str:
    """One line per data set of the race: ramify's default and two peers, separated by slashes."""
    found = summaries(rows, threads)
    lines = []
    for dataset in (name for name in RACE if name in found):
        systems = with_missing(found[dataset], README_SYSTEMS)
        shown = [systems[name] for name in README_SYSTEMS]
        if not shown[0].runs:
            continue
        cells = [[f"{one.measure(name)[0]:.2f}" if one.runs else "–" for one in shown] for name in README_MEASURES]
        cells += [[cost_cell(one, cost, {one.system: one}).split(" ")[0] for one in shown] for cost in SHORT_COSTS]
        cells.append([str(len(one.runs)) for one in shown])
        lines.append((dataset, f"{shown[0].runs[0]['shape']['labels']:,}", *map(" / ".join, cells)))
    header = ("data set", "labels", *README_MEASURES, *(cost.title for cost in SHORT_COSTS), "runs")
    return f"{markdown(header, lines)}\n\nIn each cell: {' / '.join(README_SYSTEMS)}."


def write_readme(path: Path, table: str) -> None:
    """Replace the text between the markers; a README without them is not changed."""
    text = path.read_text("utf-8")
    if START not in text or END not in text:
        return
    before, rest = text.split(START, 1)
    path.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END, 1)[1]}", "utf-8")
