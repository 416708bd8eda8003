"""The settings that the peers' trials chose, beside the held-out quality of their defaults."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from racing.grids import DEFAULTS, GRIDS, Settings, trial_qualities, winner
from racing.rows import Row
from racing.sets import EVERY
from racing.tables import markdown

TEXT = """\
`python benchmarks/peers.py`. The setting with the highest mean of P@1, P@3 and P@5 on held-out parts of the training
data, in percent, beside the mean of the peer's defaults on the same parts. "parts": number of held-out parts; "sample":
training documents that the trials used where that is not all of them, as a share or a number. ↑: the chosen C is the
largest one tried."""


def peer_section(trials: Sequence[Row]) -> str:
    """The section of ``RESULTS.md``; empty without a complete set of trials."""
    matrices = {row["dataset"]: row["matrices"] for row in trials}
    lines = []
    for dataset in (name for name in EVERY if name in matrices):
        for grid in GRIDS:
            chosen = winner(trials, grid, dataset, matrices[dataset])
            if chosen is not None:
                found = trial_qualities(trials, grid, dataset, matrices[dataset])
                lines.append([dataset, grid, *_cells(grid, chosen, found), _sample(trials, grid, dataset)])
    header = ("data set", "peer", "chosen", "held-out", "defaults", "trainings", "parts", "sample")
    return "\n\n".join(["## Settings of the tuned peers", TEXT, markdown(header, lines)]) if lines else ""


def _cells(grid: str, chosen: Settings, found: dict[str, list[float]]) -> list[str]:
    best, plain = (found.get(json.dumps(one, sort_keys=True)) for one in (chosen, DEFAULTS[grid]))
    costs = [value for one in GRIDS[grid].trainings for name, value in one.items() if isinstance(value, float)]
    largest = any(value == max(costs) for value in chosen.values() if isinstance(value, float))
    shown = ", ".join(f"{name} {value}" for name, value in chosen.items()) + (" ↑" if largest else "")
    means = [f"{np.mean(one):.2f}" if one else "–" for one in (best, plain)]
    return [shown, *means, str(len(GRIDS[grid].trainings)), str(len(best or []))]


def _sample(trials: Sequence[Row], grid: str, dataset: str) -> str:
    amounts = [row["amount"] for row in trials if (row["system"], row["dataset"]) == (grid, dataset)]
    return "–" if amounts[-1] is None else f"{amounts[-1]:,g}"
