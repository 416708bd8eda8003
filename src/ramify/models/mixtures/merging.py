"""Merging of several rankings of the same labels: each entry gets a value, and values are averaged per label.

m members rank c candidates each. A candidate at rank r with score s has the share (PECOS; docs/papers.md)

average   s
rank      1 - (r - 1) / C                      C = ``candidates``; 0 for r > C
softmax   exp(s) / Σ exp(s')                   over the member's first C candidates
sigmoid   1 / (1 + exp(-s))
power     (v(s) / unit)^e                      v, unit and e of each member: ``Power``, as in ``Fusion``

The score of a label is the weighted mean of its shares over all members, with 0 for a member that does not rank it.
Ties are broken by the sum of C - r + 1 over the members, then by the smaller label id, because hinge scores saturate
at 1 and then only the ranks differ. Sums are computed in float64 in the order of the members, so that ``merge_one``
(dictionaries) and ``merge`` (two sorts) return identical values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ramify.values import Float32, Float64, Int32, Int64, TopK

UInt64 = npt.NDArray[np.uint64]

COMBINATIONS = ("average", "rank", "softmax", "sigmoid")
"""The rules without parameters of the members."""

POWER = "power"

BLOCK = 2**19
"""Number of candidates merged at a time; chosen so that the sort keys fit in the CPU cache."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_LAST = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, kw_only=True)
class Power:
    """Conversion of a member's scores s to values (v(s) / unit)^exponent, which are comparable among members.

    Parameters
    ----------
    scores : {"positive", "log", "margin"}
        "positive": v(s) = s, for scores from 0; "log": v(s) = exp(s), for scores up to 0; "margin": the sigmoid of s.
    unit : float
        v of a high score of the member, above 0.
    exponent : float, default 1
        Above 1, the best labels of a document differ more; below 1, less.
    """

    scores: str
    unit: float
    exponent: float = 1.0

    def values(self, scores: Float32) -> Float64:
        """The values; 0 for a score of -inf."""
        given = scores.astype(np.float64)
        values = np.maximum(given, 0) if self.scores == "positive" else np.exp(given)
        values = expit(given) if self.scores == "margin" else values
        values = np.where(np.isneginf(given), 0.0, values / self.unit)
        return values if self.exponent == 1 else np.power(values, self.exponent)


@dataclass(frozen=True, kw_only=True)
class Merger:
    """A rule for merging rankings.

    Parameters
    ----------
    combine : {"average", "rank", "softmax", "sigmoid", "power"}
        The rule.
    weights : float64 array, shape (m,)
        Weight of each member, above 0.
    candidates : int
        C of the rule; each member supplies at least C candidates.
    powers : tuple of Power, length m
        Conversion of the scores of each member, for the rule "power".
    """

    combine: str
    weights: Float64
    candidates: int
    powers: tuple[Power, ...] = ()

    def merge(self, labels: Int32, scores: Float32, k: int) -> TopK:
        """The k best labels of n instances.

        Parameters
        ----------
        labels : int32 array, shape (n, m, c)
            Candidates of each member, best first, filled with -1.
        scores : float32 array, shape (n, m, c)
            Scores of the candidates.
        k : int
            Labels per instance.
        """
        n, width = len(labels), labels.shape[1] * labels.shape[2]
        top = TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))
        step = max(1, BLOCK // width)
        for first in range(0, n, step):
            rows = slice(first, first + step)
            shares = self.shares(labels[rows], scores[rows]).reshape(-1, width)
            found, summed, places = self._sums(labels[rows].reshape(-1, width), shares, labels.shape[2])
            _select(found, summed, places, (top.labels[rows], top.scores[rows]))
        return top

    def merge_one(self, labels: Int32, scores: Float32, k: int) -> tuple[Int32, Float32]:
        """Like ``merge`` for one instance: from shape (m, c) to (1, k); faster than sorting arrays."""
        shares = self.shares(labels[None], scores[None])
        n_members, width = labels.shape
        sums: dict[int, float] = {}
        places: dict[int, int] = {}
        counts = self._counts(width) * n_members
        for label, share, count in zip(labels.ravel().tolist(), shares.ravel().tolist(), counts, strict=True):
            sums[label] = sums.get(label, 0.0) + share
            places[label] = places.get(label, 0) + count
        sums.pop(-1, None)
        places.pop(-1, None)
        found = np.fromiter(sums, np.int32, len(sums))
        summed = self.mean_of(np.fromiter(sums.values(), np.float64, len(sums)))
        ties = _tie_order(np.fromiter(places.values(), np.int64, len(sums)), labels.size)
        best = np.lexsort((found, ties, -summed))[:k]
        if len(best) == k:
            return found[best][None], summed[best][None]
        top = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
        top[0][0, : len(best)], top[1][0, : len(best)] = found[best], summed[best]
        return top

    @cached_property
    def _total_weight(self) -> float:
        return float(self.weights.sum())

    def shares(self, labels: Int32, scores: Float32) -> Float64:
        """Weighted share of each candidate, shape (n, m, c)."""
        if self.combine == POWER:
            shares = np.stack([power.values(scores[:, member]) for member, power in enumerate(self.powers)], axis=1)
            shares[labels < 0] = 0.0
        else:
            shares = _RULES[self.combine](labels, scores, self.candidates)
        shares *= self.weights[:, None]
        return shares

    def mean(self, members: list[Float32]) -> Float32:
        """Mean of the members' exact scores, for "average" or "sigmoid"; -inf if no member has a score."""
        total = np.zeros(members[0].shape, np.float64)
        for weight, scores in zip(self.weights.tolist(), members, strict=True):
            share = _no_less(scores) if self.combine == "average" else expit(scores.astype(np.float64))
            total += weight * share
        unscored = np.logical_and.reduce([np.isneginf(scores) for scores in members])
        mean: Float32 = np.where(unscored, np.float32(-np.inf), self.mean_of(total))
        return mean

    def mean_of(self, sums: Float64) -> Float32:
        """Weighted means from sums of shares."""
        mean: Float32 = (sums / self._total_weight + 0.0).astype(
            np.float32
        )  # + 0.0 turns -0.0 into 0.0, so that both tie
        return mean

    def _counts(self, width: int) -> list[int]:
        """C - r + 1 for the ranks of one member; 0 for r > C."""
        return [*range(self.candidates, max(self.candidates - width, 0), -1)] + [0] * (width - self.candidates)

    def _sums(self, labels: Int32, shares: Float64, width: int) -> tuple[Int32, Float32, Int64]:
        """Labels in ascending order with -1 at the end, mean shares, sums of ranks; ``width`` entries per member.

        The first entry of a label is kept; its repetitions become -1.
        """
        places = np.arange(labels.shape[1], dtype=np.uint64)
        key = (labels.view(np.uint32).astype(np.uint64) << _HALF) | places  # -1 sorts last
        key.sort(axis=1)
        place = (key & _LOW).astype(np.intp)
        share = np.take_along_axis(shares, place, axis=1)
        count = np.array(self._counts(width) * len(self.weights), np.int64)[place]
        label = (key >> _HALF).astype(np.uint32).view(np.int32)
        total, counted = share.copy(), count.copy()
        for step in range(1, len(self.weights)):  # a label has one entry per member at most
            alike = label[:, step:] == label[:, :-step]
            total[:, :-step] += share[:, step:] * alike
            counted[:, :-step] += count[:, step:] * alike
        repeated = label[:, 1:] == label[:, :-1]
        label[:, 1:][repeated] = -1
        return label, self.mean_of(total), counted


def _tie_order(counted: Int64, width: int) -> Int64:
    """Tie-breaking key, smaller first; low bits are dropped for widths above 2**15, to fit a 64-bit sort key."""
    return (width - counted) >> max(0, 2 * (width - 1).bit_length() + 1 - 32)


def _select(labels: Int32, scores: Float32, counted: Int64, out: tuple[Int32, Float32]) -> None:
    """Write the best entries by score, then sum of ranks, then label; the rows are sorted by label."""
    out_labels, out_scores = out
    width = labels.shape[1]
    place_bits = (width - 1).bit_length()
    bits = scores.view(np.uint32)
    descending = np.where(bits >> np.uint32(31), bits, ~bits & np.uint32(0x7FFFFFFF))
    descending[labels < 0] = _LAST
    ties = _tie_order(counted, width).astype(np.uint64) << np.uint64(place_bits)
    key: UInt64 = (descending.astype(np.uint64) << _HALF) | ties | np.arange(width, dtype=np.uint64)
    k = min(out_labels.shape[1], width)
    if k < width:
        key.partition(k - 1, axis=1)
    key = np.sort(key[:, :k], axis=1)
    known = (key >> _HALF) != _LAST
    places = (key & np.uint64(2**place_bits - 1)).astype(np.intp)
    out_labels[:, :k] = np.where(known, np.take_along_axis(labels, places, axis=1), -1)
    out_scores[:, :k] = np.where(known, np.take_along_axis(scores, places, axis=1), -np.inf)


def _no_less(scores: Float32) -> Float64:
    return np.where(np.isneginf(scores), 0.0, scores.astype(np.float64))


def _average(labels: Int32, scores: Float32, candidates: int) -> Float64:
    return np.where(labels < 0, 0.0, scores.astype(np.float64))


def _rank(labels: Int32, scores: Float32, candidates: int) -> Float64:
    counts = np.maximum(1.0 - np.arange(labels.shape[-1]) / candidates, 0.0)
    return np.where(labels < 0, 0.0, counts)


def _softmax(labels: Int32, scores: Float32, candidates: int) -> Float64:
    known = np.where(labels < 0, -np.inf, scores.astype(np.float64))
    best = np.where(np.isneginf(known[..., :1]), 0.0, known[..., :1])
    shares: Float64 = np.exp(known - best)
    shares /= np.maximum(shares[..., :candidates].sum(axis=-1, keepdims=True), 1e-300)
    return shares


def _sigmoid(labels: Int32, scores: Float32, candidates: int) -> Float64:
    return np.where(labels < 0, 0.0, expit(scores.astype(np.float64)))


_RULES: dict[str, Callable[[Int32, Float32, int], Float64]] = {
    "average": _average,
    "rank": _rank,
    "softmax": _softmax,
    "sigmoid": _sigmoid,
}
