"""How good the answers are: ramify's own evaluation for everyone, with intervals; and pairs of systems.

Intervals and pairs are those of ramify's ``evaluate`` and ``compare`` (a test holds them together), made of the few
measures that the race shows: resampling all measures of all groups of labels takes minutes on the larger sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from racing.matrices import Matrices

KS = (1, 3, 5)
FAMILIES = ("P", "nDCG", "PSP")
MEASURES = tuple(f"{family}@{k}" for family in FAMILIES for k in KS)
RESAMPLES = 1_000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What each document that counts adds to each measure: the ratio of the sums; both (documents, measures)."""

    numerators: Floats
    denominators: Floats

    def under(self, weights: Floats) -> Floats:
        """The measures when documents count so often: (resamples, documents) -> (resamples, measures)."""
        ratios: Floats = (weights @ self.numerators) / (weights @ self.denominators)
        return ratios


def read_answers(matrices: Matrices, path: Path) -> Answers:
    """A contestant's answers, judged."""
    from ramify import TopK

    found = np.load(path)
    return judged(matrices, TopK(found["labels"], found["scores"]))


def judged(matrices: Matrices, top: Any) -> Answers:
    """Answers to the test documents, a ``TopK``, judged."""
    from ramify import evaluate

    report = evaluate(matrices.Y_test, top, Y_train=matrices.Y, ks=KS)
    numerators, denominators = zip(*(report.contributions(name) for name in MEASURES), strict=True)
    counted = report.measured.counted
    return Answers(np.column_stack(numerators)[counted], np.column_stack(denominators)[counted])


def measures(answers: Answers) -> dict[str, list[float]]:
    """Measure -> [value, low, high] in percent, 95% over resampled documents."""
    from ramify.evaluation.bootstrap import intervals

    estimate, samples = _resampled([answers], np.ones(1))
    edges = intervals(samples)
    return {name: _percent(estimate[i], *edges[i]) for i, name in enumerate(MEASURES)}


def paired(peers: Sequence[Answers], own: Sequence[Answers]) -> dict[str, list[float]]:
    """Measure -> [own - peer, low, high, p] of two systems' mean measures over their runs; differences in percent.

    Every run of both is measured on the same resampled documents: a peer without a seed should not win or lose by one
    lucky run.
    """
    from ramify.evaluation.bootstrap import intervals, two_sided_p

    shares = np.concatenate([np.full(len(peers), -1 / len(peers)), np.full(len(own), 1 / len(own))])
    estimate, samples = _resampled([*peers, *own], shares)
    edges, p = intervals(samples), two_sided_p(samples)
    return {name: [*_percent(estimate[i], *edges[i]), round(float(p[i]), 4)] for i, name in enumerate(MEASURES)}


def _resampled(answers: Sequence[Answers], shares: Floats) -> tuple[Floats, Floats]:
    """The weighted sum of the answers' measures, and the same on resampled documents."""
    from ramify.evaluation.bootstrap import resamples

    def blended(weights: Floats) -> Floats:
        return np.tensordot(shares, np.array([one.under(weights) for one in answers]), axes=1)

    n = len(answers[0].numerators)
    samples = np.vstack([blended(weights) for weights in resamples(n, RESAMPLES, seed=0)])
    return blended(np.ones((1, n)))[0], samples


def _percent(*values: float) -> list[float]:
    return [round(100 * float(value), 3) for value in values]
