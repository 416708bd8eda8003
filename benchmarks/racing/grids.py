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


DEFAULTS: dict[str, Settings] = {
    "libpecos": {"negatives": "tfn", "C": 1.0, "post_processor": "l3-hinge"},
    "omikuji": {"linear_c": 1.0},
    "scikit-learn": {"C": 1.0},
}
"""The settings of each grid that are the peer's defaults."""


def trial_key(row: Row) -> tuple[Any, ...]:
    """What makes two trials the same."""
    names = ("dataset", "matrices", "amount", "split", "system", "identity")
    return tuple(row.get(name) for name in names)


def trial_qualities(trials: Sequence[Row], grid: str, dataset: str, fingerprint: str) -> dict[str, list[float]]:
    """Settings, as sorted JSON -> quality on each held-out part; only settings tried on all parts, none for a failure.

    Settings are in the order of the grid, and the last row of a trial counts.
    """
    known: dict[tuple[str, int], Row] = {
        (_name(row["settings"]), row["split"]): row
        for row in trials
        if (row["system"], row["dataset"], row["matrices"]) == (grid, dataset, fingerprint)
    }
    parts = range(TRIED_SPLITS.get(dataset, 1))
    found: dict[str, list[float]] = {}
    for name in map(_name, GRIDS[grid].settings()):
        rows = [known[name, number] for number in parts if (name, number) in known]
        if len(rows) == len(parts):
            failed = any(row.get("failed") for row in rows)
            found[name] = [] if failed else [quality(row["measures"]) for row in rows]
    return found


def winner(trials: Sequence[Row], grid: str, dataset: str, fingerprint: str) -> Settings | None:
    """The settings with the highest mean quality over the held-out parts; None before every trial is there.

    A setting that failed on a part is out. Equal qualities: the setting tried first.
    """
    found = trial_qualities(trials, grid, dataset, fingerprint)
    means = {name: sum(values) / len(values) for name, values in found.items() if values}
    if len(found) < len(GRIDS[grid].settings()) or not means:
        return None
    chosen: Settings = json.loads(max(means, key=means.__getitem__))
    return next(settings for settings in GRIDS[grid].settings() if settings == chosen)


def _name(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
