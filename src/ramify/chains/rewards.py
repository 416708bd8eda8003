"""What an action of a chain is worth to a policy (PAPERS §6b): the gain of a measure by emitting this label, or STOP.

All take ``hits``, shape (n, steps): 1 where the label emitted is right, 0 where it is wrong, for STOP and after
the end; ``emits``, shape (n, steps): 1 where a label is emitted; and ``n_true``, shape (n,): how many labels are
right. All give rewards of shape (n, steps). Summed over a sequence they are the measure of the whole.
"""

from __future__ import annotations

import numpy as np

from ramify.values import Float64


def set_f1_gain(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """By how much the F1 of the labels so far against the true ones rises."""
    f1 = 2 * np.cumsum(hits, axis=1) / np.maximum(1, np.cumsum(emits, axis=1) + n_true[:, None])
    return np.diff(f1, axis=1, prepend=0)


def dcg_gain(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """Share of the best attainable DCG that the label brings at its place; nothing is lost by emitting too many."""
    discounts = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    attainable = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(max(1, int(n_true.max(initial=1)))) + 2))])
    gains: Float64 = hits * discounts / np.maximum(1e-9, attainable[n_true.astype(int)])[:, None]
    return gains


def exact_match(hits: Float64, emits: Float64, n_true: Float64) -> Float64:
    """1 for the last label or the STOP that makes the set as it should be, at the end of the sequence."""
    right = (hits.sum(axis=1) == n_true) & (emits.sum(axis=1) == n_true)
    last = np.minimum(emits.sum(axis=1).astype(int), hits.shape[1] - 1)
    rewards = np.zeros_like(hits, dtype=np.float64)
    rewards[np.arange(len(hits)), last] = right
    return rewards


REWARDS = {"set-f1": set_f1_gain, "dcg": dcg_gain, "exact-match": exact_match}
