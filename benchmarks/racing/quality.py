"""How good the answers are: the same measures of ramify's own evaluation for everyone, with intervals; and pairs."""

from __future__ import annotations

from collections.abc import Sequence
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


def paired(matrices: Matrices, peers: Sequence[Any], own: Sequence[Any]) -> dict[str, list[float]]:
    """Measure -> [own - peer, low, high, p] of two systems' mean measures over their runs; differences in percent.

    The paired bootstrap of ramify's ``compare``, with every run of both on the same resampled documents: a peer
    without a seed should not win or lose by one lucky run.
    """
    from ramify import evaluate
    from ramify.evaluation.bootstrap import intervals, replicates, two_sided_p

    reports = [evaluate(matrices.Y_test, top, Y_train=matrices.Y, ks=KS) for top in (*peers, *own)]
    names = reports[0].measured.names
    sides = [np.full(len(peers), -1 / len(peers)), np.full(len(own), 1 / len(own))]
    signs = np.concatenate(sides)[:, None]
    estimate = (signs * np.array([report.measured.estimate for report in reports])).sum(axis=0)
    samples = replicates([report.measured for report in reports], RESAMPLES, seed=0)
    differences = np.tensordot(signs[:, 0], np.array(samples), axes=1)
    edges, p = intervals(differences), two_sided_p(differences)
    at = {name: names.index(name) for name in MEASURES}
    return {name: [*_percent(estimate[i], *edges[i]), round(float(p[i]), 4)] for name, i in at.items()}


def _percent(*values: float) -> list[float]:
    return [round(100 * float(value), 3) for value in values]
