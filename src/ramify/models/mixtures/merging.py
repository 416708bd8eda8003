"""Several rankings of the same labels made one: what a place in a ranking counts, and the sum of it per label.

m members rank c candidates each. A member's candidate at rank r with score s has the share (PECOS; docs/papers.md)

average   s
rank      1 - (r - 1) / C                      C the candidates of a member; 0 beyond
softmax   exp(s) / Σ exp(s')                   over the member's first C candidates
sigmoid   1 / (1 + exp(-s))

and a label's score is the weighted mean of its shares over all members; a member that does not name it adds 0.
Ties are broken by the sum of C - r + 1 over the members, then by the smaller label id: scores of hinges saturate at 1,
where only ranks still tell what a member knows. All sums run in float64 and in the order of the members, so that an
instance gets the same bits alone (dictionaries) and among others (two sorts).
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

BLOCK = 2**19
"""Candidates merged at a time: the keys of a block stay in the cache."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_LAST = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, kw_only=True)
class Merger:
    """Merges rankings by one rule.

    Parameters
    ----------
    combine : {"average", "rank", "softmax", "sigmoid"}
        The rule.
    weights : float64 array, shape (m,)
        Say of each member, above 0.
    candidates : int
        C of the rule; at least as many are given per member.
    """

    combine: str
    weights: Float64
    candidates: int

    def merge(self, labels: Int32, scores: Float32, k: int) -> TopK:
        """The k best labels of n instances.

        Parameters
        ----------
        labels : int32 array, shape (n, m, c)
            Candidates of each member, best first; -1 fills.
        scores : float32 array, shape (n, m, c)
            Their scores.
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
        """The same for one instance: labels and scores of shape (m, c) give (1, k). Quicker than sorting arrays."""
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
        summed = self._mean(np.fromiter(sums.values(), np.float64, len(sums)))
        ties = _tie_order(np.fromiter(places.values(), np.int64, len(sums)), labels.size)
        best = np.lexsort((found, ties, -summed))[:k]
        if len(best) == k:
            return found[best][None], summed[best][None]
        top = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
        top[0][0, : len(best)], top[1][0, : len(best)] = found[best], summed[best]
        return top

    @cached_property
    def _say(self) -> float:
        return float(self.weights.sum())

    def shares(self, labels: Int32, scores: Float32) -> Float64:
        """What each candidate counts, weighted; shape (n, m, c)."""
        shares = _RULES[self.combine](labels, scores, self.candidates)
        shares *= self.weights[:, None]
        return shares

    def mean(self, members: list[Float32]) -> Float32:
        """Exact scores of the members for the same pairs, by "average" or "sigmoid"; -inf where no member knows one."""
        total = np.zeros(members[0].shape, np.float64)
        for weight, scores in zip(self.weights.tolist(), members, strict=True):
            share = _no_less(scores) if self.combine == "average" else expit(scores.astype(np.float64))
            total += weight * share
        nobody = np.logical_and.reduce([np.isneginf(scores) for scores in members])
        mean: Float32 = np.where(nobody, np.float32(-np.inf), self._mean(total))
        return mean

    def _mean(self, sums: Float64) -> Float32:
        mean: Float32 = (sums / self._say + 0.0).astype(np.float32)  # no -0.0: it would not tie with 0.0
        return mean

    def _counts(self, width: int) -> list[int]:
        """C - r + 1 of the ranks of one member, 0 beyond C."""
        return [*range(self.candidates, max(self.candidates - width, 0), -1)] + [0] * (width - self.candidates)

    def _sums(self, labels: Int32, shares: Float64, width: int) -> tuple[Int32, Float32, Int64]:
        """Labels in ascending order with -1 at the end, mean shares, sums of ranks; ``width`` entries per member.

        Of a label's entries only the first counts; others become -1, too.
        """
        places = np.arange(labels.shape[1], dtype=np.uint64)
        key = (labels.view(np.uint32).astype(np.uint64) << _HALF) | places  # -1 comes last
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
        return label, self._mean(total), counted


def _tie_order(counted: Int64, width: int) -> Int64:
    """What decides ties, the least first; it loses bits where a score and a place leave too few of 64, above 2**15."""
    return (width - counted) >> max(0, 2 * (width - 1).bit_length() + 1 - 32)


def _select(labels: Int32, scores: Float32, counted: Int64, out: tuple[Int32, Float32]) -> None:
    """The best by score, then by sum of ranks, then by label, of rows in ascending order of labels."""
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
