"""The settings that a tuned peer may choose from, and its choice: the trial with the highest held-out quality.

Every peer has at most ``TRAININGS`` trainings per held-out part, and at most ``SCORED`` scored settings. ramify's
``best`` has 3 trainings and 11 scored settings. The trials are the rows of ``results/peer-tuning.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from racing.held_out import quality
from racing.places import HERE
from racing.rows import Row
from racing.sets import HELD_BACK, RACE, SMALL, TRIED_SPLITS

TRIALS = HERE / "results" / "peer-tuning.jsonl"
TRAININGS, SCORED = 6, 12
COSTS = (0.5, 1.0, 2.0)
Settings = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """Documented settings of one peer.

    Parameters
    ----------
    trainings : tuple of dict
        Settings of training; one model each.
    scorings : tuple of dict
        Settings of prediction; each model is scored under all of them.
    datasets : tuple of str, default all
        Data sets on which a training fits the limit of an hour.
    """

    trainings: tuple[Settings, ...]
    scorings: tuple[Settings, ...] = ({},)
    datasets: tuple[str, ...] = (*RACE, *HELD_BACK)

    def __post_init__(self) -> None:
        if len(self.trainings) > TRAININGS or len(self.trainings) * len(self.scorings) > SCORED:
            raise ValueError(f"a grid has at most {TRAININGS} trainings and {SCORED} scored settings")

    def settings(self) -> list[Settings]:
        """Everything that is tried."""
        return [training | scoring for training, scoring in product(self.trainings, self.scorings)]


GRIDS = {
    "libpecos": Grid(
        tuple({"negatives": negatives, "C": cost} for negatives, cost in product(("tfn", "tfn+man"), COSTS)),
        ({"post_processor": "l3-hinge"}, {"post_processor": "noop"}),
    ),
    "omikuji": Grid(tuple({"linear_c": cost} for cost in COSTS)),
    "scikit-learn": Grid(tuple({"C": cost} for cost in COSTS), datasets=(*SMALL, *HELD_BACK)),
}


def trial_key(row: Row) -> tuple[Any, ...]:
    """What makes two trials the same."""
    names = ("dataset", "matrices", "amount", "split", "system", "identity")
    return tuple(row.get(name) for name in names)


def winner(trials: Sequence[Row], grid: str, dataset: str, fingerprint: str) -> Settings | None:
    """The settings with the highest mean quality over the held-out parts; None before every trial is there.

    A setting that failed on a part is out. Equal qualities: the setting tried first.
    """
    known: dict[tuple[str, int], Row] = {
        (json.dumps(row["settings"], sort_keys=True), row["split"]): row
        for row in trials
        if (row["system"], row["dataset"], row["matrices"]) == (grid, dataset, fingerprint)
    }
    best: tuple[float, Settings | None] = (-1.0, None)
    for settings in GRIDS[grid].settings():
        name = json.dumps(settings, sort_keys=True)
        rows = [known.get((name, number)) for number in range(TRIED_SPLITS.get(dataset, 1))]
        if None in rows:
            return None
        done = [quality(row["measures"]) for row in rows if row and not row.get("failed")]
        if len(done) == len(rows) and sum(done) / len(done) > best[0]:
            best = sum(done) / len(done), settings
    return best[1]
