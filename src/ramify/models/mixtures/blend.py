"""An ensemble of trees and nearest training instances; members and settings are chosen on held-out instances.

C      = chosen on a sample (``linear.cost``)
choice = number of trees, beam, weight of the nearest instances, tail_rank (``mixtures.choice``)
model  = Ensemble(trees of cost C, nearest instances), trained on all instances; ranked by score · bias of tail_rank
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, Rules, real_number, rules_of, whole_number
from ramify.errors import ModelFileError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single, Training
from ramify.linear.defaults import default_tolerance
from ramify.models.base.model import HELD_OUT, RankingModel
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.base.unit import unit_rows
from ramify.models.mixtures.choice import BEAMS, RERANKED, TAIL_RANKS, Choice, Trial, label_bias
from ramify.models.mixtures.ensemble import Ensemble
from ramify.models.mixtures.member_reasons import biased
from ramify.models.mixtures.members import TREES, clones_by_seed, tree_seeds
from ramify.models.neighbours.nearest import NearestInstances
from ramify.models.trees.indexing import is_flat
from ramify.models.trees.tail import TAIL_POWER, reranked
from ramify.models.trees.xr_linear import XRLinear
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float32, Int32, TopK

EPSILON = 0.3
"""Maximum solver tolerance of the trees. For large data the default of ``XRLinear`` is looser and about 5% faster."""

MAX_LEAF = 256
"""Maximum number of labels per leaf cluster of the trees."""

MOST_HELD_OUT = 5_000
MOST_TRIED = 50_000
"""Maximum number of held-out and of training instances for the choice; more take longer and hardly change it."""

BIAS = "label_bias"
"""Name of the array in a model directory."""


class Blend(RankingModel):
    """Trees mixed with the nearest training instances; members and settings are chosen on held-out instances.

    Parameters
    ----------
    trees : int, default 2
        Maximum number of trees of the final model, with consecutive seeds. A tree that gains too little is left out.
        Trees without clusters are the same for all seeds, so there is only one then.
    branching : int, default 256
        Children per inner cluster of the trees; larger than the default of ``XRLinear``, hence slower and more precise.
    max_leaf : int, optional
        Maximum number of labels per leaf cluster of the trees. None: 256, or no clusters at all if there are few
        labels, as in ``XRLinear``.
    beam : int, optional
        Nodes kept per level in the search of the trees; None: chosen among 10, 20 and 40.
    held_out : float, default 0.2
        Share of the instances on which members and settings are chosen; at most 5,000 instances. With 0, all trees are
        used, with a beam of 20, and neither nearest instances nor a chosen ``tail_rank``.
    tail_cost : float, default 0
        Positives of label l are weighted by (1 / propensity of l)^tail_cost; larger favours rare labels.
    tail_rank : float, optional
        Scores of the 20 best labels are multiplied by (1 / propensity)^tail_rank; larger ranks rare labels higher.
        None: chosen among 0, 0.1, 0.2, 0.3 and 0.6.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction; for the trees only, because the
        search for nearest instances uses the cosine. Of a ``Hybrid``, it uses the sparse block only; the weight of the
        dense block in the trees is chosen together with C.
    seed : int, default 0
        Random seed; the same seed gives the same model on one machine, for any number of threads.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    ensemble_ : Ensemble
        The trees and the nearest instances.
    cost_ : float
        The chosen C of the trees.
    choice_ : Choice
        The chosen number of trees, beam, weight of the nearest instances and tail_rank.
    label_bias_ : float32 array, shape (L,), or None
        Factors of the labels' scores: 1 for the rarest label; None without ``tail_rank``.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "trees": TREES,
        **rules_of(XRLinear, "branching", "max_leaf"),
        "beam": replace(COUNT, optional=True),
        **rules_of(XRLinear, "tail_cost"),
        "tail_rank": replace(TAIL_POWER, optional=True),
        "held_out": HELD_OUT,
        **rules_of(XRLinear, "normalize", "seed", "threads"),
    }
    FLAGS = ("trees", "branching", "max_leaf", "beam", "held_out", "tail_cost", "tail_rank", "normalize")

    def __init__(
        self,
        *,
        trees: int = 2,
        branching: int = 256,
        max_leaf: int | None = None,
        beam: int | None = None,
        held_out: float = 0.2,
        tail_cost: float = 0.0,
        tail_rank: float | None = None,
        normalize: bool = True,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.trees = trees
        self.branching = branching
        self.max_leaf = max_leaf
        self.beam = beam
        self.held_out = held_out
        self.tail_cost = tail_cost
        self.tail_rank = tail_rank
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        """Choose C, members and settings, then train on all instances."""
        flat = is_flat(training, self.max_leaf)
        tree = self._tree(flat, training.X.shape[0])
        rows = replace(training, X=unit_rows(training.X)[0] if self.normalize else training.X)
        weight = tree.chosen_dense_weight(rows)
        cost = tree.chosen_cost(tree.with_blocks(rows, weight)) or 1.0
        tree.set_params(seed=training.seed, cost_positive=cost, cost_negative=cost, dense_weight=weight)
        self._train(training.part_of_progress(1, 2), tree, cost, self._choose(training, tree, flat))

    def _train(self, training: CheckedTraining, tree: XRLinear, cost: float, choice: Choice) -> None:
        """Train the chosen members on all instances."""
        ensemble: Ensemble = self._final(tree, choice).fit_training(training)
        self.cost_, self.choice_ = float(cost), choice
        self.label_bias_ = label_bias(training.Y, choice.tail_rank)
        self._set_ensemble(ensemble)

    def refitted(self, training: Training) -> Blend:
        """A new model with the members and settings that this one chose, trained on other instances."""
        check_is_fitted(self)
        again: Blend = clone(self)
        data = again._checked_training(training)
        flat = self.ensemble_.members_[0].tree_.depth == 1  # the same shape, also with fewer instances
        tree = again._tree(flat, data.X.shape[0]).set_params(**{"max_leaf": self.n_labels_} if flat else {})
        weight = self.ensemble_.members_[0].dense_weight_
        tree.set_params(seed=data.seed, cost_positive=self.cost_, cost_negative=self.cost_, dense_weight=weight)
        again._train(data, tree, self.cost_, self.choice_)
        return again

    def check_settings(self) -> None:
        """Raise InputError if a setting breaks its rule, or the seeds of the trees exceed the maximum."""
        super().check_settings()
        tree_seeds(self.seed, self.trees)

    def _choose(self, training: CheckedTraining, tree: XRLinear, flat: bool) -> Choice:
        """The choice on held-out instances; without any, all trees and no nearest instances.

        Flat trees of different seeds are the same classifiers, up to the tolerance of the solver, and their search has
        no beam. Therefore only one tree and one beam are considered.
        """
        n_trees, n_beams = (1, 1) if flat else (self.trees, len(BEAMS))
        parts = training.split(self.held_out, training.seed, most_rest=MOST_TRIED, most_held=MOST_HELD_OUT)
        if parts is None:
            return Choice(trees=n_trees, beam=self.beam or 20, share=0.0, tail_rank=self.tail_rank or 0.0)
        rest, held = parts
        beams = BEAMS[:n_beams] if self.beam is None else (self.beam,)
        trial = Trial(rest.part_of_progress(0, 2), held, clones_by_seed(tree, n_trees), beams)
        return trial.choose(TAIL_RANKS if self.tail_rank is None else (self.tail_rank,))

    def _tree(self, flat: bool, n_instances: int) -> XRLinear:
        """An unfitted tree whose C is not chosen yet."""
        return XRLinear(
            branching=self.branching,
            max_leaf=self.max_leaf if flat else self.max_leaf or MAX_LEAF,
            epsilon=min(EPSILON, default_tolerance(n_instances)),
            tail_cost=self.tail_cost,
            normalize=self.normalize,
        )

    def _final(self, tree: XRLinear, choice: Choice) -> Ensemble:
        share = choice.share
        tree.set_params(beam=choice.beam)
        models, weights = ([tree], [1.0]) if share == 0 else ([tree, NearestInstances()], [1 - share, share])
        return Ensemble(models, trees=choice.trees, weights=weights, threads=self.threads)

    def _set_ensemble(self, ensemble: Ensemble) -> Blend:
        size = ensemble.size()
        self.ensemble_ = ensemble
        self.n_features_in_, self.n_labels_ = int(size.features or 0), size.labels
        self.normalized_rows_ = size.normalized_rows
        return self

    def inside(self) -> Mapping[str, Any]:
        """The ensemble of the trees and the nearest instances."""
        return {"ensemble": self.ensemble_}

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"beam", "hybrid", "reasons", "refitted"})

    def _reachable(self) -> int:
        return self.ensemble_._reachable()

    def _rank(self, request: CheckedRequest) -> TopK:
        bias, k = self.label_bias_, request.k
        if bias is None:
            return self.ensemble_.answer(request)
        top = self.ensemble_.answer(replace(request, k=self._reranked(k)))
        return TopK(*reranked(top.labels, top.scores, bias, k))

    def decided(self, request: Request, threshold: float) -> CSR:
        """0/1 matrix, shape (n, L): labels with scores from ``threshold``, before ``tail_rank`` is applied."""
        check_is_fitted(self)
        request = replace(request, threads=self._threads(request.threads))
        return self.ensemble_.decided(request, threshold)

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``."""
        check_is_fitted(self)
        k = self._checked_k(k)

        def prepare() -> Single:
            ensemble, bias = self.ensemble_, self.label_bias_
            answer = ensemble.single(k if bias is None else self._reranked(k))

            def ranked(*instance: Any) -> tuple[Int32, Float32]:
                labels, scores = answer(*instance)
                return (labels, scores) if bias is None else reranked(labels, scores, bias, k)

            return ranked

        return PreparedCall(lambda: (id(self.ensemble_), id(self.label_bias_)), prepare)

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The part of each member in a score, and its reason: see ``models.base.reasons``."""
        check_is_fitted(self)
        k, bias = self._checked_k(request.k), self.label_bias_
        if bias is None:
            return self.ensemble_.reasons(replace(request, k=k), labels)
        found = self.ensemble_.reasons(replace(request, k=self._reranked(k)), labels)
        return [[biased(reason, bias[label]) for reason, label in zip(row, labels, strict=True)] for row in found]

    def _reranked(self, k: int) -> int:
        return max(k, min(RERANKED, self.n_labels_))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state(self.inside())
        chosen = {"cost": float(self.cost_), **asdict(self.choice_)}
        bias = {} if self.label_bias_ is None else {BIAS: self.label_bias_}
        return {"settings": self._plain_settings(), "chosen": chosen, **inside}, bias | arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Blend:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or members.
        """
        with damage_reported("the blend is"):
            model = cls(**config["settings"])
            model.check_settings()
            model.cost_, model.choice_ = _stored_choice(model, config["chosen"])
            ensemble = stored_part("ensemble", config["ensemble"], arrays, parts)
        if not isinstance(ensemble, Ensemble):
            raise ModelFileError("the blend is damaged (it contains no ensemble): restore the model directory")
        model.label_bias_ = _stored_bias(arrays[BIAS], ensemble.n_labels_) if BIAS in arrays else None
        if model.choice_.tail_rank > 0 and model.label_bias_ is None:
            raise ModelFileError(f"the blend is damaged (array {BIAS} is missing): restore the model directory")
        return model._set_ensemble(ensemble)


def _stored_choice(model: Blend, chosen: dict[str, Any]) -> tuple[float, Choice]:
    """C and the choice; models of before November 2026 chose only C and share."""
    given = {"trees": model.trees, "beam": model.beam, "tail_rank": model.tail_rank} | chosen
    choice = Choice(
        trees=TREES.check("trees", given["trees"]),
        beam=whole_number("beam", given["beam"], 1),
        share=real_number("share", given["share"], 0, 1),
        tail_rank=TAIL_POWER.check("tail_rank", given["tail_rank"]),
    )
    return float(chosen["cost"]), choice


def _stored_bias(bias: Any, n_labels: int) -> Float32:
    fits = isinstance(bias, np.ndarray) and bias.dtype == np.float32 and bias.shape == (n_labels,)
    if not fits or not ((bias >= 0) & (bias <= 1)).all():
        raise ModelFileError(f"the blend is damaged (array {BIAS}): restore the model directory")
    return np.asarray(bias)
