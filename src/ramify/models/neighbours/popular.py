"""The most frequent labels for every instance: a baseline for models and matchers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request
from ramify.models.base.adapter import restricted
from ramify.models.base.model import RankingModel
from ramify.models.base.reasons import NoReasonsError, Reasons
from ramify.models.base.stored import stored_size, stored_vectors
from ramify.values import TopK


class PopularLabels(RankingModel):
    """Ranks labels by their share of the training instances; the ranking is the same for every instance."""

    def _learn(self, training: CheckedTraining) -> None:
        Y = training.Y
        self.n_features_in_, self.n_labels_ = training.X.shape[1], Y.shape[1]
        self._set_shares(np.bincount(Y.indices, minlength=Y.shape[1]) / Y.shape[0])
        training.report("train", 1.0)

    def _set_shares(self, shares: Any) -> PopularLabels:
        self.shares_ = np.asarray(shares, np.float32)
        self.order_ = np.argsort(-self.shares_, kind="stable").astype(np.int32)
        return self

    def _rank(self, request: CheckedRequest) -> TopK:
        """The most frequent permitted labels; scores are their shares."""
        n, k = len(request), request.k
        plain = request.allowed is None and request.forbidden is None
        best = self.order_[:k] if plain else self.order_
        top = TopK(np.tile(best, (n, 1)), np.tile(self.shares_[best], (n, 1)))
        return top if plain else restricted(top, k, request.allowed, request.forbidden)

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"reasons"})

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """Raise NoReasonsError: the scores do not depend on the instance."""
        raise NoReasonsError(
            "PopularLabels has no reasons, because it gives every instance the same scores: use another model"
        )

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        return {"settings": self._plain_settings(), "n_features": self.n_features_in_}, {"shares": self.shares_}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> PopularLabels:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or shares.
        """
        with damage_reported("the popular labels are"):
            model = cls(**config["settings"])
            model.check_settings()
            shares = stored_vectors(arrays, "shares", (None,))
            model.n_features_in_ = stored_size(config["n_features"], "n_features")
            model.n_labels_ = stored_size(len(shares), "the number of shares")
            if not (shares >= 0).all():
                raise InputError("a share is negative")
            model._set_shares(np.minimum(shares, 1))
        return model
