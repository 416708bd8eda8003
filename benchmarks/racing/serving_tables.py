"""The section of the service: throughput and latency beside the peers, faults, and random requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

SERVING = HERE / "results" / "serving.jsonl"
OURS = "ramify"
GENERATOR = "nothing"
"""Name of the server that answers without looking at requests."""

PAGE = "page"
"""Kind of the rows of ``page_paint.py``, which belong to no data set."""

OPTIONS = ("workers", "texts", "connections", "rate", "minutes", "cases")
PRECISION = ("P@1", "P@3", "P@5")
TEXT = """\
`python benchmarks/serving.py`. Each system serves its default model of the data set on loopback and answers with 5
labels per text: ramify by `ramify serve`, libpecos and omikuji by a FastAPI application under uvicorn with uvloop and
httptools. Each system runs with 1 and with 2 worker processes; the tables have the setting with the higher throughput
in each cell, and the number of workers in brackets. The load generator shares the cores with the service. P@k: of the
served answers to all test documents, in percent. \\*: other programs used more than 5% of a core."""
LOAD_TEXT = """\
Closed loop (`wrk`, one thread): requests per second, and p50 / p99 in ms. N×: throughput of ramify divided by that of
the best peer in the cell. "nothing": a server that answers without looking at requests, the limit of the generator."""
LATENCY_TEXT = """\
Open loop: single texts at random times (Poisson). Latency counts from the time at which the request was to be sent.
"late": percentile 99 of the delay of the generator itself, which is part of the latencies."""


def key_of(row: Row) -> tuple[Any, ...]:
    """What makes two rows measurements of the same thing."""
    names = ("kind", "dataset", "system", "identity", "machine", *OPTIONS)
    return tuple(row.get(name) for name in names)


def serving_section() -> str:
    """Markdown, or an empty string without rows."""
    found = read_rows(SERVING)
    rows = latest(row for row in found if row["kind"] != PAGE)
    if not rows:
        return ""
    parts = ["## Serving", TEXT]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        own = [row for row in rows if row["dataset"] == dataset]
        parts.append(f"### {dataset}")
        for table in (_quality, _load, _latency, _faults, _fuzz, _annif):
            parts += table(own)
    return "\n\n".join([*parts, *_page(found)])


def latest(rows: Iterable[Row]) -> list[Row]:
    """The last row of each measurement: of the identity and machine measured last for its system and kind.

    A row of a quiet machine takes precedence over one of a busy machine.
    """
    rows = list(rows)
    scene = {(row["kind"], row["dataset"], row["system"]): (row["identity"], row["machine"]) for row in rows}
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = key_of(row)
        if (row["identity"], row["machine"]) != scene[row["kind"], row["dataset"], row["system"]]:
            continue
        if key not in found or not row.get("busy") or found[key].get("busy"):
            found[key] = row
    return list(found.values())


def _of(rows: Iterable[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def _quality(rows: list[Row]) -> list[str]:
    chosen = _of(rows, "quality")
    lines = [[row["system"], *(f"{row[name]:.2f}" for name in PRECISION), _equal(row)] for row in chosen]
    return [markdown(("system", *PRECISION, "alone as in a batch"), lines)] if lines else []


def _equal(row: Row) -> str:
    equal, compared = row["equal_alone"]
    return f"{equal:,} of {compared:,}"


def _load(rows: list[Row]) -> list[str]:
    chosen = _of(rows, "load")
    if not chosen:
        return []
    parts = [LOAD_TEXT]
    connections = sorted({row["connections"] for row in chosen})
    for texts in sorted({row["texts"] for row in chosen}):
        cells = {
            (system, n): best(row for row in chosen if _cell(row) == (system, texts, n))
            for system in dict.fromkeys(row["system"] for row in chosen)
            for n in connections
        }
        lines = [
            [system, *(_load_cell(cells, system, n) for n in connections)]
            for system in dict.fromkeys(system for system, _ in cells)
        ]
        header = [f"{n} connection{'s' if n > 1 else ''}" for n in connections]
        parts.append(markdown((f"{texts} text{'s' if texts > 1 else ''} per request", *header), lines))
    return parts


def _cell(row: Row) -> tuple[str, int, int]:
    return row["system"], row["texts"], row["connections"]


def best(rows: Iterable[Row]) -> Row | None:
    """The row with the highest throughput; rows without errors come first."""
    return max(rows, key=lambda row: (not row["errors"], row["requests_per_s"]), default=None)


def _load_cell(cells: dict[tuple[str, int], Row | None], system: str, connections: int) -> str:
    row = cells[system, connections]
    if row is None:
        return "–"
    peers = [
        one["requests_per_s"]
        for (name, n), one in cells.items()
        if n == connections and one is not None and name not in (OURS, GENERATOR)
    ]
    ratio = f" {number(row['requests_per_s'] / max(peers))}×" if system == OURS and peers else ""
    failed = f", {sum(row['errors'].values()):,} failed" if row["errors"] else ""
    workers = "" if system == GENERATOR else f" ({row['workers']})"
    times = f"{number(row['p50_ms'])} / {number(row['p99_ms'])}"
    return f"{number(row['requests_per_s'])}{ratio}; {times}{workers}{failed}{_busy(row)}"


def _busy(row: Row) -> str:
    return " \\*" if row.get("busy") else ""


def _latency(rows: list[Row]) -> list[str]:
    lines = []
    for row in _of(rows, "latency"):
        answered = ", ".join(f"{status}: {count:,}" for status, count in row["statuses"].items())
        times = [number(row[name]) for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms", "late_ms")]
        cores = number(row["cores"]["service"])
        system = f"{row['system']} ({row['workers']}){_busy(row)}"
        lines.append([system, f"{row['rate']:g}", *times, cores, answered])
    header = ("system", "requests/s", "p50 ms", "p90 ms", "p99 ms", "most ms", "late ms", "cores in use", "answers")
    return [LATENCY_TEXT, markdown(header, lines)] if lines else []


def _faults(rows: list[Row]) -> list[str]:
    parts = []
    for row in _of(rows, "faults"):
        memory, times = row["memory"], row["latency_ms"]
        kinds = "; ".join(
            f"{kind} {', '.join(f'{status}: {count:,}' for status, count in found.items())}"
            for kind, found in row["statuses"].items()
        )
        size = (
            f"{memory['start_mb']:,.0f} MB at the start, {memory['first_quarter_mb']:,.0f} and "
            f"{memory['last_quarter_mb']:,.0f} MB in the first and the last quarter (medians), "
            f"{memory['most_mb']:,.0f} MB at most"
            if memory
            else "not measured"
        )
        parts.append(
            f"Faults, {row['minutes']:g} minutes with {row['workers']} workers: {row['kills']} processes killed, "
            f"{row['replacements']} replacements of the model, {row['sent']:,} requests. Answers by kind of client: "
            f"{kinds}. Unanswered requests of clients that stayed: {row['unanswered']}; answers with a wrong number of "
            f"documents: {row['wrong']}; versions seen: {len(row['versions'])}. Latency p50 {number(times[0])}, p99 "
            f"{number(times[1])}, at most {number(times[2])} ms. Memory of all processes: {size}."
        )
    return parts


def _fuzz(rows: list[Row]) -> list[str]:
    parts = []
    for row in _of(rows, "fuzz"):
        failures = ", ".join(f"{check}: {count:,}" for check, count in row["failures"].items()) or "none"
        statuses = ", ".join(f"{status}: {count:,}" for status, count in row["statuses"].items())
        parts.append(
            f"Random requests by schemathesis: {row['requests']:,} ({statuses}); 5xx other than 503: "
            f"{row['unexpected_5xx']}. Failed checks: {failures}."
        )
    return parts


def _annif(rows: list[Row]) -> list[str]:
    return [
        f"Annif {row['annif']} with `backend=http`: labels and scores are those of the service for {row['equal']} of "
        f"{row['documents']} documents."
        for row in _of(rows, "annif")
    ]


def _page(rows: list[Row]) -> list[str]:
    """The latest row of the page."""
    parts = []
    for row in _of(rows, PAGE)[-1:]:
        least, most = row["first_paint_ms_range"]
        times = [number(row[name]) for name in ("first_paint_ms", "floor_ms", "ready_ms")]
        parts.append(
            f"Page, `python benchmarks/page_paint.py` ({row['browser']}, {row['loads']} loads with an empty cache, "
            f"medians): first paint after {times[0]} ms ({least:g} to {most:g}), a page of one line after {times[1]} "
            f"ms; a text can be sent after {times[2]} ms. {row['files']:g} files, {row['kilobytes']:g} kB."
        )
    return parts
