"""Mixture of two rankers: the weighted mean of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import Checked, Own, Real, Rules
from ramify.errors import InputError, damage_reported
from ramify.exchange import Sizes
from ramify.models.base.adapter import PlainModel, unfitted
from ramify.models.base.reasons import MemberReason, MixtureReason
from ramify.models.parts.cosine_ranker import CosineRanker
from ramify.models.parts.linear_ranker import LinearRanker
from ramify.models.parts.stage_reasons import ranker_reason
from ramify.protocols import RankingProblem
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR

RANKER = Own(("fit", "rank"), role="ranker", optional=True)


class MixedRanker(Checked, BaseEstimator):  # type: ignore[misc]
    """Weighted mean of two rankers; by default a linear one, and a cosine ranker for labels without instances.

    Parameters
    ----------
    first, second : Ranker, optional
        The two rankers; ``LinearRanker()`` and ``CosineRanker()`` when None.
    share : float, default 0.1
        Weight of the second ranker, 0 to 1.
    """

    RULES: ClassVar[Rules] = {"first": RANKER, "second": RANKER, "share": Real(0, 1)}
    PARTS = MappingProxyType({"first": LinearRanker, "second": CosineRanker})

    def __init__(self, first: Any = None, second: Any = None, *, share: float = 0.1) -> None:
        self.first = first
        self.second = second
        self.share = share

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> MixedRanker:
        """Fit both rankers.

        Raises
        ------
        InputError
            ``share`` is out of range, or a ranker raises it.
        """
        self.check_settings()
        first = self.PARTS["first"]() if self.first is None else unfitted(self.first)
        second = self.PARTS["second"]() if self.second is None else unfitted(self.second)
        self.rankers_ = [part.fit(problem, seed=seed, threads=threads) for part in (first, second)]
        return self

    def inside(self) -> Mapping[str, Any]:
        """The fitted rankers."""
        return {f"ranker{number}": ranker for number, ranker in enumerate(self.rankers_)}

    def size(self) -> Sizes:
        """Sizes of the fitted rankers; features and labels are those of the first ranker with known sizes."""
        sizes = [PlainModel(ranker).size() for ranker in self.rankers_]
        known = next((size for size in sizes if size.labels), sizes[0])
        return replace(known, weights=sum(size.weights for size in sizes))

    def rank(self, X: CSR, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores of the stored entries of ``candidates``, shape (n, L)."""
        check_is_fitted(self)
        first, second = (ranker.rank(X, candidates, threads=threads).data for ranker in self.rankers_)
        mean = ((1 - self.share) * first + self.share * second).astype(np.float32)
        return sp.csr_matrix((mean, candidates.indices, candidates.indptr), shape=candidates.shape)

    def reason(self, X: CSR, label: int) -> MixtureReason:
        """The part of each ranker in the score of a label for one instance: see ``models.base.reasons``."""
        check_is_fitted(self)
        width = self.size().labels or label + 1
        one = sp.csr_matrix(([np.float32(1)], ([0], [label])), shape=(1, width))
        scores = [float(ranker.rank(X, one).data[0]) for ranker in self.rankers_]
        members = tuple(
            MemberReason(
                name=f"ranker{number}",
                model=type(ranker).__name__,
                weight=weight,
                rank=None,
                score=score,
                value=score,
                part=weight * score,
                reason=ranker_reason(ranker, X, label),
            )
            for number, (ranker, weight, score) in enumerate(
                zip(self.rankers_, (1 - self.share, self.share), scores, strict=True)
            )
        )
        score = float(np.float32(sum(member.part for member in members)))
        return MixtureReason(members=members, combine="average", factor=1.0, score=score, ranked=True)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state(self.inside())
        return {"settings": {"share": float(self.share)}, "rankers": list(states.values())}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> MixedRanker:
        """Restore the ranker from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or parts.
        """
        with damage_reported("the mixed ranker is"):
            first, second = config["rankers"]
            pair = [stored_part(f"ranker{at}", state, arrays, parts) for at, state in enumerate((first, second))]
            ranker = cls(*pair, **config["settings"])
            ranker.check_settings()
            sizes = [PlainModel(part).size() for part in pair]
            if len({(size.features, size.labels) for size in sizes} - {(None, 0)}) > 1:
                raise InputError("its rankers have different numbers of features or labels")
            ranker.rankers_ = pair
        return ranker
