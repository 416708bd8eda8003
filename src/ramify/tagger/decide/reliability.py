"""How far probabilities are from the frequencies of what they predict.

ECE = Σ_b n_b / n · |mean probability in b - share of true labels in b|        b: bins of equal numbers of predictions

Mahdi Pakdaman Naeini, Gregory Cooper, Milos Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning,
AAAI 2015 (there with bins of equal width, of which nearly all predictions of many labels would share the first).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.checks import COUNT
from ramify.values import Bool, Float64, Int64


@dataclass(frozen=True)
class Reliability:
    """Probabilities beside frequencies, in bins of ascending probability.

    Parameters
    ----------
    counts : int64 array, shape (bins,)
        Predictions in each bin.
    predicted, true : float64 arrays, shape (bins,)
        Mean probability, and share of true labels.
    """

    counts: Int64
    predicted: Float64
    true: Float64

    @property
    def ece(self) -> float:
        """Expected calibration error, 0..1; NaN without predictions."""
        if not self.counts.sum():
            return float("nan")
        return float(np.average(np.abs(self.predicted - self.true), weights=self.counts))


def reliability(probabilities: Float64, hits: Bool, bins: int = 20) -> Reliability:
    """Compare probabilities of predictions with which of them are true.

    Parameters
    ----------
    probabilities : float array, any shape
    hits : bool array, same shape
    bins : int, default 20
        Bins of equal numbers of predictions; equal probabilities are never in different bins.
    """
    bins = COUNT.check("bins", bins)
    p, y = np.ravel(probabilities).astype(np.float64), np.ravel(hits)
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    if not len(p):
        return Reliability(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    inner = np.linspace(0, len(p), bins + 1)[:-1].astype(np.int64)
    starts = np.unique(np.searchsorted(p, p[inner]))
    counts = np.diff(np.append(starts, len(p)))
    sums = (np.add.reduceat(values.astype(np.float64), starts) for values in (p, y))
    predicted, true = (total / counts for total in sums)
    return Reliability(counts, predicted, true)
