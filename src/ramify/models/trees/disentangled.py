"""A tree model whose labels may be in several clusters, assigned by the clusters that their instances reach.

Xuanqing Liu, Wei-Cheng Chang, Hsiang-Fu Yu, Cho-Jui Hsieh, Inderjit S. Dhillon: Label Disentanglement in
Partition-based Extreme Multilabel Classification, NeurIPS 2021 (docs/papers.md, Label disentanglement).

model = fit(X, Y)                                    on the tree of the model's indexer
each round:
    tree = reassigned(model, (X, Y)).tree            each label in the clusters that its positives reach
    model = fit(X, Y) on that tree
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ramify.checks import (
    SEED,
    THREADS,
    OneOf,
    Own,
    Parsed,
    Rules,
    Whole,
    YesNo,
    check_inside,
    thread_count,
)
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single, Sizes
from ramify.index import FixedTree
from ramify.index.overlap import WEIGHTINGS, Candidates
from ramify.models.base.adapter import as_model, set_known
from ramify.models.base.model import HELD_OUT, RankingModel, has, mean_precision
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.trees.reassignment import Assignment, Reassigned, Round, reassigned
from ramify.models.trees.xr_linear import XRLinear
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float32, LabelTree, TopK
from ramify.wording import quoted

NEEDED = ("fit", "predict_topk", "clusters_reached", "get_params")
MOST_COPIES = 1000
MOST_ROUNDS = 1000
POSITIVES = ("all", "company")


def _check_tree_model(model: Any) -> None:
    """Raise InputError unless the argument is None or an unfitted tree model."""
    if model is None:
        return
    if not Own(NEEDED).fits(model) or "indexer" not in model.get_params(deep=False):
        raise InputError(f"model is {quoted(model)}, but must be an unfitted tree model such as XRLinear()")
    check_inside(model)


FORWARDED = frozenset({"hybrid", "beam", "score_pairs", "decision_function", "tree", "leaf_scores", "reasons"})
"""Abilities of the inner model that the wrapper has as well."""


class Disentangled(RankingModel):
    """A tree model with labels in several clusters.

    Parameters
    ----------
    model : estimator, optional
        A tree model with the method ``clusters_reached``, the fitted attribute ``tree_`` and the setting ``indexer``;
        ``XRLinear()`` when None.
    copies : int, default 2
        Maximum number of clusters per label, λ; with 1, labels are only moved.
    rounds : int, default 1
        Maximum number of reassignments, each followed by a training. With more than one, their number is chosen on
        held-out instances.
    cap : int, optional
        Maximum number of labels per cluster; 0: no limit. None: λ times the size of the largest cluster before, so that
        there is room for all labels and no cluster collects most of them.
    beam : int, optional
        Number of clusters that a training instance reaches for the reassignment; the model's ``beam`` when None.
    folds : int, default 3
        Folds of cross-fitting: the clusters of each fold are predicted by a matcher trained on the other folds, because
        the model overfits its own training instances. 0: the fitted model is used; with a cap of 0 and weighting
        "count", this is the published procedure.
    weighting : {"rank", "count"}, default "rank"
        Weight of each positive of a label in the choice of its clusters; "rank": 1 / rank of the cluster among those
        that the instance reaches; "count": 1 for each of them.
    positives : {"all", "company"}, default "all"
        Positive instances of the copies of a label; "all": every copy is trained on all; "company": each positive
        trains only the copy whose cluster's other labels it is most similar to, which separates senses better and costs
        precision.
    warm_start : bool, default False
        Keep the classifiers of leaves that stay in their cluster, and train only the clusters and new leaves. It needs
        a model with ``regrown``, and positives "all". Training is faster; precision on rare labels is slightly lower.
    held_out : float, default 0.1
        Share of the labelled instances on which the number of rounds is chosen. If no instance is held out, all rounds
        are done.
    seed : int, default 0
        Random seed of the held-out instances and of the model; overrides the model's setting.
    threads : int, optional
        Number of threads; overrides the model's setting unless None.

    Attributes
    ----------
    model_ : estimator
        The model on the last tree.
    rounds_ : tuple of Round
        Changes of each round.
    tree_ : LabelTree
        The last tree; a label may have several leaves.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "model": Parsed(_check_tree_model),
        "copies": Whole(1, MOST_COPIES),
        "rounds": Whole(1, MOST_ROUNDS),
        "cap": Whole(0, 2**31 - 1, optional=True),
        "beam": Whole(1, 2**31 - 1, optional=True),
        "folds": Whole(0, MOST_ROUNDS),
        "weighting": OneOf(WEIGHTINGS),
        "positives": OneOf(POSITIVES),
        "warm_start": YesNo(),
        "held_out": HELD_OUT,
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("copies",)

    def __init__(
        self,
        model: Any = None,
        *,
        copies: int = 2,
        rounds: int = 1,
        cap: int | None = None,
        beam: int | None = None,
        folds: int = 3,
        weighting: str = "rank",
        positives: str = "all",
        warm_start: bool = False,
        held_out: float = 0.1,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.copies = copies
        self.rounds = rounds
        self.cap = cap
        self.beam = beam
        self.folds = folds
        self.weighting = weighting
        self.positives = positives
        self.warm_start = warm_start
        self.held_out = held_out
        self.seed = seed
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        self._check_positives()
        parts = training.split(self.held_out, training.seed) if self.rounds > 1 else None
        if parts is None:
            model, made = self._run(training, self.rounds)
        else:
            rest, held = parts
            quality = self._held_out_precisions(rest.part_of_progress(0, 2), held)
            model, made = self._run(training.part_of_progress(1, 2), len(quality))
            made = [replace(one, held_out=value) for one, value in zip(made, quality, strict=True)]
        self.rounds_ = tuple(made)
        self._set_model(model)

    def _check_positives(self) -> None:
        model = XRLinear() if self.model is None else self.model
        if self.positives == "company" and self.copies > 1 and "visits" not in as_model(model).abilities:
            raise InputError(
                f"positives is 'company', but {type(model).__name__} trains all copies of a label on all its "
                "instances: leave it at 'all'"
            )

    def _run(
        self, training: CheckedTraining, rounds: int, stop: Callable[[Any], bool] | None = None
    ) -> tuple[Any, list[Round]]:
        """The model after ``rounds`` rounds, and the changes of each; ends early if ``stop(model)`` is true."""
        model = as_model(self._template(training)).fit_training(training.part_of_progress(0, rounds + 1))
        made: list[Round] = []
        for number in range(1, rounds + 1):
            new = reassigned(model, training, self._assignment(training.seed))
            model = self._trained_again(model, training.part_of_progress(number, rounds + 1), new)
            made.append(new.round)
            if stop is not None and stop(model):
                break
        return model, made

    def _template(self, training: CheckedTraining, indexer: FixedTree | None = None) -> Any:
        model = XRLinear() if self.model is None else clone(self.model)
        return set_known(model, seed=training.seed, threads=self.threads, indexer=indexer)

    def _assignment(self, seed: int) -> Assignment:
        names = ("copies", "cap", "beam", "folds", "weighting")
        return Assignment(**{name: getattr(self, name) for name in names}, seed=seed)

    def _trained_again(self, model: Any, training: CheckedTraining, new: Reassigned) -> Any:
        """The model trained on the new tree; with a warm start, unchanged leaves are kept."""
        if self.positives == "company" and self.copies > 1:  # unchanged leaves have other positives, so no warm start
            visits = new.visits(training, training.threads)
            training = replace(training, visits=visits)
        elif self.warm_start and "regrown" in as_model(model).abilities:
            data = {"threads": training.threads, "progress": training.progress}
            return model.regrown(new.tree, training.X, training.Y, **data)
        return as_model(self._template(training, FixedTree(new.tree))).fit_training(training)

    def _held_out_precisions(self, rest: CheckedTraining, held: CheckedTraining) -> list[float]:
        """Held-out precision after each round, up to the round before it stops increasing; at least one."""
        seen: list[float] = []

        def fell() -> bool:
            return len(seen) > 1 and seen[-1] <= seen[-2]

        def stops_growing(model: Any) -> bool:
            request = Request(X=held.X, k=min(5, held.Y.shape[1]), threads=held.threads)
            seen.append(mean_precision(held.Y, as_model(model).answer(request), rest.Y))
            return fell()

        self._run(rest, self.rounds, stops_growing)
        return seen[:-1] if fell() else seen

    def _set_model(self, model: Any) -> Disentangled:
        self.model_ = model
        self.n_features_in_, self.n_labels_ = model.n_features_in_, model.n_labels_
        return self

    def _threads(self, threads: int | None = None) -> int:
        """Number of threads of a call: the argument, else the setting, else the model's setting."""
        given = (threads, self.threads, getattr(self.model, "threads", None))
        return thread_count(next((count for count in given if count is not None), None))

    @property
    def abilities(self) -> frozenset[str]:
        """Abilities of the model, restricted to ``FORWARDED``."""
        given = next((model for model in (self.__dict__.get("model_"), self.model) if model is not None), None)
        return as_model(XRLinear() if given is None else given).abilities & FORWARDED

    @property
    def tree_(self) -> LabelTree:
        """The overlapping tree."""
        tree: LabelTree = self.model_.tree_
        return tree

    def inside(self) -> Mapping[str, Any]:
        """The model on the last tree."""
        return {"model": self.model_}

    def size(self) -> Sizes:
        """Sizes of the model on the last tree."""
        check_is_fitted(self)
        return as_model(self.model_).size()

    def _rank(self, request: CheckedRequest) -> TopK:
        return as_model(self.model_).answer(request)

    def _reachable(self) -> int:
        reachable = as_model(self.model_).size().reachable
        return self.n_labels_ if reachable is None else reachable

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``; the function of the inner model."""
        check_is_fitted(self)
        k = self._checked_k(k)
        return PreparedCall(lambda: (id(self.model_),), lambda: as_model(self.model_).single(k))

    @available_if(has("score_pairs"))
    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs, shape (n, L), merged over the copies of each label."""
        check_is_fitted(self)
        scores: CSR = self.model_.score_pairs(X, pairs)
        return scores

    @available_if(has("decision_function"))
    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels, shape (n, L)."""
        check_is_fitted(self)
        scores: Float32 = self.model_.decision_function(X)
        return scores

    @available_if(has("reasons"))
    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """Reasons of scores, one path per copy of a label: see ``models.base.reasons``."""
        check_is_fitted(self)
        reasons: Reasons = self.model_.reasons(request, labels)
        return reasons

    @available_if(has("leaf_scores"))
    def leaf_scores(self, X: Any, label: int) -> Float32:
        """Scores of each copy of a label for each instance, shape (n, copies)."""
        check_is_fitted(self)
        scores: Float32 = self.model_.leaf_scores(X, label)
        return scores

    @available_if(has("tree"))
    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """Path scores of the clusters that the search reaches, shape (n, clusters)."""
        check_is_fitted(self)
        reached: CSR = self.model_.clusters_reached(X, beam=beam)
        return reached

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state({"model": self.model_})
        settings = self._plain_settings()
        settings.pop("model")
        return {"settings": settings, "rounds": [asdict(one) for one in self.rounds_], **inside}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Disentangled:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the disentangled model is"):
            inner = stored_part("model", config["model"], arrays, parts)
            model = cls(clone(inner), **config["settings"])
            model.check_settings()
            model.rounds_ = tuple(_stored_round(one) for one in config["rounds"])
        return model._set_model(inner)


def _stored_round(one: dict[str, Any]) -> Round:
    before, after = Candidates(**one["before"]), Candidates(**one["after"])
    return Round(before=before, after=after, leaves=int(one["leaves"]), held_out=one["held_out"])
