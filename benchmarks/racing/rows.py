"""The rows: one JSON object per line, only ever added. Which of them count, and which are still to be measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from racing.machine import commit, today

Row = dict[str, Any]
BUSY_SHARE = 0.15
"""Others' CPU, as a share of the run's own, from which a run counts as measured on a busy machine."""


def read_rows(path: Path) -> list[Row]:
    """All rows, oldest first; none where there is no file."""
    if not path.exists():
        return []
    # str.splitlines would also split at line separators of Unicode, which strings of JSON may contain
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def add_row(path: Path, row: Row) -> None:
    """Append one row, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def add_stamped(path: Path, row: Row) -> Row:
    """Append a row with commit and date, and give it back."""
    stamped = row | {"commit": commit(), "date": today()}
    add_row(path, stamped)
    return stamped


def matching(path: Path, key: Row) -> list[Row]:
    """The rows with all values of a key, oldest first."""
    return [row for row in read_rows(path) if all(row.get(name) == value for name, value in key.items())]


def key_of(row: Row) -> tuple[Any, ...]:
    """What makes two rows measurements of the same thing."""
    names = ("kind", "dataset", "matrices", "system", "identity", "threads", "machine", "run")
    return tuple(row.get(name) for name in names)


def is_due(rows: Iterable[Row], wanted: Row, *, quiet_only: bool = False, retry_failed: bool = False) -> bool:
    """Whether a run is still to be measured.

    Parameters
    ----------
    rows : rows
        What is known.
    wanted : row
        What ``key_of`` needs.
    quiet_only : bool, default False
        A run that has only been measured on a busy machine is due again.
    retry_failed : bool, default False
        So is one that failed. Otherwise the failure of any run stands for all of its system, until the limits rise.
    """
    without_run = key_of(wanted)[:-1]
    kin = [row for row in rows if key_of(row)[:-1] == without_run]
    same = [row for row in kin if not row.get("failed") and key_of(row) == key_of(wanted)]
    if not retry_failed and any(_stands(row, wanted) for row in kin if row.get("failed")):
        return False
    return all(row["busy"] for row in same) if quiet_only else not same


def _stands(failure: Row, wanted: Row) -> bool:
    """Whether a failure would come again: no limit has risen since."""
    return all(wanted.get(name, 0) <= failure.get(name, math.inf) for name in ("limit_s", "limit_gb"))


def current(rows: Iterable[Row], kind: str, *, threads: int) -> list[Row]:
    """The rows of each system on each data set: the identity measured last, on one machine.

    The machine and the matrices are those that the data set was measured on last, whatever the system was: costs of
    two machines are not compared.
    """
    chosen = [row for row in rows if row["kind"] == kind and row.get("threads") == threads]
    scene = {row["dataset"]: _scene(row) for row in chosen}
    chosen = [row for row in chosen if _scene(row) == scene[row["dataset"]]]
    latest = {(row["dataset"], row["system"]): row["identity"] for row in chosen}
    return [row for row in chosen if row["identity"] == latest[row["dataset"], row["system"]]]


def _scene(row: Row) -> tuple[Any, Any]:
    return row.get("matrices"), row.get("machine")


def last_failures(rows: Iterable[Row], kind: str, *, threads: int) -> dict[tuple[str, str], Row]:
    """Data set and system -> its last row on any machine, where that row is a failure on the present matrices."""
    chosen = [row for row in rows if row["kind"] == kind and row.get("threads") == threads]
    matrices = {row["dataset"]: row.get("matrices") for row in chosen}
    last = {(row["dataset"], row["system"]): row for row in chosen if row.get("matrices") == matrices[row["dataset"]]}
    return {key: row for key, row in last.items() if row.get("failed")}


def counted(runs: Sequence[Row]) -> tuple[list[Row], bool]:
    """The runs of one system that its medians are made of, and whether they are of a busy machine.

    The last row of each run counts. Quiet ones do where there are any, else the busy ones.
    """
    good = [row for row in runs if not row.get("failed")]
    quiet = {row["run"]: row for row in good if not row["busy"]}
    if quiet:
        return list(quiet.values()), False
    busy = {row["run"]: row for row in good}
    return list(busy.values()), bool(busy)
