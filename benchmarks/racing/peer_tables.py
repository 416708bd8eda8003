"""The settings that the peers' trials chose, beside the held-out quality of their defaults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from racing.grids import DEFAULTS, GRIDS, Tried
from racing.rows import Row
from racing.sets import EVERY
from racing.tables import markdown

TEXT = """\
`python benchmarks/peers.py`. The setting with the highest mean of P@1, P@3 and P@5 on held-out parts of the training
data, in percent, beside the mean of the peer's defaults on the same parts. "parts": number of held-out parts; "sample":
training documents that the trials used where that is not all of them, as a share or a number."""


def peer_section(trials: Sequence[Row]) -> str:
    """The section of ``RESULTS.md``; empty without a complete set of trials."""
    matrices = {row["dataset"]: row["matrices"] for row in trials}
    found = [Tried(grid, name, matrices[name], trials) for name in EVERY if name in matrices for grid in GRIDS]
    lines = [_line(tried) for tried in found if tried.winner() is not None]
    header = ("data set", "peer", "chosen", "held-out", "defaults", "trainings", "parts", "sample")
    return "\n\n".join(["## Settings of the tuned peers", TEXT, markdown(header, lines)]) if lines else ""


def _line(tried: Tried) -> list[str]:
    chosen, grid = tried.winner() or {}, GRIDS[tried.grid]
    best, plain = (tried.qualities(one) for one in (chosen, DEFAULTS[tried.grid]))
    means = [f"{np.mean(one):.2f}" if one else "–" for one in (best, plain)]
    trainings = str(len(grid.models(tried.settings())))
    shown = ", ".join(f"{name} {value}" for name, value in chosen.items())
    return [tried.dataset, tried.grid, shown, *means, trainings, str(len(best or [])), _sample(tried)]


def _sample(tried: Tried) -> str:
    amounts = [row["amount"] for row in tried.trials if row["dataset"] == tried.dataset]
    return "–" if amounts[-1] is None else f"{amounts[-1]:,g}"
