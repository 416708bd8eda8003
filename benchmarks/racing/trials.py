"""Trials: a system is trained with some settings on a held-out part of the training data, and its answers judged."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.environments import InstallError
from racing.held_out import CRITERION
from racing.places import CACHE
from racing.rows import Row, add_stamped
from racing.runner import Limits, watch
from racing.systems import System
from racing.track import load_of, variables

MEASURES = (*CRITERION, "PSP@1", "PSP@3", "PSP@5")
COSTS = ("train_cpu_s", "train_wall_s")


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Trials of one system on one held-out part.

    Parameters
    ----------
    system : System
    folder : Path
        Matrices of the part.
    row : dict
        What all rows share.
    threads : int
    limits : Limits
        Of one training or prediction.
    rows : Path
        Where rows are kept.
    answers : Path or None
        Folder where the answers are kept; None: they are not kept.
    """

    system: System
    folder: Path
    row: Row
    threads: int
    limits: Limits
    rows: Path
    answers: Path | None = None

    def identified(self, settings: dict[str, Any]) -> Row:
        """The part of the row that distinguishes trials."""
        return {"settings": settings, "identity": replace(self.system, settings=settings).identity()}

    def kept(self, identity: str) -> Path | None:
        """Where the answers of a trial are kept."""
        name = f"{self.system.name}-{identity}-{self.row['matrices']}-{self.row['split']}.npz"
        return None if self.answers is None else self.answers / name


def run_trials(trials: Trials, models: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Train each model once and score it under its settings of prediction."""
    for scored in models:
        work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        try:
            failed, costs = _call(trials, "train", work, scored[0])
            for settings in scored:
                row = trials.row | trials.identified(settings) | costs
                failed, answered = (failed, {}) if failed else _call(trials, "answer", work, settings)
                row |= {"failed": failed} if failed else {"measures": measured(trials.folder, work / "top.npz")}
                row |= {"busy": costs.get("busy", False) or answered.get("busy", False)}
                shown = failed or " / ".join(f"{row['measures'][name]:.2f}" for name in CRITERION)
                print(f"{row['dataset']}, part {row['split']}: {row['system']} {settings}: {shown}", flush=True)
                add_stamped(trials.rows, row)
                kept = trials.kept(row["identity"])
                if kept is not None and not failed:
                    kept.parent.mkdir(exist_ok=True)
                    shutil.move(work / "top.npz", kept)
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
    kept = {name: float(f"{costs[name]:.5g}") for name in COSTS if name in costs}
    return None, kept | {"busy": load_of([outcome])["busy"]}


def measured(folder: Path, top: Path) -> dict[str, float]:
    """The measures of some answers, in percent."""
    from ramify import TopK

    found = np.load(top)
    return measures_of(folder, TopK(found["labels"], found["scores"]))


def measures_of(folder: Path, top: Any) -> dict[str, float]:
    """The measures of a ``TopK`` on the tests of a folder, in percent."""
    from ramify import evaluate

    Y, Y_held = (sp.load_npz(folder / f"{name}.npz").tocsr() for name in ("Y", "Y_test"))
    report = evaluate(Y_held, top, Y_train=Y)
    return {name: round(100 * float(report[name]), 3) for name in MEASURES}
