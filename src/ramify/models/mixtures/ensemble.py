"""An ensemble: trees with different seeds, or models of different kinds, whose rankings are merged.

members = clones of ``models``, ``trees`` of each with different seeds, fitted on the same X and Y
top     = merge(member.predict_topk(X, candidates) for each member), as in ``models.mixtures.merging``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, THREADS, OneOf, Parsed, Real, Rules, Several
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single, Sizes, Training, VectorCache
from ramify.models.base.adapter import as_model, set_known, settings_of
from ramify.models.base.model import RankingModel, check_extras, has, instances
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import stored_size
from ramify.models.mixtures.member_reasons import for_member, mixture_reasons
from ramify.models.mixtures.members import (
    TREES,
    check_agreement,
    check_log_scores,
    check_model,
    clones_by_seed,
    tree_seeds,
)
from ramify.models.mixtures.merging import COMBINATIONS, Merger
from ramify.models.trees.xr_linear import XRLinear
from ramify.protocols import Model
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float32, Float64, Int32, StageProgress, TopK

ANSWER = 2**24
"""Maximum number of candidates of all members in memory."""


PASSED_ON = frozenset({"sample_weight", "relevance", "own_negatives"})
"""Fields of ``Training`` that an ensemble passes to its members."""


def _check_models(given: Any) -> None:
    """Raise InputError unless the argument is None, a model, or a list of models."""
    models = list(given) if isinstance(given, list | tuple) else [given]
    if not models:
        raise InputError("models is empty, but an ensemble needs at least one: give a list of estimators")
    for model in models:
        if model is not None:
            check_model(model)


class Ensemble(RankingModel):
    """Several models whose rankings are merged.

    Parameters
    ----------
    models : estimator or sequence of estimators, optional
        Objects with ``fit(X, Y)`` and ``predict_topk(X, k)``; ``XRLinear()`` when None.
    trees : int, default 1
        Number of fits of each model, with consecutive seeds; a model without a seed is fitted once.
    combine : {"average", "rank", "softmax", "sigmoid"}, default "average"
        Value of a label in a member's ranking; "average": its score; "rank": 1 - (rank - 1) / candidates; "softmax":
        the softmax over the member's scores; "sigmoid": the sigmoid of its score, for margins and log scores. The
        score of the ensemble is the weighted mean of these values, with 0 for a member that does not rank the label.
    weights : sequence of float, optional
        Weight of each model, above 0, split evenly among its trees; equal weights when None.
    candidates : int, default 20
        Number of labels requested from each member, at least k.
    threads : int, optional
        Number of threads; overrides the setting of the members. None uses every CPU.

    Attributes
    ----------
    members_ : list of estimators
        The fitted clones.
    weights_ : float64 array, shape (members,)
        Weight of each member; only their ratios matter.
    n_features_in_ : int or None
        Number of features d; None if no member states its features.
    n_labels_ : int
        Number of labels L.
    """

    n_features_in_: int | None  # type: ignore[assignment]

    RULES: ClassVar[Rules] = {
        "models": Parsed(_check_models),
        "trees": TREES,
        "combine": OneOf(COMBINATIONS),
        "weights": Several(Real(1e-10, 1e10), optional=True),
        "candidates": COUNT,
        "threads": THREADS,
    }
    FLAGS = ("trees", "combine")

    def __init__(
        self,
        models: Any = None,
        *,
        trees: int = 1,
        combine: str = "average",
        weights: Sequence[float] | None = None,
        candidates: int = 20,
        threads: int | None = None,
    ) -> None:
        self.models = models
        self.trees = trees
        self.combine = combine
        self.weights = weights
        self.candidates = candidates
        self.threads = threads

    @classmethod
    def of(
        cls, members: Sequence[Any], *, combine: str = "average", weights: Sequence[float] | None = None
    ) -> Ensemble:
        """An ensemble of fitted models over the same features and labels.

        Parameters
        ----------
        members : sequence of estimators
            Fitted models; they are not copied.
        combine : {"average", "rank", "softmax", "sigmoid"}, default "average"
            As in the class.
        weights : sequence of float, optional
            As in the class.

        Raises
        ------
        InputError
            No members, or members with different numbers of features or labels.
        """
        return cls(members, combine=combine, weights=weights)._with_members()

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        sample_weight: npt.ArrayLike | None = None,
        relevance: Any = None,
        own_negatives: Any = None,
        progress: StageProgress | None = None,
    ) -> Ensemble:
        """Train the members, one after another, each with all threads.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments; entries above 0 are positive.
        sample_weight, relevance, own_negatives : optional
            Passed to every member (see ``XRLinear.fit``).
        progress : callable, optional
            Called with (stage, share done of all members).

        Raises
        ------
        InputError
            Settings or data out of range, or an argument that a member does not use.
        """
        extras = {"sample_weight": sample_weight, "relevance": relevance, "own_negatives": own_negatives}
        return self.fit_training(Training(X=X, Y=Y, progress=progress, **extras))

    @property
    def needs(self) -> frozenset[str]:
        """Union of the fields that the members need."""
        return frozenset.union(*(as_model(part).needs for part in getattr(self, "members_", None) or self._models()))

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``: fields used by all members, a beam used by any member, exact scores of all.

        X may be a ``Hybrid`` if all members that need X take one.
        """
        parts = [as_model(part) for part in getattr(self, "members_", None) or self._models()]
        found = [part.abilities for part in parts]
        common = frozenset.intersection(*found)
        exact = {"score_pairs", "decision_function"} if self.combine in ("average", "sigmoid") else set()
        hybrid = {"hybrid"} if all("hybrid" in part.abilities for part in parts if "X" in part.needs) else set()
        return (common & (PASSED_ON | exact)) | hybrid | ({"beam"} & frozenset.union(*found)) | {"reasons"}

    def _checked_training(self, training: Training) -> CheckedTraining:
        for model in self._models():
            check_extras(f"the member {type(model).__name__}", as_model(model).abilities, training)
        return super()._checked_training(training)

    def _learn(self, training: CheckedTraining) -> None:
        groups = [(model, clones_by_seed(model, int(self.trees))) for model in self._models()]
        members = [clone for _, clones in groups for clone in clones]
        shared = replace(training, vectors=VectorCache())
        for number, member in enumerate(members):
            set_known(member, threads=self.threads)
            model = as_model(member)
            own = replace(shared, seed=settings_of(member).get("seed", training.seed))
            own = own if "X" in model.needs else replace(own, X=None)
            model.fit_training(own.part_of_progress(number, len(members)))
        shares = [
            share / len(clones) for share, (_, clones) in zip(self._shares(), groups, strict=True) for _ in clones
        ]
        self._set_members(members, np.array(shares), Sizes(features=training.n_features, labels=training.Y.shape[1]))

    def _models(self) -> list[Any]:
        given = list(self.models) if isinstance(self.models, list | tuple) else [self.models]
        return [XRLinear() if model is None else model for model in given]

    def _shares(self) -> list[float]:
        models = self._models()
        given: list[float] = self.RULES["weights"].check("weights", self.weights) or [1.0] * len(models)
        if len(given) != len(models):
            raise InputError(f"weights has {len(given)} numbers for {len(models)} models: give one number for each")
        return given

    def check_settings(self) -> None:
        """Raise InputError if a setting breaks its rule or does not match the models."""
        super().check_settings()
        self._check_combination(self._models())
        for model in self._models():
            if "seed" in settings_of(model):
                tree_seeds(settings_of(model)["seed"], self.trees)

    def _check_combination(self, parts: Sequence[Any]) -> None:
        if self.combine == "average":
            for part in parts:
                check_log_scores(part)
        self._shares()

    def _with_members(self, known: Sizes | None = None) -> Ensemble:
        """The ensemble with its fitted ``models`` as members."""
        self.check_settings()
        return self._set_members(self._models(), np.array(self._shares()), known)

    def _set_members(self, members: list[Any], weights: Float64, known: Sizes | None = None) -> Ensemble:
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

    def _merger(self) -> Merger:
        super().check_settings()
        self._check_combination(self.members_)
        return Merger(combine=self.combine, weights=self.weights_, candidates=min(self.candidates, self.n_labels_))

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
            return self.combine, self.candidates, id(self.weights_), *map(id, self.members_)

        return PreparedCall(settings, prepare)

    @available_if(has("score_pairs"))
    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs; for "average" or "sigmoid" and members with exact scores.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are scored.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label that no member scores.
        """
        check_is_fitted(self)
        found = [member.score_pairs(X, pairs) for member in self.members_]
        scores = self._merger().mean([matrix.data for matrix in found])
        return sp.csr_matrix((scores, found[0].indices, found[0].indptr), shape=found[0].shape)

    @available_if(has("decision_function"))
    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels as by ``score_pairs``: a dense array of shape (n, L)."""
        check_is_fitted(self)
        return self._merger().mean([member.decision_function(X) for member in self.members_])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state(self.inside())
        settings = {
            "combine": self.combine,
            "weights": self.weights_.tolist(),
            "candidates": int(self.candidates),
            "threads": None if self.threads is None else int(self.threads),
        }
        sizes = {"n_features": self.n_features_in_, "n_labels": self.n_labels_}
        return {"settings": settings, "members": list(states.values()), "sizes": sizes}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Ensemble:
        """Restore the ensemble from a model directory; its ``models`` are the members.

        Raises
        ------
        ModelFileError
            Members that are missing or invalid, or with different numbers of features or labels.
        """
        with damage_reported("the ensemble is"):
            stored = enumerate(config["members"])
            members = [stored_part(f"member{number}", state, arrays, parts) for number, state in stored]
            return cls(members, **config["settings"])._with_members(_stored_sizes(config.get("sizes")))


def _stored_sizes(sizes: dict[str, Any] | None) -> Sizes | None:
    """Features and labels of the members; None in directories of earlier versions, whose members state them."""
    if sizes is None:
        return None
    features = None if sizes["n_features"] is None else stored_size(sizes["n_features"], "n_features")
    return Sizes(features=features, labels=stored_size(sizes["n_labels"], "n_labels"))
