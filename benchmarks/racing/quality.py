"""Quality of answers by ramify's own evaluation: measures of one run, and differences of two systems over their runs.

The interval of one run and the difference of two single runs are those of ramify's ``evaluate`` and ``compare`` (see
the tests), for the few measures that the race shows: resampling all measures takes minutes on the larger sets.

Differences of several runs: a resample draws n of the n test documents with replacement, the same ones for every run,
and independently r - 1 of the r runs of each system with replacement, because the runs are a sample of all seeds. With
r - 1 draws the variance of a resampled mean over runs is the unbiased estimate s²/r (Rao, Wu: Resampling inference with
complex survey data, JASA 83, 1988); r draws would give s²(r - 1)/r². With a single run (r = 1), only the documents are
resampled.
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
SCHEME = "documents and runs"  # part of a comparison's key: rows of another scheme are computed again
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

    estimate, samples = _per_run([answers])[0], _resampled([answers])[:, 0]
    edges = intervals(samples)
    return {name: _percent(estimate[i], *edges[i]) for i, name in enumerate(MEASURES)}


def paired(peers: Sequence[Answers], own: Sequence[Answers], *, runs_in_pairs: bool = False) -> dict[str, list[float]]:
    """Compare the mean measures of two systems over their runs.

    Parameters
    ----------
    peers, own : sequences of Answers
        The runs of each system, on the same test documents.
    runs_in_pairs : bool, default False
        Run i of both systems shares its seed or its first tree: the same runs of both are drawn.

    Returns
    -------
    dict of str to list of float
        Measure -> [own - peer, low, high, p]: differences in percent, 95% interval and two-sided p over the resamples
        described above.
    """
    values = _resampled([*peers, *own])
    samples = differences(values, len(peers), runs_in_pairs=runs_in_pairs)
    return tested(MEASURES, _per_run(own).mean(axis=0) - _per_run(peers).mean(axis=0), samples)


def differences(values: Floats, n_peers: int, *, runs_in_pairs: bool) -> Floats:
    """Resampled mean of the other runs minus that of the peers' runs, shape (resamples, measures).

    Parameters
    ----------
    values : float64 array, shape (resamples, runs, measures)
        Measures of each run on the same resampled documents; the peers' runs come first.
    n_peers : int
        Runs of the peer.
    runs_in_pairs : bool
        As in ``paired``.
    """
    n_own = values.shape[1] - n_peers
    if runs_in_pairs and n_peers != n_own:
        raise ValueError(f"runs in pairs need equally many of both: {n_peers} and {n_own}")
    rng = np.random.default_rng(1)
    drawn = _drawn_runs(n_own, rng)
    drawn_peers = drawn if runs_in_pairs else _drawn_runs(n_peers, rng)
    found: Floats = np.einsum("br,brm->bm", np.hstack([-drawn_peers, drawn]), values)
    return found


def tested(names: Sequence[str], estimate: Floats, samples: Floats) -> dict[str, list[float]]:
    """Measure -> [difference, low, high, p], in percent, from its resamples."""
    from ramify.evaluation.bootstrap import intervals, two_sided_p

    edges, p = intervals(samples), two_sided_p(samples)
    return {name: [*_percent(estimate[i], *edges[i]), round(float(p[i]), 4)] for i, name in enumerate(names)}


def _drawn_runs(runs: int, rng: np.random.Generator) -> Floats:
    """The share of each run in each resample, shape (resamples, runs); rows add up to 1."""
    draws = max(runs - 1, 1)
    shares: Floats = rng.multinomial(draws, np.full(runs, 1 / runs), size=RESAMPLES) / draws
    return shares


def _per_run(answers: Sequence[Answers]) -> Floats:
    """The measures of each run, shape (runs, measures)."""
    everyone = np.ones((1, len(answers[0].numerators)))
    return np.vstack([one.under(everyone) for one in answers])


def _resampled(answers: Sequence[Answers]) -> Floats:
    """The measures of each run on the same resampled documents, shape (resamples, runs, measures)."""
    from ramify.evaluation.bootstrap import resamples

    n = len(answers[0].numerators)
    blocks = [[one.under(weights) for one in answers] for weights in resamples(n, RESAMPLES, seed=0)]
    return np.concatenate([np.stack(block, axis=1) for block in blocks])


def _percent(*values: float) -> list[float]:
    return [round(100 * float(value), 3) for value in values]
