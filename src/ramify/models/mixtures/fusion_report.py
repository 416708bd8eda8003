"""What each member adds to a fusion: quality with and without it, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ramify.checks import real_number, whole_number
from ramify.errors import InputError
from ramify.evaluation.bootstrap import intervals, resamples
from ramify.models.mixtures.fusion_fit import CUTS, Fit
from ramify.values import Float64

RESAMPLES = 1000

LARGEST = 1e12
"""Bound of the numbers in a model directory."""

FITTED, MEASURED = ("weight", "exponent"), ("alone", "added", "low", "high")
"""Numbers of a member: its parameters, and its qualities on held-out documents."""


@dataclass(frozen=True, kw_only=True)
class MemberGain:
    """One member.

    Parameters
    ----------
    name : str
        Name in the fusion.
    weight, exponent : float
        Parameters; weights sum to 1, and a member of weight 0 is not in the model.
    alone : float or None
        Quality of the member alone, 0..1, on all held-out documents; None without such documents, as all qualities.
    added : float or None
        Quality of the fusion with the member, less the quality without it. Fitted parameters of both were fitted on the
        other half of the documents; equal weights are measured on all documents.
    low, high : float or None
        95% interval of ``added``, by resampling the documents.
    """

    name: str
    weight: float
    exponent: float
    alone: float | None
    added: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class FusionReport:
    """How a fusion was fitted.

    Parameters
    ----------
    measure : {"ndcg", "f1"}
        The quality: nDCG@10, or the mean F1 of the first 5 labels.
    documents : int
        Number of held-out documents.
    how : {"fitted", "equal", "best member"}
        The parameters that were chosen: fitted ones, equal weights, or the best member alone.
    quality : float or None
        Quality of the fusion, 0..1; with fitted parameters, each half of the documents is ranked with the parameters of
        the other half. Equal weights and the best member are measured on all documents.
    members : tuple of MemberGain
        All members, also those that were left out.
    """

    measure: str
    documents: int
    how: str
    quality: float | None
    members: tuple[MemberGain, ...]

    @property
    def measured(self) -> str:
        """Name of the quality with its cut-off."""
        return {"ndcg": "nDCG", "f1": "F1"}[self.measure] + f"@{CUTS[self.measure]}"

    @classmethod
    def of(cls, fit: Fit, names: Sequence[str], measure: str, seed: int) -> FusionReport:
        """The report of a fit."""
        bounds = _bounds(fit.added, seed) if len(fit.qualities) else [(None, None)] * len(names)
        members = tuple(
            MemberGain(
                name=name,
                weight=fit.parameters.weights[number],
                exponent=fit.parameters.exponents[number],
                alone=_mean(fit.alone[number]),
                added=_mean(fit.added[number]),
                low=bounds[number][0],
                high=bounds[number][1],
            )
            for number, name in enumerate(names)
        )
        n = len(fit.qualities)
        return cls(measure=measure, documents=n, how=fit.how, quality=_mean(fit.qualities), members=members)

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> FusionReport:
        """From ``as_dict``; InputError for values of another form."""
        if given["measure"] not in CUTS or given["how"] not in ("fitted", "equal", "best member"):
            raise InputError("the report of the fusion has an unknown measure or way")
        documents = whole_number("documents", given["documents"], 0, 2**62)
        members = []
        for one in given["members"]:
            if not isinstance(one["name"], str):
                raise InputError("the name of a member is not a text")
            found: dict[str, Any] = {name: real_number(name, one[name], -LARGEST, LARGEST) for name in FITTED}
            # directories of earlier versions have 0 where nothing was measured
            found |= {name: real_number(name, one[name], -LARGEST, LARGEST) if documents else None for name in MEASURED}
            members.append(MemberGain(name=one["name"], **found))
        return cls(
            measure=given["measure"],
            documents=documents,
            how=given["how"],
            quality=real_number("quality", given["quality"], 0, 1) if documents else None,
            members=tuple(members),
        )


def _mean(values: Float64) -> float | None:
    return float(values.mean()) if len(values) else None


def _bounds(differences: Float64, seed: int) -> list[list[float]]:
    """95% intervals of the means of the rows."""
    n = differences.shape[1]
    blocks = [weights @ differences.T / n for weights in resamples(n, RESAMPLES, seed)]
    found: list[list[float]] = intervals(np.vstack(blocks)).tolist()
    return found
