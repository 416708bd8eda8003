"""Weights and exponents of a fusion, chosen on documents that the members were not trained on.

score(l) = Σ_m w_m · v_m(l)^e_m       v_m(l): score of label l by member m, made comparable; 0 if m does not rank l

The quality (nDCG@10, or the mean F1 of the first five labels) does not change continuously with w and e. It is climbed
coordinate by coordinate: a weight or an exponent is multiplied or divided by a step, or a weight is set to 0, wherever
this raises the quality; the step becomes smaller from round to round. The climb begins at equal weights and at the best
member alone, so that the result is never worse than either on these documents. Nothing is drawn at random, and sums run
in a fixed order.

Members and parameters are kept only if they pay on documents that they were not fitted on: the documents are divided
into two halves, each half is ranked with the parameters of the other one, and

1. the member that adds least is left out, as long as it adds less than ``PRICE``;
2. equal weights, or the best member alone, are used if they are at least as good as the fitted parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ramify.models.mixtures.merging import Power
from ramify.values import CSR, Bool, Float32, Float64, Int32, Int64

NDCG, F1 = "ndcg", "f1"
MEASURES = (NDCG, F1)
CUTS = {NDCG: 10, F1: 5}
"""Number of first labels that a measure takes."""

FEWEST = 100
"""Documents from which parameters are fitted; with fewer, the members have equal weights."""

PRICE = 0.0005
"""Quality that a member must add on documents that the parameters were not fitted on: 0.05 points."""

LEAST_GAIN = 1e-5
"""Gain on the fitting documents from which a step is taken."""

STEPS = (4.0, 2.0, 1.4, 1.15)
LOWEST, HIGHEST = 0.125, 8.0
"""Limits of the exponents."""

HIGH = 0.99
"""Quantile of the best scores of the documents that is the unit of a member's scores."""

TAKEN = 20
"""Number of first labels of each member that the fit takes."""

MOST_KEPT = 24
"""Arrays of powers that are kept."""


def power_of(labels: Int32, scores: Float32) -> Power:
    """The conversion of a member's scores, shape (n, c), with exponent 1, by the range of the scores."""
    known = scores[(labels >= 0) & np.isfinite(scores)].astype(np.float64)
    if len(known) == 0:
        return Power(scores="positive", unit=1.0)
    kind = "positive" if known.min() >= 0 else "log" if known.max() <= 0 else "margin"
    best = np.where(labels[:, :1] >= 0, scores[:, :1], -np.inf)[:, 0]
    values = Power(scores=kind, unit=1.0).values(best[np.isfinite(best)])
    unit = float(np.quantile(values, HIGH)) if len(values) else 1.0
    return Power(scores=kind, unit=unit if unit > 0 and np.isfinite(unit) else 1.0)


@dataclass(frozen=True)
class Parameters:
    """Weights, shape (m,), 0 for a member without a part in the score, and exponents, shape (m,)."""

    weights: tuple[float, ...]
    exponents: tuple[float, ...]

    @classmethod
    def equal(cls, members: Sequence[int], m: int) -> Parameters:
        """Equal weights for some of m members."""
        return cls(tuple(1.0 / len(members) if number in members else 0.0 for number in range(m)), (1.0,) * m)

    @property
    def used(self) -> list[int]:
        """Members with a weight above 0."""
        return [number for number, weight in enumerate(self.weights) if weight > 0]

    def scaled(self) -> Parameters:
        """The same with weights that sum to 1."""
        total = sum(self.weights)
        return replace(self, weights=tuple(weight / total for weight in self.weights))

    def neighbours(self, member: int, step: float) -> list[Parameters]:
        """The parameters with another weight or exponent of one member."""
        weight, exponent = self.weights[member], self.exponents[member]
        mean = sum(self.weights) / len(self.used)
        weights = [weight * step, weight / step, 0.0] if weight > 0 else [mean / step, mean / step**2]
        exponents = [power for power in (exponent * step**0.5, exponent / step**0.5) if LOWEST <= power <= HIGHEST]
        found = [replace(self, weights=_put(self.weights, member, one)) for one in weights]
        found = [one for one in found if one.used]
        if weight > 0 and len(self.used) > 1:  # an exponent does not change the order of a member alone
            found += [replace(self, exponents=_put(self.exponents, member, one)) for one in exponents]
        return found


def _put(values: tuple[float, ...], place: int, value: float) -> tuple[float, ...]:
    return (*values[:place], value, *values[place + 1 :])


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The labels that any member ranks for each document: at most u of them.

    Parameters
    ----------
    values : float64 array, shape (m, n, u)
        Comparable values; 0 where a member does not rank a label.
    known : bool array, shape (m, n, u)
        Whether the member ranks the label.
    rows, places : int64 arrays, shape (hits,)
        Document and place of the candidates that are true labels.
    most : float64 array, shape (n,)
        The number that the gains of a document are divided by.
    measure : {"ndcg", "f1"}
        The quality.
    """

    values: Float64
    known: Bool
    rows: Int64
    places: Int64
    most: Float64
    measure: str
    _powers: dict[tuple[int, float], Float64] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Int32, values: Float64, Y: CSR, measure: str) -> Candidates:
        """From the rankings of n documents by m members, shapes (n, m, c), and the true labels, shape (n, L)."""
        labels, values = labels[:, :, :TAKEN], values[:, :, :TAKEN]
        n, m, c = labels.shape
        flat = labels.reshape(n, m * c)
        order = np.argsort(np.where(flat < 0, np.iinfo(np.int32).max, flat), axis=1, kind="stable")
        ordered = np.take_along_axis(flat, order, axis=1)
        first = np.ones_like(ordered, bool)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        first &= ordered >= 0
        place = np.cumsum(first, axis=1) - 1
        rows, entries = np.nonzero(ordered >= 0)
        slots, member = place[rows, entries], order[rows, entries] // c
        width = int(place.max()) + 1 if len(rows) else 1
        table, known = np.zeros((m, n, width)), np.zeros((m, n, width), bool)
        table[member, rows, slots] = values.reshape(n, m * c)[rows, order[rows, entries]]
        known[member, rows, slots] = True
        label = np.full((n, width), -1, np.int64)
        label[rows, slots] = ordered[rows, entries]
        true = _is_true(Y, label)
        hit_rows, places = np.nonzero(true)
        return cls(
            values=table,
            known=known,
            rows=hit_rows,
            places=places,
            most=_most(np.diff(Y.indptr), measure),
            measure=measure,
        )

    @property
    def n_members(self) -> int:
        """Number m of members."""
        return len(self.values)

    def __len__(self) -> int:
        return len(self.most)

    def take(self, chosen: Bool) -> Candidates:
        """Some of the documents, by a mask."""
        number = np.cumsum(chosen) - 1
        kept = chosen[self.rows]
        return Candidates(
            values=self.values[:, chosen],
            known=self.known[:, chosen],
            rows=number[self.rows[kept]],
            places=self.places[kept],
            most=self.most[chosen],
            measure=self.measure,
        )

    def quality(self, parameters: Parameters) -> float:
        """Mean quality of the documents."""
        return float(self.qualities(parameters).mean())

    def qualities(self, parameters: Parameters) -> Float64:
        """Quality of each document, shape (n,); labels of equal scores are in the order of their ids."""
        score: Any = np.zeros_like(self.values[0])
        known: Any = np.zeros_like(self.known[0])
        for member in parameters.used:
            score += parameters.weights[member] * self._power(member, parameters.exponents[member])
            known |= self.known[member]
        score[~known] = -1.0
        own = score[self.rows, self.places]
        others = score[self.rows]
        before = np.arange(score.shape[1]) < self.places[:, None]
        rank = (others > own[:, None]).sum(axis=1) + ((others == own[:, None]) & before).sum(axis=1)
        found = (own >= 0) & (rank < CUTS[self.measure])
        gain = 1.0 / np.log2(rank + 2.0) if self.measure == NDCG else np.ones(len(rank))
        gained: Any = np.bincount(self.rows, np.where(found, gain, 0.0), len(self))
        quality: Float64 = np.divide(gained, self.most)
        return quality

    def _power(self, member: int, exponent: float) -> Float64:
        if exponent == 1:
            plain: Float64 = self.values[member]
            return plain
        key = member, exponent
        if key not in self._powers:
            if len(self._powers) >= MOST_KEPT:
                self._powers.clear()
            powers: Float64 = np.power(self.values[member], exponent)
            self._powers[key] = powers
        return self._powers[key]


def _most(n_true: Int64, measure: str) -> Float64:
    """The largest gain of a document by its number of true labels, for F1 the mean of this number and the cut."""
    cut = CUTS[measure]
    if measure == F1:
        sizes: Float64 = (cut + np.maximum(n_true, 1)) / 2
        return sizes
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(cut) + 2.0))])
    most: Float64 = np.maximum(discounts[np.minimum(n_true, cut)], discounts[1])
    return most


def _is_true(Y: CSR, label: Int64) -> Bool:
    """Whether candidates, shape (n, u), -1 for none, are true labels."""
    n_labels = Y.shape[1]
    truth = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr)) * np.int64(n_labels) + Y.indices
    keys = np.where(label < 0, -1, np.arange(len(label))[:, None] * np.int64(n_labels) + label)
    return np.isin(keys, truth)


def climb(
    candidates: Candidates, start: Parameters, members: Sequence[int], steps: Sequence[float] = STEPS
) -> tuple[Parameters, float]:
    """The parameters of some members that no step from the start improves, and their quality."""
    best, quality = start, candidates.quality(start)
    for step in steps:
        improved = True
        while improved:
            improved = False
            for member in members:
                for other in best.neighbours(member, step):
                    reached = candidates.quality(other)
                    if reached > quality + LEAST_GAIN:
                        best, quality, improved = other, reached, True
    return best.scaled(), quality


def fitted(
    candidates: Candidates, members: Sequence[int], known: Parameters | None = None, steps: Sequence[float] = STEPS
) -> Parameters:
    """The best parameters of some members that a climb reaches.

    Parameters
    ----------
    candidates : Candidates
        The documents.
    members : sequence of int
        Members that may be used.
    known : Parameters, optional
        Where the climb begins; at equal weights and at the best member alone when None.
    steps : sequence of float
        Steps of the climb.
    """
    m = candidates.n_members
    alone = [Parameters.equal([member], m) for member in members]
    best = max(alone, key=candidates.quality)
    starts = [Parameters.equal(members, m), best] if known is None or not known.used else [known]
    reached = [climb(candidates, start, members, steps) for start in starts]
    return max([*reached, (best, candidates.quality(best))], key=lambda one: one[1])[0]


def without(parameters: Parameters, member: int) -> Parameters:
    """The parameters without one member."""
    left = replace(parameters, weights=_put(parameters.weights, member, 0.0))
    return left.scaled() if left.used else left


class Halves:
    """Qualities of documents under parameters that were fitted on the other half.

    Parameters
    ----------
    candidates : Candidates
        The documents; even and odd ones are the halves.
    """

    def __init__(self, candidates: Candidates) -> None:
        self.even = np.arange(len(candidates)) % 2 == 0
        self.parts = [candidates.take(self.even), candidates.take(~self.even)]
        self._fits: dict[tuple[int, ...], list[Parameters]] = {}

    def qualities(self, members: Sequence[int]) -> Float64:
        """Quality of each document, shape (n,), with the given members only."""
        fits = self._fitted(tuple(members))
        found = np.empty(len(self.even))
        found[self.even] = self.parts[0].qualities(fits[1])
        found[~self.even] = self.parts[1].qualities(fits[0])
        return found

    def _fitted(self, members: tuple[int, ...]) -> list[Parameters]:
        if members not in self._fits:
            self._fits[members] = [
                fitted(part, members, self._near(members, half), STEPS[:-1]) for half, part in enumerate(self.parts)
            ]
        return self._fits[members]

    def _near(self, members: tuple[int, ...], half: int) -> Parameters | None:
        """The fit with one more member, without it."""
        for larger, fits in self._fits.items():
            left_out = set(larger) - set(members)
            if len(left_out) == 1 and len(larger) == len(members) + 1:
                return without(fits[half], left_out.pop())
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The result of a fit.

    Parameters
    ----------
    parameters : Parameters
        Weights and exponents.
    how : {"fitted", "equal", "best member"}
        The parameters that were chosen.
    qualities : float64 array, shape (n,)
        Quality of each document, with parameters that were not fitted on it; for "best member", with the member that is
        the best one of all documents.
    alone, added : float64 arrays, shape (m, n)
        The same of each member alone, and the difference that it makes to the fusion of the other members.
    """

    parameters: Parameters
    how: str
    qualities: Float64
    alone: Float64
    added: Float64


def fit(candidates: Candidates) -> Fit:
    """Weights and exponents by the rules of the module."""
    m = candidates.n_members
    everyone = list(range(m))
    alone = np.stack([candidates.qualities(Parameters.equal([member], m)) for member in everyone])
    if len(candidates) < FEWEST:
        return _unfitted(candidates, Parameters.equal(everyone, m), "equal", alone)
    halves = Halves(candidates)
    members, qualities, added = _that_pay(halves, everyone)
    equal, best = (
        Parameters.equal(members, m),
        Parameters.equal([max(members, key=lambda one: float(alone[one].mean()))], m),
    )
    fixed = {"best member": best, "equal": equal}
    how = max(fixed, key=lambda name: candidates.quality(fixed[name]))
    if candidates.quality(fixed[how]) >= qualities.mean():
        found = _unfitted(candidates, fixed[how], how, alone)
        return found if how == "equal" else replace(found, added=added)
    chosen = fitted(candidates, members).scaled()
    return Fit(parameters=chosen, how="fitted", qualities=qualities, alone=alone, added=added)


def _unfitted(candidates: Candidates, chosen: Parameters, how: str, alone: Float64) -> Fit:
    """The result for parameters that do not depend on the documents."""
    qualities, m = candidates.qualities(chosen), candidates.n_members
    added = []
    for member in range(m):
        other = without(chosen, member) if member in chosen.used else Parameters.equal([*chosen.used, member], m)
        left = candidates.qualities(other) if other.used else np.zeros_like(qualities)
        added.append(qualities - left if member in chosen.used else left - qualities)
    return Fit(parameters=chosen, how=how, qualities=qualities, alone=alone, added=np.stack(added))


def _that_pay(halves: Halves, members: list[int]) -> tuple[list[int], Float64, Float64]:
    """Members that add at least ``PRICE``, the qualities with them, and the differences by member, shape (m, n)."""
    kept, added = list(members), {}
    while True:
        qualities = halves.qualities(kept)
        for one in kept:
            others = [other for other in kept if other != one]
            added[one] = qualities - (halves.qualities(others) if others else 0.0)
        least = min(kept, key=lambda one: float(added[one].mean()))
        if len(kept) == 1 or added[least].mean() >= PRICE:
            return kept, qualities, np.stack([added[one] for one in members])
        kept.remove(least)
