"""One system on one data set: medians and spread of its runs, or the reason for their absence."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from racing.quality import MEASURES
from racing.rows import Row, counted, current


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
    Cost("batch_cpu_us", "batch CPU µs/doc"),
    Cost("single_p50_us", "one doc p50 µs"),
    Cost("single_p99_us", "one doc p99 µs"),
)


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
        return [row[name] for row in self.runs if name in row]

    def cost(self, name: str) -> float:
        """The median of a cost; NaN without one."""
        values = self.values(name)
        return statistics.median(values) if values else float("nan")

    def measure(self, name: str) -> tuple[float, float]:
        """Mean of a measure over the runs, and half the width of its 95% interval."""
        found = [row["measures"][name] for row in self.runs]
        return statistics.mean(value for value, _, _ in found), statistics.mean((h - low) / 2 for _, low, h in found)


def is_ours(system: str) -> bool:
    """True for ramify's systems, whose names begin with "ramify"."""
    return system.split("-", maxsplit=1)[0] == "ramify"


def summaries(rows: Sequence[Row], threads: int) -> dict[str, dict[str, Summary]]:
    """Data set -> system -> summary: ramify's first, then in order of appearance."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in current(rows, "run", threads=threads):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    return {
        dataset: {name: _summary(name, systems[name]) for name in sorted(systems, key=lambda name: not is_ours(name))}
        for dataset, systems in found.items()
    }


def _summary(system: str, rows: list[Row]) -> Summary:
    runs, busy = counted(rows)
    failures = [row["failed"] for row in rows if row.get("failed")]
    return Summary(system, runs, busy, failures[-1] if failures and not runs else None)


def measured(systems: dict[str, Summary]) -> list[Summary]:
    """Those that finished."""
    return [one for one in systems.values() if one.runs]


def best_peer(systems: dict[str, Summary], name: str) -> Summary | None:
    """The best peer of a column: lowest cost, or best measure."""
    peers = [one for one in measured(systems) if not one.ours]
    if not peers:
        return None
    if name in MEASURES:
        return max(peers, key=lambda one: one.measure(name)[0])
    return min(peers, key=lambda one: one.cost(name))


class Pairs:
    """The paired comparisons that are current: of one of ramify's systems with a peer, measure by measure."""

    def __init__(self, rows: Sequence[Row], threads: int) -> None:
        runs = current(rows, "run", threads=threads)
        newest = {(row["dataset"], row["system"]): row["identity"] for row in runs}
        machines = {row["dataset"]: row["machine"] for row in runs}
        self._found = {
            (row["dataset"], row["system"], row["peer"]): row["measures"]
            for row in rows
            if row["kind"] == "paired"
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
