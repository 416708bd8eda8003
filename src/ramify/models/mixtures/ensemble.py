"""Several models that answer as one: trees of other seeds, or models of other kinds, their rankings merged.

members = clones of ``models``, each ``trees`` times with other seeds, fitted on the same X and Y
top     = merge(member.predict_topk(X, candidates) for each member), by the rule of ``models.merging``
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, THREADS, THRESHOLD, OneOf, Parsed, Real, Rules, Several
from ramify.errors import InputError, damage_told
from ramify.match import restriction
from ramify.models.base.members import (
    TREES,
    Single,
    check_agreement,
    check_log_scores,
    check_model,
    copies,
    part_of,
    required,
    shared_representations,
    single_call,
    taken,
    tree_seeds,
)
from ramify.models.base.persistence import load_as, parts_to_state, stored_part
from ramify.models.base.ranking_model import RankingModel, assignments, instances
from ramify.models.mixtures.merging import COMBINATIONS, Merger
from ramify.models.trees.xr_linear import XRLinear
from ramify.values import CSR, Float32, Float64, Int32, StageProgress, TopK

ANSWER = 2**24
"""Candidates of all members held at a time."""


def _scores_pairs(model: Ensemble) -> bool:
    """Whether a label's score does not depend on its rivals', and every member tells it."""
    parts = getattr(model, "members_", None) or model._models()
    return model.combine in ("average", "sigmoid") and all(hasattr(part, "score_pairs") for part in parts)


def _check_models(given: Any) -> None:
    """InputError unless this is None, an estimator that ranks labels, or a list of them."""
    models = list(given) if isinstance(given, list | tuple) else [given]
    if not models:
        raise InputError("models is empty, but an ensemble needs at least one: give a list of estimators")
    for model in models:
        if model is not None:
            check_model(model)


class Ensemble(RankingModel):
    """Several models that answer as one.

    Parameters
    ----------
    models : estimator or sequence of estimators, optional
        Anything with ``fit(X, Y)`` and ``predict_topk(X, k)``; ``XRLinear()`` when None.
    trees : int, default 1
        Train each model this many times, with its seed, seed + 1 and so on; a model without a seed is taken once.
    combine : {"average", "rank", "softmax", "sigmoid"}
        What a label counts in a member's ranking: its score; its rank r as 1 - (r - 1) / candidates; its share of the
        softmax of the member's scores; or the sigmoid of its score, for margins and logarithms.
        The ensemble's score is the mean, where a member that does not name the label adds 0.
    weights : sequence of float, optional
        Say of each model, above 0; its trees share it. Equal when None.
    candidates : int, default 20
        Labels taken from each member, or k where that is more. Fewer are faster, more changed no measure.
    decision_threshold : float, default 0.5
        Score from which ``predict`` gives a label.
    threads : int, optional
        For whatever the members do, in place of their own setting; None takes every CPU.

    Attributes
    ----------
    members_ : list of estimators
        The fitted clones.
    weights_ : float64 array, shape (members,)
        Say of each; only the proportions count.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "models": Parsed(_check_models),
        "trees": TREES,
        "combine": OneOf(COMBINATIONS),
        "weights": Several(Real(1e-10, 1e10), optional=True),
        "candidates": COUNT,
        "decision_threshold": THRESHOLD,
        "threads": THREADS,
    }

    def __init__(
        self,
        models: Any = None,
        *,
        trees: int = 1,
        combine: str = "average",
        weights: Sequence[float] | None = None,
        candidates: int = 20,
        decision_threshold: float = 0.5,
        threads: int | None = None,
    ) -> None:
        self.models = models
        self.trees = trees
        self.combine = combine
        self.weights = weights
        self.candidates = candidates
        self.decision_threshold = decision_threshold
        self.threads = threads

    @classmethod
    def of(
        cls, members: Sequence[Any], *, combine: str = "average", weights: Sequence[float] | None = None
    ) -> Ensemble:
        """An ensemble of fitted models over the same features and labels.

        Parameters
        ----------
        members : sequence of estimators
            Fitted; they are taken as they are.
        combine, weights
            As of the class.

        Raises
        ------
        InputError
            No members, or members that disagree in features or labels.
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
            Label assignments: what is above 0 is positive.
        sample_weight, relevance, own_negatives : optional
            Passed on to every member (see ``XRLinear.fit``).
        progress : callable, optional
            Told (stage, share done of all members).

        Raises
        ------
        InputError
            Settings or data out of range, or something given that a member does not take.
        """
        groups = self._unfitted()
        X = instances(X)
        Y = assignments(Y, X.shape[0], type(self).__name__)
        given = {"sample_weight": sample_weight, "relevance": relevance, "own_negatives": own_negatives}
        members = [member for _, clones in groups for member in clones]
        asked = [required(member.fit, given) for member in members]
        with shared_representations(groups):
            for number, (member, options) in enumerate(zip(members, asked, strict=True)):
                told = taken(member.fit, {"progress": part_of(progress, number, len(members))})
                member.fit(X, Y, **options, **told)
        say = [weight / len(clones) for weight, (_, clones) in zip(self._say(), groups, strict=True) for _ in clones]
        return self._set_members(members, np.array(say))

    def _models(self) -> list[Any]:
        given = list(self.models) if isinstance(self.models, list | tuple) else [self.models]
        return [XRLinear() if model is None else model for model in given]

    def _unfitted(self) -> list[tuple[Any, list[Any]]]:
        """Each model with its clones, ready to be trained."""
        self.check_settings()
        groups = [(model, copies(model, int(self.trees))) for model in self._models()]
        for _, clones in groups:
            for member in clones:
                member.set_params(**taken(type(member), {"threads": self.threads}))
        return groups

    def _say(self) -> list[float]:
        models = self._models()
        given: list[float] = self.RULES["weights"].check("weights", self.weights) or [1.0] * len(models)
        if len(given) != len(models):
            raise InputError(f"weights has {len(given)} numbers for {len(models)} models: give one number for each")
        return given

    def check_settings(self) -> None:
        """InputError where a setting breaks its rule, or settings and models do not fit each other."""
        super().check_settings()
        self._check_agreement(self._models())
        for model in self._models():
            if "seed" in model.get_params(deep=False):
                tree_seeds(model.seed, self.trees)

    def _check_agreement(self, parts: Sequence[Any]) -> None:
        if self.combine == "average":
            for part in parts:
                check_log_scores(part)
        self._say()

    def _with_members(self) -> Ensemble:
        """Itself, its models being fitted."""
        self.check_settings()
        members = self._models()
        return self._set_members(members, np.array(self._say()))

    def _set_members(self, members: list[Any], weights: Float64) -> Ensemble:
        check_agreement(members)
        self.members_, self.weights_ = members, weights
        self.n_features_in_, self.n_labels_ = int(members[0].n_features_in_), int(members[0].n_labels_)
        return self

    @property
    def reach_(self) -> int:
        """Labels that the members can name at most."""
        return min(self.n_labels_, sum(getattr(member, "reach_", self.n_labels_) for member in self.members_))

    def _ready(self) -> tuple[list[Any], Merger]:
        """The members with the ensemble's threads, and what merges them."""
        super().check_settings()
        self._check_agreement(self.members_)
        for member in self.members_:
            if hasattr(member, "threads"):
                member.threads = self.threads
        merger = Merger(combine=self.combine, weights=self.weights_, candidates=min(self.candidates, self.n_labels_))
        return self.members_, merger

    def predict_topk(
        self,
        X: Any,
        k: int | None = None,
        *,
        beam: int | None = None,
        allowed: Any = None,
        forbidden: Any = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """The k best labels of each instance.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        k : int, optional
            Labels per instance, at most L; 10 by default, or L where it is less.
        beam : int, optional
            Another beam for the members that search by one.
        allowed, forbidden : label ids, or matrix of shape (n, L), optional
            As ``XRLinear.predict_topk``. Ranks and softmax are taken among what is left.
        progress : callable, optional
            Told ("predict", share done).

        Returns
        -------
        TopK
            Scores of ``combine``.

        Raises
        ------
        InputError
            k out of range, X of another width, a beam or restriction that the members do not know.
        """
        check_is_fitted(self)
        X = self._features(X)
        k = self._labels_asked(k)
        only, never = restriction(allowed, forbidden, X.shape[0], self.n_labels_)
        members, merger = self._ready()
        calls = [member.predict_topk for member in members]
        if beam is not None and not any(taken(call, {"beam": beam}) for call in calls):
            raise InputError(f"beam is {beam}, but no member of the ensemble searches by a beam: leave it out")
        width = self._width(k)
        step = max(1, ANSWER // (width * len(members)))
        n_parts = -(-X.shape[0] // step)
        parts = []
        for part in range(n_parts):
            rows = slice(part * step, (part + 1) * step)
            given = {"allowed": _rows(only, rows), "forbidden": _rows(never, rows)}
            asked, answers = _rows(X, rows), []
            for number, call in enumerate(calls):
                told = part_of(progress, part * len(calls) + number, n_parts * len(calls))
                options = {"progress": told, "beam": beam}
                extra = taken(call, {name: value for name, value in options.items() if value is not None})
                answers.append(call(asked, width, **required(call, given), **extra))
                if told is not None:
                    told("predict", 1.0)
            labels, scores = (np.stack([getattr(top, name) for top in answers], 1) for name in ("labels", "scores"))
            one = len(labels) == 1
            parts.append(TopK(*merger.merge_one(labels[0], scores[0], k)) if one else merger.merge(labels, scores, k))
        return TopK(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "scores")))

    def _width(self, k: int) -> int:
        return min(max(k, self.candidates), self.n_labels_)

    def single(self, k: int) -> Single:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

        The fast way for single instances: settings are checked here once, the arrays are trusted.
        """
        check_is_fitted(self)
        k = self._labels_asked(k)
        members, merger = self._ready()
        asked = [single_call(member, self._width(k)) for member in members]

        def ask(indices: Int32, values: Float32) -> tuple[Int32, Float32]:
            answers = [one(indices, values) for one in asked]
            labels = np.concatenate([labels for labels, _ in answers])
            return merger.merge_one(labels, np.concatenate([scores for _, scores in answers]), k)

        return ask

    @available_if(_scores_pairs)
    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs only; where all members tell, by "average" or "sigmoid".

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are asked for.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label that no member knows.
        """
        check_is_fitted(self)
        members, merger = self._ready()
        found = [member.score_pairs(X, pairs) for member in members]
        scores = merger.mean([matrix.data for matrix in found])
        return sp.csr_matrix((scores, found[0].indices, found[0].indptr), shape=found[0].shape)

    @available_if(_scores_pairs)
    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels as ``score_pairs``: a dense array of shape (n, L)."""
        check_is_fitted(self)
        members, merger = self._ready()
        return merger.mean([member.decision_function(X) for member in members])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state({f"member{number}": member for number, member in enumerate(self.members_)})
        settings = {
            "combine": self.combine,
            "weights": self.weights_.tolist(),
            "candidates": int(self.candidates),
            "decision_threshold": float(self.decision_threshold),
            "threads": None if self.threads is None else int(self.threads),
        }
        return {"settings": settings, "members": list(states.values())}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Ensemble:
        """The ensemble of a model directory; its ``models`` are the members.

        Raises
        ------
        ModelFileError
            Members that are missing, cannot be made, or do not fit each other.
        """
        with damage_told("the ensemble is"):
            stored = enumerate(config["members"])
            members = [stored_part(f"member{number}", state, arrays, parts) for number, state in stored]
            return cls(members, **config["settings"])._with_members()

    @classmethod
    def load(
        cls, directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Ensemble:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)


def _rows(matrix: Any, rows: slice) -> Any:
    """Rows of a matrix that has one per instance; what holds for all instances stays."""
    if not sp.issparse(matrix) or (rows.start == 0 and rows.stop >= matrix.shape[0]):
        return matrix
    return matrix[rows]
