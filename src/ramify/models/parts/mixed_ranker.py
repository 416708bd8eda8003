"""Several rankers that answer as one: the weighted mean of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import Checked, Own, Real, Rules
from ramify.errors import InputError, damage_told
from ramify.models.base.persistence import parts_to_state, stored_part
from ramify.models.parts.cosine_ranker import CosineRanker
from ramify.models.parts.linear_ranker import LinearRanker
from ramify.protocols import RankingProblem
from ramify.values import CSR

RANKER = Own(("fit", "rank"), optional=True)


class MixedRanker(Checked, BaseEstimator):  # type: ignore[misc]
    """A linear ranker for labels with instances, and a cosine for those with a name only.

    Parameters
    ----------
    first, second : Ranker, optional
        ``LinearRanker()`` and ``CosineRanker()`` when None.
    share : float, default 0.1
        Say of the second, 0 to 1.
    """

    RULES: ClassVar[Rules] = {"first": RANKER, "second": RANKER, "share": Real(0, 1)}

    def __init__(self, first: Any = None, second: Any = None, *, share: float = 0.1) -> None:
        self.first = first
        self.second = second
        self.share = share

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> MixedRanker:
        """Fit both.

        Raises
        ------
        InputError
            A share out of range, and what the rankers object to.
        """
        self.check_settings()
        first = LinearRanker() if self.first is None else clone(self.first)
        second = CosineRanker() if self.second is None else clone(self.second)
        self.rankers_ = [part.fit(problem, seed=seed, threads=threads) for part in (first, second)]
        return self

    @property
    def features_and_labels_(self) -> tuple[int, int] | None:
        """Features d and labels L; None where the rankers, brought along, have no such attribute."""
        found = [sizes for part in self.rankers_ if (sizes := getattr(part, "features_and_labels_", None)) is not None]
        return found[0] if found else None

    def rank(self, X: CSR, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores of the candidates, the same entries."""
        check_is_fitted(self)
        first, second = (ranker.rank(X, candidates, threads=threads).data for ranker in self.rankers_)
        mean = ((1 - self.share) * first + self.share * second).astype(np.float32)
        return sp.csr_matrix((mean, candidates.indices, candidates.indptr), shape=candidates.shape)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state({f"ranker{at}": ranker for at, ranker in enumerate(self.rankers_)})
        return {"share": float(self.share), "rankers": list(states.values())}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> MixedRanker:
        """The ranker of a model directory.

        Raises
        ------
        ModelFileError
            Settings or parts that do not fit.
        """
        with damage_told("the mixed ranker is"):
            first, second = config["rankers"]
            pair = [stored_part(f"ranker{at}", state, arrays, parts) for at, state in enumerate((first, second))]
            ranker = cls(*pair, share=config["share"])
            ranker.check_settings()
            if len({getattr(part, "features_and_labels_", None) for part in pair} - {None}) > 1:
                raise InputError("its rankers are for other features or labels")
            ranker.rankers_ = pair
        return ranker
