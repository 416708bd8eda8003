"""The tables of the encoders: systems, paired differences, quality by steps, trials, and costs on generated labels."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from racing.held_out import CRITERION, quality
from racing.hybrid_tables import mean_measure, pair_table
from racing.places import HERE
from racing.rows import Row, counted, current, read_rows
from racing.stages import HEAD
from racing.tables import markdown, number
from racing.text_systems import COMPARED, ENCODER_TRIALS, ENCODERS, ENSEMBLES, LIBPECOS, STEPS, shortened_pairs

ENCODER_COSTS = HERE / "results" / "transformer-costs.jsonl"
ENCODERS_GPU = HERE / "results" / "transformers-gpu.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@3", "PSP@5")
OPERATORS = 4
"""Operators shown of a profile."""
PAIRED = ("P@1", "P@3", "P@5", "PSP@5")
TEXT = """\
`python benchmarks/transformer_models.py run`. All systems are given the same texts; SET:10000 is a sample of 10,000
training documents (seed 0) with all test documents. Labels without a training document are left out. `static`:
vectors distilled from MiniLM beside tf-idf; `semantic`: the preset; `frozen`: MiniLM embeddings beside tf-idf; the
transformers are fine-tuned from MiniLM. All have their defaults, and where the last table has trials, the settings
that ranked held-out fifths of the training documents best. Minutes of training by the clock and of CPU time, from
texts to the model; ms per document: CPU time of prediction in a batch, and p50 of single documents by the clock.
Costs of an ensemble are the sums of its members, and its memory the largest. Means over the runs, whose seeds are 0,
1, ...; their number is in the last column. * at a name: other programs ran on the machine. The chart is
`plots/encoders.svg`."""
PAIRS = "Paired differences in percentage points, * where p < 0.05 (bootstrap over test documents and runs)."
BY_STEPS = """\
NAME@N has N training steps (of the finest level), with the other settings of NAME."""
TRIED = """\
`python benchmarks/transformer_models.py tune`. Mean of P@1, P@3 and P@5 on held-out fifths of the training documents,
and the difference to the first settings of the system; **bold**: chosen."""
STEP_COSTS = """\
`python benchmarks/transformer_costs.py steps`: 8,192 generated documents with 65,536 labels, MiniLM, 32 tokens,
batches of 32, 1 thread. Milliseconds per training step, shares of the head's loss and update in it, and the operators
with the most CPU time (torch's profiler). XR-Transformer trains all its levels in one run."""
MEMORY = """\
`python benchmarks/transformer_costs.py memory`: generated texts and labels, an encoder of one layer of width 384.
Largest resident memory in each stage above that before training, in MB; in brackets without the head
itself. XR-Transformer trains levels of at most 32,768 nodes."""


GPU_TEXT = """\
`python benchmarks/transformer_gpu.py`: all training documents, bfloat16, on one GPU. Texts per second of the training
steps of each stage; TFLOP/s: 6 operations per weight and token and those of the attention, beside what a product of
two bfloat16 matrices of 8,192 × 8,192 reaches on the same card. Minutes: whole training by the clock. Texts per second
hardly depend on the number of tokens: the time of a step is that of starting about 2,000 operations of a small encoder.
The weights of MiniLM were rounded to float16 before training. XR-Transformer had the published recipe of its heads."""


def transformer_section(threads: int = 2) -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = read_rows(ENCODERS)
    found = by_set(rows, threads)
    parts = ["## Encoders", TEXT, PAIRS] if found else []
    for dataset, systems in found.items():
        whole = {name: runs for name, runs in systems.items() if STEPS not in name}
        parts += [f"### {dataset}", _systems(whole)] if whole else []
        parts += pair_table(rows, systems, dataset, (*COMPARED, *shortened_pairs(systems)), PAIRED)
    parts += _by_steps(found)
    parts += _trials(read_rows(ENCODER_TRIALS))
    parts += _step_costs(read_rows(ENCODER_COSTS)) + _memory(read_rows(ENCODER_COSTS)) + _gpu(read_rows(ENCODERS_GPU))
    return "\n\n".join(parts)


def by_set(rows: Sequence[Row], threads: int) -> dict[str, dict[str, list[Row]]]:
    """Data set -> system -> its runs on the machine that the set was measured on last."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in current(rows, "run", threads=threads):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    return found


def _systems(systems: dict[str, list[Row]]) -> str:
    header = ("system", *MEASURES, "minutes", "CPU minutes", "ms/doc", "single ms", "peak MB", "runs")
    order = [name for name in systems if name not in ENSEMBLES] + [name for name in ENSEMBLES if name in systems]
    return markdown(header, [_system(name, systems[name]) for name in order])


def _system(name: str, rows: Sequence[Row]) -> list[str]:
    runs, busy = counted(rows)
    if not runs:
        return [f"{name}: {rows[-1]['failed']}", *["–"] * (len(MEASURES) + 5), "0"]
    values = [f"{mean_measure(runs, measure):.2f}" for measure in MEASURES]
    return [f"{name}{' *' if busy else ''}", *values, *_costs(runs), str(len(runs))]


def _costs(runs: Sequence[Row]) -> list[str]:
    """Minutes, CPU minutes, ms per document, ms of one document, peak MB."""
    costs: tuple[tuple[str, float], ...] = (
        ("train_wall_s", 60),
        ("train_cpu_s", 60),
        ("batch_cpu_us", 1e3),
        ("single_p50_us", 1e3),
        ("peak_bytes", 1e6),
    )
    return [number(median(runs, key) / unit) for key, unit in costs]


def median(runs: Iterable[Row], key: str) -> float:
    """The median of a figure over the runs that have it; NaN without any."""
    values = [row[key] for row in runs if key in row]
    return statistics.median(values) if values else float("nan")


def _by_steps(found: dict[str, dict[str, list[Row]]]) -> list[str]:
    lines = []
    for dataset, systems in found.items():
        shortened = {name.partition(STEPS)[0] for name in systems if STEPS in name}
        shown = {*shortened, LIBPECOS.name} if shortened else set()
        for name in sorted((name for name in systems if name.partition(STEPS)[0] in shown), key=_steps):
            runs, busy = counted(systems[name])
            if runs:
                values = [f"{mean_measure(runs, measure):.2f}" for measure in MEASURES]
                lines.append([dataset, f"{name}{' *' if busy else ''}", *values, *_costs(runs)[:2], str(len(runs))])
    header = ("set", "system", *MEASURES, "minutes", "CPU minutes", "runs")
    return ["### Quality by training steps", BY_STEPS, markdown(header, lines)] if lines else []


def _steps(name: str) -> tuple[str, float]:
    """Order of the lines: by number of steps, the chosen number last."""
    base, _, steps = name.partition(STEPS)
    return base, int(steps) if steps else math.inf


def _trials(rows: Sequence[Row]) -> list[str]:
    """Every setting that was tried, in the order of its first trial, beside the settings that came first."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        trials = found.setdefault((row["dataset"], row["system"]), {})
        trials.setdefault(_changes(row), []).append(row)
    lines = []
    for (dataset, system), trials in found.items():
        means = {name: _mean(tried, quality) for name, tried in trials.items()}
        first, best = next(iter(means.values())), max(means, key=lambda name: means[name])
        for name, tried in trials.items():
            failed = [row["failed"] for row in tried if row.get("failed")]
            shown = f"**{name}**" if name == best else name
            cells = [failed[-1], "–", "–"] if failed else _trial(tried, means[name] - first)
            lines.append([dataset, system, shown, *cells])
    header = ("set", "system", "settings", "mean P", "difference", "minutes")
    return ["### Settings of the encoders", TRIED, markdown(header, lines)] if lines else []


def _trial(tried: Sequence[Row], difference: float) -> list[str]:
    wall = median(tried, "train_wall_s") / 60
    return [f"{_mean(tried, quality):.2f}", f"{difference:+.2f}", number(wall)]


def _mean(tried: Sequence[Row], of: Callable[[dict[str, float]], float]) -> float:
    done = [of(row["measures"]) for row in tried if not row.get("failed") and set(CRITERION) <= set(row["measures"])]
    return statistics.mean(done) if done else float("-inf")


def _changes(row: Row) -> str:
    changes = [f"{name} {value}" for name, value in row["settings"].items() if name != "system"]
    return ", ".join(changes) or "defaults"


def _step_costs(rows: Sequence[Row]) -> list[str]:
    latest = {(row["system"], row["outputs"]): row for row in rows if row["kind"] == "steps"}
    lines = [
        [
            row["system"],
            f"{row['outputs']:,}",
            number(row["step_ms"]),
            *(f"{row['parts'][part]:.1%}" for part in HEAD),
            ", ".join(f"{name} {share:.0%}" for name, share in list(row["operators"].items())[:OPERATORS]),
        ]
        for row in sorted(latest.values(), key=lambda row: (row["system"], row["outputs"]))
    ]
    header = ("system", "outputs of the head", "ms per step", "loss of the head", "update of the head", "operators")
    return ["### Cost of a step", STEP_COSTS, markdown(header, lines)] if lines else []


def _memory(rows: Sequence[Row]) -> list[str]:
    latest = {(row["system"], row["labels"]): row for row in rows if row["kind"] == "memory"}
    chosen = sorted(latest.values(), key=lambda row: (row["system"], row["labels"]))
    stages = list(dict.fromkeys(stage for row in chosen for stage in row["stages"]))
    lines = [
        [row["system"], f"{row['labels']:,}", f"{row['documents']:,}", *(_stage(row, stage) for stage in stages)]
        for row in chosen
    ]
    header = ("system", "labels", "documents", *stages)
    return ["### Memory of training by number of labels", MEMORY, markdown(header, lines)] if lines else []


def _stage(row: Row, stage: str) -> str:
    if stage not in row["stages"]:
        return "–"
    peak = row["stages"][stage]
    rest = f" ({number((peak - row['head_bytes']) / 1e6)})" if stage == "fine-tune" else ""
    return f"{number(peak / 1e6)}{rest}"


def _gpu(rows: Sequence[Row]) -> list[str]:
    latest = {(row["gpu"], row["dataset"], row["system"]): row for row in rows}
    lines = []
    for (gpu, dataset, system), row in latest.items():
        for stage in row["stages"]:
            speed = [
                f"{stage['texts_per_s']:,.0f}",
                number(stage["tflops"]),
                f"{stage['tflops'] / row['peak_tflops']:.1%}",
            ]
            quality_cells = [f"{row['measures'][name]:.2f}" for name in PAIRED]
            costs = [number(row["wall_s"] / 60), number(row["gpu_bytes"] / 1e9)]
            lines.append([gpu, dataset, system, f"{stage['outputs']:,}", *speed, *costs, *quality_cells])
    speeds = ("texts/s", "TFLOP/s", "of the card's peak")
    header = ("GPU", "set", "system", "outputs", *speeds, "minutes", "GPU GB", *PAIRED)
    return ["### On a GPU", GPU_TEXT, markdown(header, lines)] if lines else []
