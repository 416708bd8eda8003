"""The sections of the studies: whole runs and labels without an instance here, the others from their modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from racing.annif_tables import annif_section
from racing.chain_tables import chain_section
from racing.command_line_tables import command_line_section
from racing.copies_tables import copies_section, senses_section
from racing.cost_tables import cost_section
from racing.decision_tables import decision_section
from racing.floor_tables import floor_section
from racing.generation_tables import generation_section
from racing.hybrid_tables import hybrid_section
from racing.indexer_tables import indexer_section
from racing.language_tables import language_section
from racing.places import HERE
from racing.rows import Row, read_rows
from racing.scale_tables import scale_section
from racing.serving_tables import serving_section
from racing.tables import markdown, number
from racing.transformer_tables import transformer_section
from racing.tune_tables import tune_section
from racing.tuning_tables import settings_section

ZERO_SHOT = HERE / "results" / "zero-shot.jsonl"
MAIN_JOB = HERE / "results" / "main-job.jsonl"
ZERO = ("P@1", "P@3", "P@5", "PSP@5", "0-shot/R@5", "0-shot/R@10", "0-shot/P@5", "1-shot/R@5")
MAIN_JOB_TEXT = """\
`python benchmarks/main_job.py train`: whole runs of `ramify train` with default settings, from gzipped JSON lines to a
saved model, 2 threads. The latest run of each data set."""
ZERO_TEXT = """\
`python benchmarks/zero_shot.py test`. Labels without a training instance are placed in the tree by their names. Beam
and weight of the name similarity were chosen on held-out training documents. All test documents are included.
One seed; both costs of the solver are 1. The CPU times are of the commits in `results/zero-shot.jsonl`."""


def study_sections(threads: int) -> str:
    """The sections of ``RESULTS.md`` after the race."""
    parts = [
        command_line_section(threads),
        _main_job(read_rows(MAIN_JOB)),
        floor_section(threads),
        cost_section(),
        settings_section(),
        tune_section(),
        indexer_section(),
        language_section(),
        copies_section(),
        senses_section(),
        _zero_shot(read_rows(ZERO_SHOT)),
        chain_section(),
        hybrid_section(),
        transformer_section(),
        generation_section(),
        decision_section(),
        serving_section(),
        annif_section(),
        scale_section(),
    ]
    return "".join(f"\n{part}\n" for part in parts if part)


def _latest(rows: Iterable[Row], *names: str) -> list[Row]:
    """The latest row of each measurement."""
    return list({tuple(str(row.get(name)) for name in names): row for row in rows}.values())


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
