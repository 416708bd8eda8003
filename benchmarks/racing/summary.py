"""One system on one data set: medians and spread of its runs, or the reason for their absence."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from racing.quality import MEASURES, SCHEME
from racing.rows import Row, counted, current, last_failures


@dataclass(frozen=True)
class Cost:
    """A column of the cost tables: key of the figure in a row, title, and one unit of the title in units of the row."""

    name: str
    title: str
    unit: float = 1.0


COSTS = (
    Cost("train_cpu_s", "train CPU s"),
    Cost("train_wall_s", "train wall s"),
    Cost("peak_above_bytes", "peak above data MB", 1e6),
    Cost("model_bytes", "model MB", 1e6),
    Cost("load_ms", "open ms"),
    Cost("fast_load_ms", "fast open ms"),
    Cost("batch_cpu_us", "batch CPU µs/doc"),
    Cost("row_p50_us", "one scipy row p50 µs"),
    Cost("row_p99_us", "one scipy row p99 µs"),
    Cost("arrays_p50_us", "one doc as arrays p50 µs"),
)
PAIRS_ONLY = "omikuji"
"""The peer whose only call takes (feature, value) pairs; the calls of the other peers take a scipy row."""
NOT_RUN = "not run"


@dataclass(frozen=True)
class Summary:
    """Summary of the rows of one system on one data set.

    Parameters
    ----------
    system : str
        Its name.
    runs : list of rows
        Rows that the medians are computed from.
    busy : bool
        Measured on a busy machine only.
    failed : str or None
        Reason for the absence of runs.
    """

    system: str
    runs: list[Row]
    busy: bool
    failed: str | None

    @property
    def ours(self) -> bool:
        """Whether it is one of ramify's."""
        return is_ours(self.system)

    def values(self, name: str) -> list[float]:
        """A cost in every run that has it."""
        found = (figure(row, name) for row in self.runs)
        return [value for value in found if value is not None]

    def cost(self, name: str) -> float:
        """The median of a cost; NaN without one."""
        values = self.values(name)
        return statistics.median(values) if values else float("nan")

    def measure(self, name: str) -> tuple[float, float]:
        """Mean of a measure over the runs, and half the width of its 95% interval."""
        found = [row["measures"][name] for row in self.runs]
        return statistics.mean(value for value, _, _ in found), statistics.mean((h - low) / 2 for _, low, h in found)


def figure(row: Row, name: str) -> float | None:
    """A cost of one run; None where the system has no such call.

    Fast opening is that of ramify without verification and that of libpecos from a memory-mapped model; older rows of
    ramify have it as ``load_ms``. A contestant measures its fastest call for one document as ``single``, and ramify
    also its call for a scipy row.
    """
    old = is_ours(row["system"]) and "load_unverified_ms" not in row
    if name == "fast_load_ms":
        return row.get("load_ms" if old else "load_unverified_ms", row.get("load_mapped_ms"))
    if name == "load_ms" and old:
        return None
    takes_arrays = is_ours(row["system"]) or family(row["system"]) == PAIRS_ONLY
    if name == "arrays_p50_us":
        return row.get("single_p50_us") if takes_arrays else None
    if name.startswith("row_"):
        call = "single_call_" if takes_arrays else "single_"
        return row.get(name.replace("row_", call))
    return row.get(name)


def family(system: str) -> str:
    """The package of a system: its name up to the first hyphen."""
    return system.split("-", maxsplit=1)[0]


def is_ours(system: str) -> bool:
    """True for ramify's systems."""
    return family(system) == "ramify"


def summaries(rows: Sequence[Row], threads: int) -> dict[str, dict[str, Summary]]:
    """Data set -> system -> summary: ramify's first, then in order of appearance.

    A system without a row on the machine of the data set is there if its last row on another machine is a failure.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in current(rows, "run", threads=threads):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    for (dataset, system), row in last_failures(rows, "run", threads=threads).items():
        if dataset in found:
            found[dataset].setdefault(system, [row | {"failed": f"{row['failed']} on {row['machine']}"}])
    return {
        dataset: {name: _summary(name, systems[name]) for name in sorted(systems, key=lambda name: not is_ours(name))}
        for dataset, systems in found.items()
    }


def with_missing(systems: dict[str, Summary], expected: Sequence[str]) -> dict[str, Summary]:
    """The systems in the expected order, with one marked as not run for each that is missing; then the others."""
    absent = {name: Summary(name, [], busy=False, failed=NOT_RUN) for name in expected}
    return {name: systems.get(name, absent.get(name)) for name in (*expected, *systems)}  # type: ignore[misc]


def _summary(system: str, rows: list[Row]) -> Summary:
    runs, busy = counted(rows)
    failures = [row["failed"] for row in rows if row.get("failed")]
    return Summary(system, runs, busy, failures[-1] if failures and not runs else None)


def short_reason(one: Summary) -> str:
    """Why a system has no figures, in a few characters: the limit that it exceeded, "not run" or "failed"."""
    why = one.failed or NOT_RUN
    if limit := re.search(r"not finished after ([\d,]+) s", why):
        seconds = int(limit[1].replace(",", ""))
        return f"> {seconds // 3600} h" if seconds % 3600 == 0 else f"> {seconds:,} s"
    if limit := re.search(r"more than (\S+ GB)", why):
        return f"> {limit[1]}"
    return why if why == NOT_RUN else "failed"


def missing_peers(systems: dict[str, Summary]) -> str:
    """The peers without figures, each with its short reason; empty if there are none."""
    absent = [one for one in systems.values() if not one.runs and not one.ours]
    return ", ".join(f"{one.system} ({short_reason(one)})" for one in absent)


def measured(systems: dict[str, Summary]) -> list[Summary]:
    """Those that finished."""
    return [one for one in systems.values() if one.runs]


def best_peer(systems: dict[str, Summary], name: str) -> Summary | None:
    """The best peer of a column: lowest cost, or best measure."""
    peers = [one for one in measured(systems) if not one.ours]
    if name in MEASURES:
        return max(peers, key=lambda one: one.measure(name)[0], default=None)
    return min((one for one in peers if one.values(name)), key=lambda one: one.cost(name), default=None)


class Pairs:
    """The current comparisons of ramify's systems with peers, by measure; those of another scheme are ignored."""

    def __init__(self, rows: Sequence[Row], threads: int) -> None:
        runs = current(rows, "run", threads=threads)
        newest = {(row["dataset"], row["system"]): row["identity"] for row in runs}
        machines = {row["dataset"]: row["machine"] for row in runs}
        self._found = {
            (row["dataset"], row["system"], row["peer"]): row["measures"]
            for row in rows
            if row["kind"] == "paired"
            and row.get("scheme") == SCHEME
            and row["threads"] == threads
            and row.get("machine", machines.get(row["dataset"])) == machines.get(row["dataset"])
            and newest.get((row["dataset"], row["system"])) == row["identity"]
            and newest.get((row["dataset"], row["peer"])) == row["peer_identity"]
        }

    def difference(self, dataset: str, system: str, peer: str, measure: str) -> tuple[float, int] | None:
        """How far the system is ahead of the peer in percent, and 1, -1 or 0: significantly better, worse, neither."""
        measures = self._found.get((dataset, system, peer))
        if measures is None:
            return None
        difference, _, _, p = measures[measure]
        return difference, 0 if p >= 0.05 else (1 if difference > 0 else -1)
