"""Compares the figures of the race with those of the command line on the same files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from racing.places import HERE, ROWS
from racing.rows import Row, read_rows
from racing.sets import EVERY
from racing.summary import Summary, summaries
from racing.tables import markdown

COMMAND_LINE = HERE / "results" / "command-line.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
SYSTEMS = {"default": "ramify", "fast": "ramify-fast"}
TEXT = """\
`python benchmarks/command_line.py`: `ramify train` on the training file and `ramify evaluate --seen-only` on the test
file; means over the seeds, in percent. In brackets: the difference from the figures above, which are means of three
seeds, or of one seed on the large data sets. Test documents none of whose labels occur in training are left out, as
above; "P@1 of all" includes them."""


def key_of(row: Row) -> tuple[Any, ...]:
    """Key of a measurement: rows with the same key repeat it."""
    return tuple(row.get(name) for name in ("dataset", "preset", "seed", "sources"))


def latest_rows() -> dict[tuple[str, str], list[Row]]:
    """The latest rows of each data set and preset, in the order of the race."""
    rows = read_rows(COMMAND_LINE)
    sources = {(row["dataset"], row["preset"]): row["sources"] for row in rows}
    found: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: EVERY.index(row["dataset"])):
        key = (row["dataset"], row["preset"])
        if row["sources"] == sources[key]:
            found.setdefault(key, []).append(row)
    return found


def command_line_section(threads: int) -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    found = latest_rows()
    if not found:
        return ""
    race = summaries(read_rows(ROWS), threads)
    lines = [_line(name, preset, rows, race.get(name, {})) for (name, preset), rows in found.items()]
    header = ("data set", "preset", *MEASURES, "left out", "P@1 of all", "seeds")
    return "\n\n".join(["## The same by the command line", TEXT, markdown(header, lines)])


def _line(name: str, preset: str, rows: Sequence[Row], race: dict[str, Summary]) -> list[str]:
    system = race.get(SYSTEMS.get(preset, ""))
    cells = []
    for measure in MEASURES:
        mean = 100 * float(np.mean([row["measures"][measure] for row in rows]))
        beside = "" if system is None else f" ({round(mean - system.measure(measure)[0], 2) + 0.0:+.2f})"
        cells.append(f"{mean:.2f}{beside}")
    everything = 100 * float(np.mean([row["measures_of_all"]["P@1"] for row in rows]))
    return [name, preset, *cells, _left_out(rows[0]), f"{everything:.2f}", str(len(rows))]


def left_out() -> dict[str, str]:
    """Data set -> test documents that the race leaves out, as "3 of 10"; only data sets that lose documents."""
    firsts = {name: rows[0] for (name, _), rows in latest_rows().items()}
    return {name: _left_out(row) for name, row in firsts.items() if row["unseen_documents"]}


def left_out_line() -> str:
    """The sentence below the README's table; empty without rows."""
    parts = [f"{count} of {name}" for name, count in left_out().items()]
    what = "Test documents none of whose labels occur in training are left out"
    return f"{what} ({', '.join(parts)})." if parts else ""


def _left_out(row: Row) -> str:
    return f"{row['unseen_documents']:,} of {row['test_documents']:,}" if row["unseen_documents"] else "none"
