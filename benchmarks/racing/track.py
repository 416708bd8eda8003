"""The race itself: on each data set run 1 of every system, then run 2 of every system, and so on.

A row that is already there is skipped, so a race that was cut goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from racing.environments import InstallError
from racing.machine import commit, machine, today
from racing.matrices import Matrices, MissingDataError, prepare
from racing.places import CACHE, ROWS
from racing.quality import SCHEME, Answers, measures, paired, read_answers
from racing.rows import BUSY_SHARE, Row, add_row, current, is_due, key_of, read_rows
from racing.runner import Limits, Outcome, watch
from racing.sets import HELD_BACK
from racing.summary import is_ours
from racing.systems import System


@dataclass(frozen=True, kw_only=True)
class Race:
    """What is to be run.

    Parameters
    ----------
    data : Path
        Folder of the data sets.
    runs, threads : int
        Runs of each system, and threads of each run.
    limits : Limits
        Of training and of prediction.
    quiet_only, retry_failed : bool
        As in ``is_due``.
    missing_answers : bool
        Runs whose answers are not in the cache are due again: answers are needed for comparisons and not committed.
    rows : Path
        Where rows are kept.
    script : str
        The script that runs the race, with its subcommand, for the commands in the rows.
    """

    data: Path
    runs: int
    threads: int
    limits: Limits
    quiet_only: bool = False
    retry_failed: bool = False
    missing_answers: bool = False
    rows: Path = ROWS
    script: str = "race.py run"


def run_race(race: Race, datasets: Sequence[str], systems: Sequence[System]) -> None:
    """Measure what is due, then compare ramify's answers with the peers'."""
    for dataset in datasets:
        try:
            matrices = prepare(dataset, race.data)
        except MissingDataError as missing:
            print(missing)
            continue
        ready = [one for one in (_with_settings(system, matrices) for system in systems) if one is not None]
        for number in range(1, race.runs + 1):
            for system in ready:
                take_turn(race, matrices, system, number)
        compare(race, matrices)


def _with_settings(system: System, matrices: Matrices) -> System | None:
    """The system with its settings for the data set; None, with a message, for a peer that is not tuned on it."""
    ready = system.on(matrices.dataset, matrices.fingerprint)
    if ready is None:
        print(f"{matrices.dataset}: no complete trials of {system.name}; benchmarks/peers.py runs them")
    return ready


def take_turn(race: Race, matrices: Matrices, system: System, number: int) -> None:
    """Run ``number`` of a system, if it is due; adds its row."""
    row: Row = {
        "kind": "run",
        "dataset": matrices.dataset,
        "system": system.name,
        "version": system.version,
        "settings": system.settings,
        "run": number,
        "threads": race.threads,
        "machine": machine(),
        "identity": system.identity(),
        "matrices": matrices.fingerprint,
        "limit_s": race.limits.seconds,
        "limit_gb": race.limits.bytes / 1e9,
    }
    known = read_rows(race.rows)
    lost = race.missing_answers and _lost_answers(known, row, top_path(matrices, system.name, row["identity"], number))
    if not lost and not is_due(known, row, quiet_only=race.quiet_only, retry_failed=race.retry_failed):
        return
    print(f"{matrices.dataset}: {system.name}, run {number}", flush=True)
    row |= _measure(race, matrices, system, number)
    row |= {"shape": matrices.shape, "command": command(race, matrices.dataset, system.name)}
    row |= {"commit": commit(), "date": today()}
    add_row(race.rows, row)
    print(f"    {_summary(row)}", flush=True)


def _lost_answers(known: Sequence[Row], wanted: Row, path: Path) -> bool:
    """Whether the run succeeded before and its answers are gone."""
    done = any(key_of(row) == key_of(wanted) and not row.get("failed") for row in known)
    return done and not path.exists()


def command(race: Race, dataset: str, system: str) -> str:
    """What to type for this row."""
    where = "--held-back" if dataset in HELD_BACK else f"--sets {dataset}"
    words = f"{where} --systems {system} --runs {race.runs} --threads {race.threads}"
    return f"python benchmarks/{race.script} {words} --limit {race.limits.seconds:g}"


def _measure(race: Race, matrices: Matrices, system: System, number: int) -> Row:
    CACHE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    try:
        python = system.python()
        outcomes: list[Outcome] = []
        costs: Row = {}
        for task in ("train", "predict"):
            words = [task, matrices.folder, work, race.threads, number - 1, json.dumps(system.settings)]
            program = [str(python), str(system.path()), *map(str, words)]
            outcomes.append(watch(program, variables(system, race.threads), work / "log.txt", race.limits))
            if outcomes[-1].failed:
                return load_of(outcomes) | {"failed": f"{task}: {outcomes[-1].failed}"}
            costs |= json.loads((work / "costs.json").read_text())
        kept = top_path(matrices, system.name, system.identity(), number)
        kept.parent.mkdir(exist_ok=True)
        shutil.move(work / "top.npz", kept)
        return load_of(outcomes) | rounded(costs) | {"measures": measures(read_answers(matrices, kept))}
    except InstallError as failure:
        return {"busy": False, "failed": str(failure)}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def rounded(figures: Row) -> Row:
    """Five digits are more than any clock is good for."""
    return {name: float(f"{value:.5g}") for name, value in figures.items()}


def load_of(outcomes: Sequence[Outcome]) -> Row:
    """What others burned meanwhile; busy where that is too much in any of the processes."""
    return {
        "own_cpu_s": round(sum(one.own_cpu_s for one in outcomes), 2),
        "others_cpu_s": round(sum(one.others_cpu_s for one in outcomes), 2),
        "busy": any(one.others_cpu_s > BUSY_SHARE * one.own_cpu_s for one in outcomes),
    }


def variables(system: System, threads: int) -> dict[str, str]:
    """The environment: one number of threads for whatever library asks, and nothing of ramify's path for peers."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    variables = dict(os.environ) | dict.fromkeys(names, str(threads))
    if not system.ours:
        variables.pop("PYTHONPATH", None)
    return variables


def top_path(matrices: Matrices, system: str, identity: str, number: int) -> Path:
    """Where a run's answers are kept."""
    return matrices.folder / "top" / f"{system}-{identity}-{matrices.fingerprint}-{number}.npz"


def _summary(row: Row) -> str:
    if row.get("failed"):
        return f"failed: {row['failed']}"
    busy = ", machine busy" if row["busy"] else ""
    quality = f"P@1 {row['measures']['P@1'][0]:.2f}"
    return f"{quality}, trained in {row['train_cpu_s']:.2f} CPU s, p50 {row['single_p50_us']:.0f} µs{busy}"


def compare(race: Race, matrices: Matrices, pairs: Sequence[tuple[str, str]] | None = None) -> None:
    """A row for each pair of systems, over all runs of both that left their answers.

    Without ``pairs``: each of ramify's systems beside each peer.
    """
    known = read_rows(race.rows)
    answers: dict[str, dict[Path, Row]] = {}
    for row in current(known, "run", threads=race.threads):
        path = top_path(matrices, row["system"], row["identity"], row["run"])
        if row["dataset"] == matrices.dataset and not row.get("failed") and path.exists():
            answers.setdefault(row["system"], {})[path] = row

    @cache
    def judged(name: str) -> list[Answers]:
        return [read_answers(matrices, path) for path in sorted(answers[name])]

    every = [(own, peer) for own in answers if is_ours(own) for peer in answers if not is_ours(peer)]
    for own, peer in every if pairs is None else pairs:
        if own not in answers or peer not in answers:
            continue
        row = _pair(race, matrices, answers[own], answers[peer])
        if not any(all(other.get(name) == value for name, value in row.items()) for other in known):
            print(f"{matrices.dataset}: {own} beside {peer}", flush=True)
            row |= {"measures": paired(judged(peer), judged(own)), "commit": commit(), "date": today()}
            add_row(race.rows, row)


def _pair(race: Race, matrices: Matrices, own_runs: dict[Path, Row], peer_runs: dict[Path, Row]) -> Row:
    """What a comparison stays true for."""
    own, peer = next(iter(own_runs.values())), next(iter(peer_runs.values()))
    return {
        "kind": "paired",
        "dataset": matrices.dataset,
        "system": own["system"],
        "peer": peer["system"],
        "identity": own["identity"],
        "peer_identity": peer["identity"],
        "matrices": matrices.fingerprint,
        "scheme": SCHEME,
        "machine": own["machine"],
        "threads": race.threads,
        "runs": [len(own_runs), len(peer_runs)],
    }
