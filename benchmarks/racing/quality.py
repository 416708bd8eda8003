"""How good the answers are: the same measures of ramify's own evaluation for everyone, with intervals; and pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from racing.matrices import Matrices

KS = (1, 3, 5)
FAMILIES = ("P", "nDCG", "PSP")
MEASURES = tuple(f"{family}@{k}" for family in FAMILIES for k in KS)
RESAMPLES = 1_000


def read_top(path: Path) -> Any:
    """A contestant's answers as ramify's TopK."""
    from ramify import TopK

    found = np.load(path)
    return TopK(found["labels"], found["scores"])


def measures(matrices: Matrices, top: Any) -> dict[str, list[float]]:
    """Measure -> [value, low, high] in percent, 95% over resampled documents."""
    from ramify import evaluate

    report = evaluate(matrices.Y_test, top, Y_train=matrices.Y, ks=KS, bootstrap=RESAMPLES)
    return {name: _percent(report[name], *report.intervals[name]) for name in MEASURES}


def paired(matrices: Matrices, peer: Any, own: Any) -> dict[str, list[float]]:
    """Measure -> [own - peer, low, high, p] by a paired bootstrap; differences in percent."""
    from ramify import compare

    found = compare(matrices.Y_test, peer, own, Y_train=matrices.Y, ks=KS, bootstrap=RESAMPLES)
    return {
        name: [*_percent(found[name].difference, found[name].low, found[name].high), found[name].p] for name in MEASURES
    }


def _percent(*values: float) -> list[float]:
    return [round(100 * float(value), 3) for value in values]
