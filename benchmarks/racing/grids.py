"""The settings that a tuned peer may choose from, and its choice: the trial with the highest held-out quality.

Where the best C is the smallest or the largest of ``COSTS``, half or twice of it is tried as well, with the best other
settings of training: ramify's own choices of C reach from 0.25 to 4. Every peer has at most ``TRAININGS`` trainings per
held-out part, and at most ``SCORED`` scored settings; ramify has 3 small trainings for C, and ``best`` 2 more. The
trials are the rows of ``results/peer-tuning.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from racing.held_out import quality
from racing.places import HERE
from racing.rows import Row
from racing.sets import HELD_BACK, RACE, SMALL, TRIED_SPLITS

TRIALS = HERE / "results" / "peer-tuning.jsonl"
TRAININGS, SCORED = 7, 14
COSTS = (0.5, 1.0, 2.0)
Settings = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """Documented settings of one peer.

    Parameters
    ----------
    cost : str
        Name of its C.
    trainings : tuple of dict
        Settings of training; one model each.
    scorings : tuple of dict
        Settings of prediction; each model is scored under all of them.
    datasets : tuple of str, default all
        Data sets on which a training fits the limit of an hour.
    """

    cost: str
    trainings: tuple[Settings, ...]
    scorings: tuple[Settings, ...] = ({},)
    datasets: tuple[str, ...] = (*RACE, *HELD_BACK)

    def __post_init__(self) -> None:
        most = len(self.trainings) + 1
        if most > TRAININGS or most * len(self.scorings) > SCORED:
            raise ValueError(
                f"a grid has at most {TRAININGS} trainings and {SCORED} scored settings, one C beyond included"
            )

    def settings(self) -> list[Settings]:
        """Everything that is tried first."""
        return [training | scoring for training, scoring in product(self.trainings, self.scorings)]

    def beyond(self, best: Settings) -> list[Settings]:
        """What is tried next: half of the best C if it is the smallest, twice if it is the largest, else nothing."""
        factor = {min(COSTS): 0.5, max(COSTS): 2.0}.get(best[self.cost])
        return [] if factor is None else [best | {self.cost: factor * best[self.cost]} | one for one in self.scorings]

    def models(self, settings: Sequence[Settings]) -> list[list[Settings]]:
        """The settings, those that share a training together."""
        scoring = {name for one in self.scorings for name in one}
        groups: dict[str, list[Settings]] = {}
        for one in settings:
            training = {name: value for name, value in one.items() if name not in scoring}
            groups.setdefault(_name(training), []).append(one)
        return list(groups.values())


GRIDS = {
    "libpecos": Grid(
        "C",
        tuple({"negatives": negatives, "C": cost} for negatives, cost in product(("tfn", "tfn+man"), COSTS)),
        ({"post_processor": "l3-hinge"}, {"post_processor": "noop"}),
    ),
    "omikuji": Grid("linear_c", tuple({"linear_c": cost} for cost in COSTS)),
    "scikit-learn": Grid("C", tuple({"C": cost} for cost in COSTS), datasets=(*SMALL, *HELD_BACK)),
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


@dataclass(frozen=True)
class Tried:
    """The trials of one grid on one data set, whose matrices have this fingerprint."""

    grid: str
    dataset: str
    fingerprint: str
    trials: Sequence[Row]

    def settings(self) -> list[Settings]:
        """Everything that is to be tried: the grid, and what follows from its best settings once it is complete."""
        first = GRIDS[self.grid].settings()
        best = self._best(first)
        return first if best is None else first + GRIDS[self.grid].beyond(best)

    def winner(self) -> Settings | None:
        """The settings with the highest mean quality over the held-out parts; None before every trial is there.

        A setting that failed on a part is out. Equal qualities: the setting tried first.
        """
        return self._best(self.settings())

    def qualities(self, settings: Settings) -> list[float] | None:
        """Quality on each held-out part; None unless tried on all parts, empty after a failure.

        The last row of a trial counts.
        """
        rows = [self._rows.get((_name(settings), part)) for part in range(TRIED_SPLITS.get(self.dataset, 1))]
        if None in rows:
            return None
        done = [row for row in rows if row is not None and not row.get("failed")]
        return [quality(row["measures"]) for row in done] if len(done) == len(rows) else []

    @cached_property
    def _rows(self) -> dict[tuple[str, int], Row]:
        scene = (self.grid, self.dataset, self.fingerprint)
        chosen = [row for row in self.trials if (row["system"], row["dataset"], row["matrices"]) == scene]
        return {(_name(row["settings"]), row["split"]): row for row in chosen}

    def _best(self, settings: Sequence[Settings]) -> Settings | None:
        found = [self.qualities(one) for one in settings]
        means = [sum(values) / len(values) if values else -1.0 for values in found if values is not None]
        if len(means) < len(settings) or max(means) < 0:
            return None
        return settings[means.index(max(means))]


def _name(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
