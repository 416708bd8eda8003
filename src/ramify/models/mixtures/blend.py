"""An ensemble of trees and nearest training instances; cost and weights are chosen on held-out instances.

C     = the element of COSTS whose tree has the highest held-out precision
share = the element of SHARES, the weight of the nearest instances, with the highest held-out precision for that tree
model = Ensemble(trees of cost C, nearest instances), trained on all instances

Precision is the mean of P@1, P@3 and P@5 of the final ranking, including ``tail_rank`` (``models.trees.tail``). PSP is
not used as the criterion: it selects a share that loses more precision than PSP gains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.checks import THRESHOLD, Rules, rules_of
from ramify.errors import ModelFileError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single
from ramify.models.base.model import HELD_OUT, RankingModel, mean_precision
from ramify.models.base.persistence import parts_to_state, stored_part
from ramify.models.base.prepared import PreparedCall
from ramify.models.mixtures.ensemble import Ensemble
from ramify.models.mixtures.members import TREES, tree_seeds
from ramify.models.mixtures.merging import Merger
from ramify.models.neighbours.nearest import NearestInstances
from ramify.models.trees.tail import log_bias_by_rarity, reranked
from ramify.models.trees.xr_linear import XRLinear
from ramify.values import CSR, Float32, Int32, TopK

COSTS = (0.5, 1.0, 2.0)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
EPSILON = 0.3
"""Solver tolerance of the trees: tighter than the default of ``XRLinear``, for about 5% more training time."""

MOST_HELD_OUT = 5_000
MOST_TRIED = 50_000
"""Maximum number of held-out and of training instances for the choice; more take longer and hardly change it."""

RERANKED = 20
"""Number of labels that are reranked; larger numbers did not change any measure."""

BIAS = "label_bias"
"""Name of the array in a model directory."""


class Blend(RankingModel):
    """Trees whose cost is chosen on held-out instances, mixed with the nearest training instances.

    Parameters
    ----------
    trees : int, default 2
        Number of trees of the final model, with consecutive seeds.
    branching : int, default 256
        Children per inner cluster of the trees; larger than the default of ``XRLinear``, hence slower and more precise.
    max_leaf : int, default 256
        Maximum number of labels per leaf cluster of the trees.
    beam : int, default 20
        Nodes kept per level in the search of the trees.
    held_out : float, default 0.2
        Share of the instances on which cost and weights are chosen; at most 5,000 instances. With 0, the cost is 1 and
        nearest instances are not used.
    tail_cost : float, default 0
        Positives of label l are weighted by (1 / propensity of l)^tail_cost; larger favours rare labels.
    tail_rank : float, default 0
        Scores of the 20 best labels are multiplied by (1 / propensity)^tail_rank; larger ranks rare labels higher.
    decision_threshold : float, default 0.5
        Minimum score, before ``tail_rank`` is applied, of a label that ``predict`` returns.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction; for the trees only, because the
        search for nearest instances uses the cosine.
    seed : int, default 0
        Random seed; the same seed gives the same model, for any number of threads.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    ensemble_ : Ensemble
        The trees and the nearest instances.
    cost_, share_ : float
        The chosen C of the trees, and the chosen weight of the nearest instances.
    label_bias_ : float32 array, shape (L,), or None
        Factors of the labels' scores: 1 for the rarest label; None without ``tail_rank``.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "trees": TREES,
        **rules_of(XRLinear, "branching", "max_leaf", "beam", "tail_cost", "tail_rank"),
        "held_out": HELD_OUT,
        **rules_of(XRLinear, "decision_threshold", "normalize", "seed", "threads"),
    }
    FLAGS = ("trees", "branching", "max_leaf", "beam", "held_out", "tail_cost", "tail_rank", "normalize")

    def __init__(
        self,
        *,
        trees: int = 2,
        branching: int = 256,
        max_leaf: int = 256,
        beam: int = 20,
        held_out: float = 0.2,
        tail_cost: float = 0.0,
        tail_rank: float = 0.0,
        decision_threshold: float = 0.5,
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
        self.decision_threshold = decision_threshold
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        """Choose cost and share on held-out instances, then train on all instances."""
        n_fits = len(COSTS) + 1
        self.label_bias_ = self._label_bias(training.Y)
        self.cost_, self.share_ = self._choose(training, n_fits)
        final: Ensemble = self._final(training).fit_training(training.part_of_progress(n_fits - 1, n_fits))
        self._set_ensemble(final)

    def check_settings(self) -> None:
        """Raise InputError if a setting breaks its rule, or the seeds of the trees exceed the maximum."""
        super().check_settings()
        tree_seeds(self.seed, self.trees)

    def _label_bias(self, Y: CSR) -> Float32 | None:
        return np.exp(log_bias_by_rarity(Y, self.tail_rank)) if self.tail_rank > 0 else None

    def _choose(self, training: CheckedTraining, n_fits: int) -> tuple[float, float]:
        """The cost and the share with the highest held-out precision; (1, 0) if no instance can be held out."""
        parts = training.split(self.held_out, training.seed, most_rest=MOST_TRIED, most_held=MOST_HELD_OUT)
        if parts is None:
            return 1.0, 0.0
        rest, held = parts
        request = Request(X=held.X, k=min(RERANKED, held.Y.shape[1]), threads=training.threads)
        tried = []
        for number, cost in enumerate(COSTS):
            tree = XRLinear(**self._tree_settings(cost)).fit_training(rest.part_of_progress(number, n_fits))
            top = tree.answer(request)
            tried.append((self._quality(top, rest, held), -number, top))
        _, best, top = max(tried, key=lambda one: one[:2])
        near = NearestInstances().fit_training(replace(rest, progress=None)).answer(request)
        mixed = [(self._quality(_mixture(top, near, share), rest, held), -share) for share in SHARES]
        return COSTS[-best], -max(mixed)[1]

    def _tree_settings(self, cost: float) -> dict[str, Any]:
        """Settings of ``XRLinear`` for the training of the trees."""
        costs = {"cost_positive": cost, "cost_negative": cost, "tail_cost": self.tail_cost}
        return costs | {"epsilon": EPSILON, "normalize": self.normalize}

    def _quality(self, top: TopK, rest: CheckedTraining, held: CheckedTraining) -> float:
        """Mean of P@1, P@3 and P@5 on held-out instances, for cut-offs of at most L."""
        bias = self._label_bias(rest.Y)
        labels, scores = top.labels, top.scores
        if bias is not None:
            labels, scores = reranked(labels, scores, bias, min(5, held.Y.shape[1]))
        return mean_precision(held.Y, TopK(labels, scores), rest.Y)

    def _final(self, training: CheckedTraining) -> Ensemble:
        tree = XRLinear(
            branching=self.branching,
            max_leaf=self.max_leaf,
            beam=self.beam,
            seed=training.seed,
            **self._tree_settings(self.cost_),
        )
        models, weights = ([tree], [1.0]) if self.share_ == 0 else ([tree, NearestInstances()], _weights(self.share_))
        return Ensemble(models, trees=self.trees, weights=weights, threads=self.threads)

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
        return frozenset({"beam"})

    def _reachable(self) -> int:
        return self.ensemble_._reachable()

    def _rank(self, request: CheckedRequest) -> TopK:
        bias, k = self.label_bias_, request.k
        if bias is None:
            return self.ensemble_.answer(request)
        top = self.ensemble_.answer(replace(request, k=self._reranked(k)))
        return TopK(*reranked(top.labels, top.scores, bias, k))

    def decide(self, request: Request) -> CSR:
        """0/1 matrix, shape (n, L): labels with scores from ``decision_threshold``, before ``tail_rank`` is applied."""
        check_is_fitted(self)
        request = replace(request, threads=self._threads(request.threads))
        return self.ensemble_.decided(request, THRESHOLD.check("decision_threshold", self.decision_threshold))

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``."""
        check_is_fitted(self)
        k = self._checked_k(k)

        def prepare() -> Single:
            ensemble, bias = self.ensemble_, self.label_bias_
            answer = ensemble.single(k if bias is None else self._reranked(k))

            def ranked(indices: Int32, values: Float32) -> tuple[Int32, Float32]:
                labels, scores = answer(indices, values)
                return (labels, scores) if bias is None else reranked(labels, scores, bias, k)

            return ranked

        return PreparedCall(lambda: (id(self.ensemble_), id(self.label_bias_)), prepare)

    def _reranked(self, k: int) -> int:
        return max(k, min(RERANKED, self.n_labels_))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state(self.inside())
        chosen = {"cost": float(self.cost_), "share": float(self.share_)}
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
            model.cost_, model.share_ = float(config["chosen"]["cost"]), float(config["chosen"]["share"])
            ensemble = stored_part("ensemble", config["ensemble"], arrays, parts)
        if not isinstance(ensemble, Ensemble):
            raise ModelFileError("the blend is damaged (it contains no ensemble): restore the model directory")
        model.label_bias_ = _stored_bias(arrays[BIAS], ensemble.n_labels_) if BIAS in arrays else None
        if model.tail_rank > 0 and model.label_bias_ is None:
            raise ModelFileError(f"the blend is damaged (array {BIAS} is missing): restore the model directory")
        return model._set_ensemble(ensemble)


def _weights(share: float) -> list[float]:
    return [1 - share, share]


def _mixture(tree: TopK, nearest: TopK, share: float) -> TopK:
    """The ranking of an ``Ensemble`` of a tree and nearest instances."""
    if share == 0:
        return tree
    merger = Merger(combine="average", weights=np.array(_weights(share)), candidates=tree.labels.shape[1])
    labels, scores = (np.stack([getattr(top, name) for top in (tree, nearest)], 1) for name in ("labels", "scores"))
    return merger.merge(labels, scores, tree.labels.shape[1])


def _stored_bias(bias: Any, n_labels: int) -> Float32:
    fits = isinstance(bias, np.ndarray) and bias.dtype == np.float32 and bias.shape == (n_labels,)
    if not fits or not ((bias >= 0) & (bias <= 1)).all():
        raise ModelFileError(f"the blend is damaged (array {BIAS}): restore the model directory")
    return np.asarray(bias)
