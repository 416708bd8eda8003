"""Rewards of a chain's actions: how much a measure gains by emitting a label or STOP.

All functions take ``hits``, shape (n, steps): 1 where the emitted label is correct, 0 where it is wrong, for STOP and
after the end; ``emits``, shape (n, steps): 1 where a label is emitted; and ``n_true``, shape (n,): the number of true
labels. They return rewards of shape (n, steps), whose sum over a sequence is the measure of the whole sequence.
"""

from __future__ import annotations

import numpy as np

from ramify.values import Float64


def set_f1_gain(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """Increase of the F1 of the labels emitted so far."""
    f1 = 2 * np.cumsum(hits, axis=1) / np.maximum(1, np.cumsum(emits, axis=1) + n_true[:, None])
    return np.diff(f1, axis=1, prepend=0)


def dcg_gain(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """DCG of the label at its place, divided by the largest attainable DCG; wrong labels cost nothing."""
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    attainable = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(max(1, int(n_true.max(initial=1)))) + 2))])
    gains: Float64 = hits * discounts / np.maximum(1e-9, attainable[n_true.astype(int)])[:, None]
    return gains


def exact_match(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """1 for the last action of a sequence whose label set is exactly correct, else 0."""
    right = (hits.sum(axis=1) == n_true) & (emits.sum(axis=1) == n_true)
    last = np.minimum(emits.sum(axis=1).astype(int), hits.shape[1] - 1)
    rewards = np.zeros_like(hits, dtype=np.float64)
    rewards[np.arange(len(hits)), last] = right
    return rewards


REWARDS = {"dcg": dcg_gain, "set-f1": set_f1_gain, "exact-match": exact_match}
