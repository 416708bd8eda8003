"""A tree model whose labels may live in several clusters, learnt from its own matcher (PAPERS §5).

model = fit(X, Y)                                    on the tree that the model makes itself
each round:
    tree = reassigned(model, (X, Y)).tree            every label into the clusters that its positives reach
    model = fit(X, Y) on that tree
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ramify.checks import (
    SEED,
    THREADS,
    THRESHOLD,
    OneOf,
    Own,
    Parsed,
    Rules,
    Whole,
    YesNo,
    check_inside,
    thread_count,
)
from ramify.errors import InputError, damage_told
from ramify.index import FixedTree
from ramify.index.overlap import Candidates
from ramify.models.base.members import Single, part_of, required
from ramify.models.base.persistence import load_as, parts_to_state, stored_part
from ramify.models.base.ranking_model import HELD_OUT, Part, RankingModel, assignments, instances, mean_precision
from ramify.models.trees.reassignment import Assignment, Reassigned, Round, reassigned
from ramify.models.trees.xr_linear import XRLinear
from ramify.values import CSR, Float32, LabelTree, StageProgress, TopK
from ramify.wording import quoted

NEEDED = ("fit", "predict_topk", "clusters_reached", "get_params")
MOST_COPIES = 1000
MOST_ROUNDS = 1000
POSITIVES = ("all", "company")


def _check_tree_model(model: Any) -> None:
    """InputError unless this is None or an unfitted tree model."""
    if model is None:
        return
    if not Own(NEEDED).fits(model) or "indexer" not in model.get_params(deep=False):
        raise InputError(f"model is {quoted(model)}, but must be an unfitted tree model such as XRLinear()")
    check_inside(model)


def _has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(getattr(self, "model_", None) or self.model or XRLinear, method)


class Disentangled(RankingModel):
    """A tree model with labels in several clusters.

    Parameters
    ----------
    model : estimator, optional
        A tree model: it has ``clusters_reached``, ``tree_`` when fitted, and takes an ``indexer``; ``XRLinear()`` when
        None.
    copies : int, default 2
        Clusters that a label is in at most, λ; 1 only moves labels.
    rounds : int, default 1
        Reassignments, each followed by a training; with more than one their number is chosen on held-out instances.
    cap : int, optional
        Labels of a cluster at most; when None, λ times those of the largest cluster before, so that all may find room
        and none draws most labels to itself; 0 for no limit.
    beam : int, optional
        Clusters that a training instance reaches when labels are reassigned; the model's own beam when None.
    folds : int, default 3
        Parts of the training instances, each sent through the tree by a matcher that the others trained: the model
        itself knows its training instances too well to tell where new ones will go. 0 asks the model; with a cap of 0
        that is the procedure as published.
    positives : {"all", "company"}
        Instances that train a copy of their label: all, or those that are more like the other labels of its cluster
        than like those of the other copies' clusters, which parts senses.
    warm_start : bool, default False
        Leaves that stay in their cluster keep their classifiers, where the model can (``XRLinear.regrown``) and all
        positives train all copies; clusters and new leaves are trained. Cheaper, and a little less precise on the tail.
    held_out : float, default 0.1
        Share of the labelled instances that the number of rounds is chosen by; where that is none, all are done.
    decision_threshold : float, default 0.5
        Score from which ``predict`` gives a label.
    seed : int, default 0
        Draws the held-out instances, and is the model's in place of its own.
    threads : int, optional
        The model's in place of its own; None leaves it.

    Attributes
    ----------
    model_ : estimator
        The model on the last tree.
    rounds_ : tuple of Round
        What each round changed.
    tree_ : LabelTree
        Its leaves repeat labels.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "model": Parsed(_check_tree_model),
        "copies": Whole(1, MOST_COPIES),
        "rounds": Whole(1, MOST_ROUNDS),
        "cap": Whole(0, 2**31 - 1, optional=True),
        "beam": Whole(1, 2**31 - 1, optional=True),
        "folds": Whole(0, MOST_ROUNDS),
        "positives": OneOf(POSITIVES),
        "warm_start": YesNo(),
        "held_out": HELD_OUT,
        "decision_threshold": THRESHOLD,
        "seed": SEED,
        "threads": THREADS,
    }

    def __init__(
        self,
        model: Any = None,
        *,
        copies: int = 2,
        rounds: int = 1,
        cap: int | None = None,
        beam: int | None = None,
        folds: int = 3,
        positives: str = "all",
        warm_start: bool = False,
        held_out: float = 0.1,
        decision_threshold: float = 0.5,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.copies = copies
        self.rounds = rounds
        self.cap = cap
        self.beam = beam
        self.folds = folds
        self.positives = positives
        self.warm_start = warm_start
        self.held_out = held_out
        self.decision_threshold = decision_threshold
        self.seed = seed
        self.threads = threads

    def fit(self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> Disentangled:
        """Train, reassign, train again.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments: what is above 0 is positive.
        progress : callable, optional
            Told (stage, share done).

        Raises
        ------
        InputError
            Settings or data out of range; the sentence names which.
        """
        self.check_settings()
        X = instances(X)
        everything = Part(X, assignments(Y, X.shape[0], type(self).__name__))
        parts = everything.split(self.held_out, self.seed) if self.rounds > 1 else None
        if parts is None:
            model, made = self._run(everything, self.rounds, progress)
        else:
            held = self._tried(*parts, part_of(progress, 0, 2))
            model, made = self._run(everything, len(held), part_of(progress, 1, 2))
            made = [replace(one, held_out=value) for one, value in zip(made, held, strict=True)]
        self.rounds_ = tuple(made)
        return self._set_model(model)

    def _run(
        self, part: Part, rounds: int, progress: StageProgress | None, stop: Callable[[Any], bool] | None = None
    ) -> tuple[Any, list[Round]]:
        """The model after so many rounds, and what each changed; ``stop`` looks at the model after each."""
        model = self._template().fit(*part, progress=part_of(progress, 0, rounds + 1))
        made: list[Round] = []
        for number in range(1, rounds + 1):
            new = reassigned(model, part, self._assignment())
            model = self._trained_again(model, part, new, part_of(progress, number, rounds + 1))
            made.append(new.round)
            if stop is not None and stop(model):
                break
        return model, made

    def _template(self, indexer: FixedTree | None = None) -> Any:
        model = XRLinear() if self.model is None else clone(self.model)
        known = model.get_params(deep=False)
        own = {"seed": self.seed, "threads": self.threads, "indexer": indexer}
        return model.set_params(**{name: value for name, value in own.items() if name in known and value is not None})

    def _assignment(self) -> Assignment:
        names = ("copies", "cap", "beam", "folds", "seed")
        return Assignment(**{name: getattr(self, name) for name in names})

    def _trained_again(self, model: Any, part: Part, new: Reassigned, progress: StageProgress | None) -> Any:
        """The model on the new tree; with a warm start leaves that stay in their cluster are kept."""
        if self.positives == "company" and self.copies > 1:  # a leaf that stays is taught by others than before
            again = self._template(FixedTree(new.tree))
            visits = required(again.fit, {"visits": new.visits(part, thread_count(self.threads))})
            return again.fit(*part, **visits, progress=progress)
        if self.warm_start and hasattr(model, "regrown"):
            return model.regrown(new.tree, *part, progress=progress)
        return self._template(FixedTree(new.tree)).fit(*part, progress=progress)

    def _tried(self, rest: Part, held: Part, progress: StageProgress | None) -> list[float]:
        """Held-out precision after every round, as long as it grows; at least one round."""
        seen: list[float] = []

        def fell() -> bool:
            return len(seen) > 1 and seen[-1] <= seen[-2]

        def stops_growing(model: Any) -> bool:
            asked = min(5, held.Y.shape[1])
            seen.append(mean_precision(held.Y, model.predict_topk(held.X, asked), rest.Y))
            return fell()

        self._run(rest, self.rounds, progress, stops_growing)
        return seen[:-1] if fell() else seen

    def _set_model(self, model: Any) -> Disentangled:
        self.model_ = model
        self.n_features_in_, self.n_labels_ = model.n_features_in_, model.n_labels_
        return self

    @property
    def tree_(self) -> LabelTree:
        """The overlapping tree."""
        tree: LabelTree = self.model_.tree_
        return tree

    @property
    def matcher_(self) -> Any:
        """The model's, where it has one."""
        return self.model_.matcher_

    @property
    def reach_(self) -> int:
        """Labels that the model's search can reach at most."""
        return int(self.model_.reach_)

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
        """The k best labels of each instance, as the model's own ``predict_topk``; each label once."""
        check_is_fitted(self)
        if self.threads is not None and hasattr(self.model_, "threads"):
            self.model_.threads = self.threads
        ask = self.model_.predict_topk
        options = {"beam": beam, "allowed": allowed, "forbidden": forbidden, "progress": progress}
        top: TopK = ask(self._features(X), self._labels_asked(k), **required(ask, options))
        return top

    @available_if(_has("single"))
    def single(self, k: int) -> Single:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k)."""
        check_is_fitted(self)
        ask: Single = self.model_.single(self._labels_asked(k))
        return ask

    @available_if(_has("score_pairs"))
    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs only, shape (n, L): of all copies of a label, merged."""
        check_is_fitted(self)
        return self.model_.score_pairs(X, pairs)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels, shape (n, L)."""
        check_is_fitted(self)
        scores: Float32 = self.model_.decision_function(X)
        return scores

    @available_if(_has("leaf_scores"))
    def leaf_scores(self, X: Any, label: int) -> Float32:
        """How well each copy of a label suits each instance, shape (n, copies)."""
        check_is_fitted(self)
        scores: Float32 = self.model_.leaf_scores(X, label)
        return scores

    @available_if(_has("clusters_reached"))
    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """Where the search would send instances: shape (n, clusters), with path scores."""
        check_is_fitted(self)
        return self.model_.clusters_reached(X, beam=beam)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state({"model": self.model_})
        settings = self._plain_settings()
        settings.pop("model")
        return {"settings": settings, "rounds": [asdict(one) for one in self.rounds_], **inside}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Disentangled:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or arrays that do not fit.
        """
        with damage_told("the disentangled model is"):
            inner = stored_part("model", config["model"], arrays, parts)
            model = cls(clone(inner), **config["settings"])
            model.check_settings()
            model.rounds_ = tuple(_stored_round(one) for one in config["rounds"])
        return model._set_model(inner)

    @classmethod
    def load(
        cls, directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Disentangled:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)


def _stored_round(one: dict[str, Any]) -> Round:
    before, after = Candidates(**one["before"]), Candidates(**one["after"])
    return Round(before=before, after=after, leaves=int(one["leaves"]), held_out=one["held_out"])
