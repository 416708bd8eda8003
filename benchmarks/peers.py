"""Settings of the peers, chosen on held-out parts of the training data; the race runs the winners as ``NAME-tuned``.

    python benchmarks/peers.py                                # every grid on every data set of the race
    python benchmarks/peers.py --sets bibtex --systems libpecos
    python benchmarks/peers.py --held-back                    # on the sets that are raced once, at the end

Adds a row for each trial to ``benchmarks/results/peer-tuning.jsonl`` and skips the rows that are there. Grids, budget
and the choice: ``racing/grids.py``. Criterion and held-out parts: ``racing/held_out.py``. The test documents are not
read.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.environments import InstallError
from racing.grids import GRIDS, TRIALS, Tried, trial_key
from racing.held_out import CRITERION, sampled, split
from racing.matrices import Matrices, MissingDataError, prepare
from racing.places import CACHE, DATA
from racing.rows import Row, add_stamped, read_rows
from racing.runner import Limits, watch
from racing.sets import HELD_BACK, RACE, TRIED_AMOUNT, TRIED_SPLITS
from racing.stopping import run_until_stopped
from racing.systems import System, all_systems
from racing.track import load_of, variables


@dataclass(frozen=True)
class Trials:
    """Trials of one peer on one held-out part: ``folder`` holds its matrices, ``row`` what all its rows share."""

    system: System
    folder: Path
    row: Row
    threads: int
    limits: Limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", choices=RACE, default=RACE, metavar="SET", help=", ".join(RACE))
    parser.add_argument("--systems", nargs="+", choices=GRIDS, default=list(GRIDS), metavar="SYSTEM")
    parser.add_argument("--held-back", action="store_true", help=f"instead of --sets: {', '.join(HELD_BACK)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one training or prediction")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    chosen = parser.parse_args()
    limits = Limits(chosen.limit, int(chosen.memory * 1e9))
    for dataset in tuple(HELD_BACK) if chosen.held_back else chosen.sets:
        try:
            matrices = prepare(dataset, chosen.data)
        except MissingDataError as missing:
            print(missing)
            continue
        for name in (name for name in chosen.systems if dataset in GRIDS[name].datasets):
            tune(matrices, name, chosen.threads, limits)


def tune(matrices: Matrices, name: str, threads: int, limits: Limits) -> None:
    """Run the trials of one grid that are missing, and print the winner."""
    system, dataset = all_systems()[name], matrices.dataset
    amount = TRIED_AMOUNT.get(dataset)
    shared = {"kind": "trial", "dataset": dataset, "matrices": matrices.fingerprint, "amount": amount}
    shared |= {"system": name, "version": system.version, "threads": threads}
    for _ in range(2):  # the grid, then what follows from its best settings
        settings = _tried(matrices, name).settings()
        for number in range(TRIED_SPLITS.get(dataset, 1)):
            row = shared | {"split": number}
            known = {trial_key(one) for one in read_rows(TRIALS)}
            wanted = [one for one in settings if trial_key(row | _identified(system, one)) not in known]
            if wanted:
                folder = held_out_folder(matrices, amount, number)
                _run_trials(Trials(system, folder, row, threads, limits), GRIDS[name].models(wanted))
    print(f"{dataset}: {name}: {_tried(matrices, name).winner()}", flush=True)


def _tried(matrices: Matrices, name: str) -> Tried:
    return Tried(name, matrices.dataset, matrices.fingerprint, read_rows(TRIALS))


def _identified(system: System, settings: dict[str, Any]) -> Row:
    return {"settings": settings, "identity": replace(system, settings=settings).identity()}


def held_out_folder(matrices: Matrices, amount: float | None, number: int) -> Path:
    """A folder like that of a data set, whose test documents are the held-out part of its training documents."""
    folder = matrices.folder / f"held-out-{amount or 'all'}-{number}-{matrices.fingerprint}"
    if not folder.exists():
        parts = split(*sampled(matrices.X, matrices.Y, amount), number)
        beside = Path(tempfile.mkdtemp(prefix="held-out-", dir=matrices.folder))
        for name, matrix in zip(("X", "Y", "X_test", "Y_test"), parts, strict=True):
            sp.save_npz(beside / f"{name}.npz", matrix, compressed=False)
        beside.rename(folder)
    return folder


def _run_trials(trials: Trials, models: list[list[dict[str, Any]]]) -> None:
    """Train each model once and score it under its settings of prediction."""
    for scored in models:
        work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        try:
            failed, costs = _call(trials, "train", work, scored[0])
            for settings in scored:
                row = trials.row | _identified(trials.system, settings) | costs
                failed, answered = (failed, {}) if failed else _call(trials, "answer", work, settings)
                row |= {"failed": failed} if failed else {"measures": _measures(trials.folder, work / "top.npz")}
                row |= {"busy": costs.get("busy", False) or answered.get("busy", False)}
                shown = failed or " / ".join(f"{row['measures'][name]:.2f}" for name in CRITERION)
                print(f"{row['dataset']}, part {row['split']}: {row['system']} {settings}: {shown}", flush=True)
                add_stamped(TRIALS, row)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _call(trials: Trials, task: str, work: Path, settings: dict[str, Any]) -> tuple[str | None, Row]:
    """The reason of a failure, and what the row keeps of the costs."""
    try:
        python = trials.system.python()
    except InstallError as failure:
        return str(failure), {}
    words = [task, trials.folder, work, trials.threads, 0, json.dumps(settings)]
    program = [str(python), str(trials.system.path()), *map(str, words)]
    outcome = watch(program, variables(trials.system, trials.threads), work / "log.txt", trials.limits)
    if outcome.failed:
        return f"{task}: {outcome.failed}", {"busy": load_of([outcome])["busy"]}
    costs = json.loads((work / "costs.json").read_text())
    kept = {name: float(f"{costs[name]:.5g}") for name in ("train_cpu_s",) if name in costs}
    return None, kept | {"busy": load_of([outcome])["busy"]}


def _measures(folder: Path, top: Path) -> dict[str, float]:
    from ramify import TopK, evaluate

    found = np.load(top)
    Y, Y_held = (sp.load_npz(folder / f"{name}.npz").tocsr() for name in ("Y", "Y_test"))
    report = evaluate(Y_held, TopK(found["labels"], found["scores"]), Y_train=Y)
    return {name: round(100 * float(report[name]), 3) for name in (*CRITERION, "PSP@1", "PSP@3", "PSP@5")}


if __name__ == "__main__":
    run_until_stopped(main, "trials")
