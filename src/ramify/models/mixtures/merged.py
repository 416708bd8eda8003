"""Base of the models that merge the rankings of their members.

top = merge(member.answer(request for ``candidates`` labels) for each member), as in ``models.mixtures.merging``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.errors import InputError
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single, Sizes
from ramify.models.base.adapter import as_model, set_known, settings_of
from ramify.models.base.model import RankingModel, instances
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import stored_size
from ramify.models.mixtures.member_reasons import for_member, mixture_reasons
from ramify.models.mixtures.members import check_agreement
from ramify.models.mixtures.merging import Merger
from ramify.protocols import Model
from ramify.values import Float32, Float64, Int32, TopK

Self = TypeVar("Self", bound="MergedModel")

ANSWER = 2**24
"""Maximum number of candidates of all members in memory."""


class MergedModel(RankingModel):
    """Base of the models with members whose rankings are merged.

    A subclass has ``_models``, ``_merger`` and ``_merger_settings``, and calls ``_set_members`` when it is fitted.

    Attributes
    ----------
    members_ : list of estimators
        The fitted members.
    weights_ : float64 array, shape (members,)
        Weight of each member; only their ratios matter.
    n_features_in_ : int or None
        Number of features d; None if no member states its features.
    n_labels_ : int
        Number of labels L.
    """

    n_features_in_: int | None  # type: ignore[assignment]
    members_: list[Any]
    weights_: Float64
    candidates: int

    def _models(self) -> list[Any]:
        """The unfitted models."""
        raise NotImplementedError

    def _merger(self) -> Merger:
        """The rule of the merge, with checked settings."""
        raise NotImplementedError

    def _merger_settings(self) -> tuple[Any, ...]:
        """Values that the merger depends on, besides the members and their weights."""
        raise NotImplementedError

    def _parts(self) -> list[Model]:
        """The members of a fitted model, else the unfitted models."""
        return [as_model(part) for part in getattr(self, "members_", None) or self._models()]

    @property
    def needs(self) -> frozenset[str]:
        """Union of the fields that the members need."""
        return frozenset.union(*(part.needs for part in self._parts()))

    def _set_members(self: Self, members: list[Any], weights: Float64, known: Sizes | None = None) -> Self:
        sizes = [as_model(member, known).size() for member in members]
        check_agreement([(size.features, size.labels) for size in sizes])
        n_labels = max(size.labels for size in sizes)
        if not n_labels:
            name = type(members[0]).__name__
            raise InputError(f"the number of labels of {name} is not known: give it an attribute n_labels_")
        self.members_, self.weights_ = members, weights
        self.n_features_in_ = next((size.features for size in sizes if size.features), None)
        self.n_labels_ = n_labels
        return self

    def _features(self, X: Any) -> Any:
        return instances(X) if self.n_features_in_ is None else super()._features(X)

    def _train(self, member: Any, training: CheckedTraining, number: int, count: int) -> Any:
        """Train member ``number`` of ``count`` on the fields that it needs, with its own seed; returns the member."""
        set_known(member, threads=self.threads)
        model = as_model(member)
        own = replace(training, seed=settings_of(member).get("seed", training.seed))
        own = own if "X" in model.needs else replace(own, X=None)
        model.fit_training(own.part_of_progress(number, count))
        return member

    def inside(self) -> Mapping[str, Any]:
        """The members by name: "member0", "member1", ..."""
        return {f"member{number}": member for number, member in enumerate(self.members_)}

    def size(self) -> Sizes:
        """Sizes of the fitted model, including the weights of its members."""
        return replace(super().size(), shares=tuple((self.weights_ / self.weights_.sum()).tolist()))

    def _answering(self) -> list[Model]:
        known = Sizes(features=self.n_features_in_, labels=self.n_labels_)
        return [as_model(member, known) for member in self.members_]

    def _reachable(self) -> int:
        limits = [member.size().reachable or self.n_labels_ for member in self._answering()]
        return min(self.n_labels_, sum(limits))

    def _rank(self, request: CheckedRequest) -> TopK:
        """Merge the members' rankings, in batches of at most ``ANSWER`` candidates."""
        members, merger, k, n = self._answering(), self._merger(), request.k, len(request)
        width = self._width(k)
        step = max(1, ANSWER // (width * len(members)))
        n_parts = -(-n // step)
        parts = []
        for part in range(n_parts):
            batch = replace(request.take(slice(part * step, (part + 1) * step)), k=width)
            answers = []
            for number, member in enumerate(members):
                own = batch.part_of_progress(part * len(members) + number, n_parts * len(members))
                answers.append(member.answer(for_member(own, member)))
                own.report(1.0)
            labels, scores = (np.stack([getattr(top, name) for top in answers], 1) for name in ("labels", "scores"))
            one = len(labels) == 1
            parts.append(TopK(*merger.merge_one(labels[0], scores[0], k)) if one else merger.merge(labels, scores, k))
        return TopK(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "scores")))

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The part of each member in a score, and its reason: see ``models.base.reasons``."""
        check_is_fitted(self)
        checked = self._checked_request(request)
        batch = replace(checked, k=self._width(checked.k), progress=None)
        return mixture_reasons(self.members_, self._answering(), self._merger(), batch, labels)

    def _width(self, k: int) -> int:
        return min(max(k, self.candidates), self.n_labels_)

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``; merges the results of the members' functions."""
        check_is_fitted(self)
        k = self._checked_k(k)

        def prepare() -> Single:
            merger, width = self._merger(), self._width(k)
            members = [member.single(width) for member in self._answering()]

            def answer(*instance: Any) -> tuple[Int32, Float32]:
                answers = [member(*instance) for member in members]
                labels = np.concatenate([labels for labels, _ in answers])
                return merger.merge_one(labels, np.concatenate([scores for _, scores in answers]), k)

            return answer

        def settings() -> tuple[Any, ...]:
            return *self._merger_settings(), self.candidates, id(self.weights_), *map(id, self.members_)

        return PreparedCall(settings, prepare)


def stored_sizes(sizes: dict[str, Any] | None) -> Sizes | None:
    """Features and labels of the members; None in directories of earlier versions, whose members state them."""
    if sizes is None:
        return None
    features = None if sizes["n_features"] is None else stored_size(sizes["n_features"], "n_features")
    return Sizes(features=features, labels=stored_size(sizes["n_labels"], "n_labels"))
