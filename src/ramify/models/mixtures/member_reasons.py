"""The score of a label in a mixture, taken apart: the part of each member, and the member's own reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ramify.exchange import Request
from ramify.models.base.reasons import MemberReason, MixtureReason, Reasons, reasons_inside
from ramify.models.mixtures.merging import Merger
from ramify.protocols import Model
from ramify.values import Float32, Float64, Int32


def for_member(request: Request, member: Model) -> Request:
    """The request for one member; without the beam, or without X, for a member that does not use them."""
    request = request if "beam" in member.abilities else replace(request, beam=None)
    return request if "X" in member.needs else replace(request, X=None)


def mixture_reasons(
    members: Sequence[Any], answering: Sequence[Model], merger: Merger, request: Request, labels: Sequence[int]
) -> Reasons:
    """The reasons of an ensemble.

    Parameters
    ----------
    members : sequence of estimators
        The fitted members.
    answering : sequence of Model
        The same as models.
    merger : Merger
        The rule of the ensemble.
    request : Request
        Its k is the number of candidates of each member.
    labels : sequence of int
        Label ids.
    """
    tops = [model.answer(for_member(request, model)) for model in answering]
    ranked, scores = (np.stack([getattr(top, name) for top in tops], 1) for name in ("labels", "scores"))
    pairs = zip(members, answering, strict=True)
    inner = [reasons_inside(member, for_member(request, model), labels) for member, model in pairs]
    found: Reasons = []
    for row, shares in enumerate(merger.shares(ranked, scores)):
        of_row: list[MixtureReason] = []
        for number, label in enumerate(labels):
            own = [None if reasons is None else reasons[row][number] for reasons in inner]
            parts = _Parts(ranked[row], scores[row], shares, label, merger)
            of_row.append(parts.reason(members, own))
        found.append(of_row)
    return found


class _Parts:
    """The parts of one label's score for one instance; candidates and scores have shape (members, candidates)."""

    def __init__(self, ranked: Int32, scores: Float32, shares: Float64, label: int, merger: Merger) -> None:
        self.merger, self.scores, self.shares = merger, scores, shares
        self.ranks = [int(found[0]) if len(found := np.flatnonzero(row == label)) else None for row in ranked]

    def reason(self, members: Sequence[Any], inner: Sequence[Any]) -> MixtureReason:
        """The reason, given those of the members."""
        shares = [0.0 if rank is None else float(self.shares[m, rank]) for m, rank in enumerate(self.ranks)]
        known = any(rank is not None for rank in self.ranks)
        return MixtureReason(
            members=tuple(self._member(m, members[m], shares[m], inner[m]) for m in range(len(members))),
            combine=self.merger.combine,
            factor=1.0,
            score=float(self.merger.mean_of(np.array(sum(shares)))) if known else 0.0,
            ranked=known,
        )

    def _member(self, number: int, member: Any, share: float, reason: Any) -> MemberReason:
        weight, rank = float(self.merger.weights[number]), self.ranks[number]
        total = float(self.merger.weights.sum())
        return MemberReason(
            name=f"member{number}",
            model=type(member).__name__,
            weight=weight / total,
            rank=None if rank is None else rank + 1,
            score=None if rank is None else float(self.scores[number, rank]),
            value=share / weight,
            part=share / total,
            reason=reason,
        )


def biased(reason: Any, factor: float) -> MixtureReason:
    """The reason of a score that is multiplied by a factor of the label."""
    scored = float(np.float32(reason.score) * np.float32(factor))
    biased_reason: MixtureReason = replace(reason, factor=float(factor), score=scored)
    return biased_reason
