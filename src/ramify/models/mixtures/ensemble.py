"""An ensemble: trees with different seeds, or models of different kinds, whose rankings are merged.

members = clones of ``models``, ``trees`` of each with different seeds, fitted on the same X and Y
top     = merge(member.predict_topk(X, candidates) for each member), as in ``models.mixtures.merging``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, THREADS, OneOf, Parsed, Real, Rules, Several
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedTraining, Sizes, Training, VectorCache
from ramify.models.base.adapter import as_model, settings_of
from ramify.models.base.model import check_extras, has
from ramify.models.mixtures.members import TREES, check_log_scores, check_model, clones_by_seed, tree_seeds
from ramify.models.mixtures.merged import MergedModel, stored_sizes
from ramify.models.mixtures.merging import COMBINATIONS, Merger
from ramify.models.trees.xr_linear import XRLinear
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float32, StageProgress

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


class Ensemble(MergedModel):
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
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``: fields used by all members, a beam used by any member, exact scores of all.

        X may be a ``Hybrid`` if all members that need X take one.
        """
        parts = self._parts()
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
            self._train(member, shared, number, len(members))
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

    def _merger(self) -> Merger:
        super().check_settings()
        self._check_combination(self.members_)
        return Merger(combine=self.combine, weights=self.weights_, candidates=min(self.candidates, self.n_labels_))

    def _merger_settings(self) -> tuple[Any, ...]:
        return (self.combine,)

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
            return cls(members, **config["settings"])._with_members(stored_sizes(config.get("sizes")))
