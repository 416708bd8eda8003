"""Intervals and comparisons by resampling the test documents.

Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapters 13 and 16. A resample is a vector with the number of
times that each document is drawn. Every measure is a function of such weights, so a block of resamples is a matrix
product. Two
predictions are compared on the same resamples (paired).

Measures over labels (macro F1, coverage) are lower in a resample than in the data, because a resample contains
fewer distinct documents per label. Their replicates are shifted so that their mean is the measured value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ramify.evaluation.measured import Measured
from ramify.values import Bool, Float64

LEVEL = 0.95
"""Share of the replicates inside an interval."""
_BLOCK_CELLS = 1 << 22  # of the weight matrix: 32 MiB, whatever the number of documents


def resamples(n: int, times: int, seed: int) -> Iterator[Float64]:
    """Blocks of weights, shape (b, n): counts of each document in n draws with replacement."""
    generator = np.random.default_rng(seed)
    block = int(np.clip(_BLOCK_CELLS // n, 1, 128))
    for start in range(0, times, block):
        weights = np.empty((min(block, times - start), n))
        for row in weights:
            row[:] = np.bincount(generator.integers(0, n, size=n, dtype=np.int64), minlength=n)
        yield weights


def replicates(measured: Sequence[Measured], times: int, seed: int) -> list[Float64]:
    """Per prediction its measures on the same ``times`` resamples, shape (times, measures) each."""
    blocks = [[one.under(weights) for one in measured] for weights in resamples(measured[0].n_counted, times, seed)]
    return [np.vstack(parts) for parts in zip(*blocks, strict=True)]


def centred(samples: Float64, estimate: Float64, over_labels: Bool) -> Float64:
    """Replicates with the columns of measures over labels shifted so that their mean is the estimate."""
    shift = np.zeros(len(estimate))
    for column in np.flatnonzero(over_labels & ~np.isnan(samples).all(axis=0)):
        shift[column] = estimate[column] - np.nanmean(samples[:, column])
    return samples + shift


def intervals(samples: Float64) -> Float64:
    """Percentile interval of each column, shape (measures, 2); NaN replicates are left out."""
    bounds = np.full((samples.shape[1], 2), np.nan)
    edges = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    for column in np.flatnonzero(~np.isnan(samples).all(axis=0)):
        bounds[column] = np.nanquantile(samples[:, column], edges)
    return bounds


def two_sided_p(differences: Float64) -> Float64:
    """Twice the share of differences on the other side of zero, per column; 1 if all differences are 0."""
    defined = ~np.isnan(differences)
    not_above = ((differences <= 0) & defined).sum(axis=0)
    not_below = ((differences >= 0) & defined).sum(axis=0)
    p = 2 * (np.minimum(not_above, not_below) + 1) / (defined.sum(axis=0) + 1)
    return np.where(defined.any(axis=0), np.minimum(p, 1.0), np.nan)
