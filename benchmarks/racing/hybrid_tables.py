"""The tables of hybrid features: costs and quality on tf-idf beside a dense block."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from racing.hybrid_sets import WEIGHT
from racing.places import HERE
from racing.rows import Row, counted, current, read_rows
from racing.tables import markdown, number

HYBRID = HERE / "results" / "hybrid.jsonl"
OURS, PEER = "ramify", "libpecos"
COMPARED = ((OURS, PEER), (OURS, "libpecos, tfn+man"), (OURS, "ramify, tf-idf"), ("ramify, chosen weight", OURS))
COSTS = {"train_cpu_s": ("train CPU s", 1.0), "batch_cpu_us": ("batch CPU µs/doc", 1.0)} | {
    "single_p50_us": ("one doc p50 µs", 1.0),
    "peak_above_bytes": ("peak above data MB", 1e6),
    "peak_bytes": ("peak in all MB", 1e6),
    "model_bytes": ("model MB", 1e6),
}
SHOWN = ("P@1", "P@3", "P@5", "PSP@5")
TEXT = f"""\
`python benchmarks/hybrid.py`, 1 thread. tf-idf of `Tfidf()`, or of words and pairs of words as in the race ("+pairs"),
beside 384 columns of MiniLM embeddings with the weight {WEIGHT}; `ramify, chosen weight` chooses it in its training
time. `ramify` takes a `Hybrid`, `libpecos` and `ramify, CSR` the same rows as CSR. The data that a system is given are
part of "peak in all". Costs are medians over the runs, N× the ratio to `libpecos`; quality is the mean in percent."""
PAIRS = "Paired differences in percentage points, * where p < 0.05 (bootstrap over test documents and runs)."


def hybrid_section(threads: int = 1) -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = read_rows(HYBRID)
    found: dict[str, dict[str, list[Row]]] = {}
    for row in current(rows, "run", threads=threads):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    if not found:
        return ""
    parts = ["## tf-idf beside a dense block", TEXT, PAIRS]
    for dataset, systems in found.items():
        header = ("system", *(title for title, _ in COSTS.values()), *SHOWN, "runs")
        parts += [f"### {dataset}", markdown(header, [_line(name, systems) for name in systems])]
        parts += pair_table(rows, systems, dataset, COMPARED, SHOWN)
    return "\n\n".join(parts)


def _line(name: str, systems: dict[str, list[Row]]) -> list[str]:
    runs, busy = counted(systems[name])
    label = f"{name}{' *' if busy else ''}"
    if not runs:
        return [f"{label}: {systems[name][-1]['failed']}", *["–"] * (len(COSTS) + len(SHOWN)), "0"]
    peers = counted(systems.get(PEER, []))[0]
    costs = [_cost(runs, peers if name != PEER else [], key, unit) for key, (_, unit) in COSTS.items()]
    return [label, *costs, *(f"{mean_measure(runs, measure):.2f}" for measure in SHOWN), str(len(runs))]


def _cost(runs: Sequence[Row], peers: Sequence[Row], key: str, unit: float) -> str:
    own = statistics.median(row[key] for row in runs)
    ratio = f" {number(own / statistics.median(row[key] for row in peers))}×" if peers else ""
    return f"{number(own / unit)}{ratio}"


def mean_measure(runs: Sequence[Row], measure: str) -> float:
    """Mean of a measure over runs, in percent."""
    return statistics.mean(row["measures"][measure][0] for row in runs)


def pair_table(
    rows: Sequence[Row],
    systems: dict[str, list[Row]],
    dataset: str,
    pairs: Sequence[tuple[str, str]],
    measures: Sequence[str],
) -> list[str]:
    """The table of the differences of pairs of systems between their present identities; empty without any."""
    present = {name: runs[-1]["identity"] for name, runs in systems.items()}
    lines = []
    for first, second in pairs:
        found = [
            row
            for row in rows
            if row["kind"] == "paired"
            and (row["dataset"], row["system"], row["peer"]) == (dataset, first, second)
            and (row["identity"], row["peer_identity"]) == (present.get(first), present.get(second))
        ]
        if found:
            cells = [_difference(*found[-1]["measures"][measure]) for measure in measures]
            lines.append([f"{first} – {second}", *cells, " and ".join(str(count) for count in found[-1]["runs"])])
    return [markdown(("difference", *measures, "runs"), lines)] if lines else []


def _difference(value: float, _low: float, _high: float, p: float) -> str:
    return f"{value:+.2f}{' *' if p < 0.05 else ''}"
