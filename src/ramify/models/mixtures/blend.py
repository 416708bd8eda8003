"""The most precise that linear trees give here: trees and the nearest training instances, mixed as held-out data tells.

Nothing but the data tells how strongly a set wants to be regularised, and how much single instances are worth:

C     = the cost of COSTS whose tree ranks held-out instances best
share = the say of SHARES that the nearest instances get beside that tree
model = Ensemble(trees of cost C, nearest instances), trained on all instances

"Best" is by P@1, P@3 and P@5 of the ranking as it is answered: with rare labels favoured, where they are
(``models.tail``). By PSP the nearest instances would get a say that costs more precision than it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.checks import Rules, rules_of
from ramify.errors import ModelFileError, damage_told
from ramify.models.base.members import TREES, Single, part_of, tree_seeds
from ramify.models.base.persistence import load_as, parts_to_state, stored_part
from ramify.models.base.ranking_model import HELD_OUT, Part, RankingModel, assignments, instances, mean_precision
from ramify.models.mixtures.ensemble import Ensemble
from ramify.models.mixtures.merging import Merger
from ramify.models.neighbours.nearest import NearestInstances
from ramify.models.trees.tail import favour_by_rarity, reranked
from ramify.models.trees.xr_linear import XRLinear
from ramify.values import CSR, Float32, StageProgress, TopK

COSTS = (0.5, 1.0, 2.0)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
EPSILON = 0.3
"""The trees' tolerance, nearer to the optimum than that of a tree alone: a twentieth more of the training."""

MOST_HELD_OUT = 5_000
MOST_TRIED = 50_000
"""Instances that the choice is made by, and on: beyond, it gets slower and hardly better."""

RERANKED = 20
"""Labels among which rare ones may rise; more changed no measure."""


class Blend(RankingModel):
    """Trees whose cost is chosen on held-out instances, mixed with the nearest training instances.

    Parameters
    ----------
    trees : int, default 2
        Trees of the final model, with seeds of their own.
    branching, max_leaf, beam : int, default 256, 256 and 20
        Of these trees; wider than the default of ``XRLinear``, hence slower and more precise.
    held_out : float, default 0.2
        Share of the instances that cost and mixture are chosen by, at most 5,000 instances; 0 chooses nothing and
        takes cost 1 and no neighbours.
    tail_cost : float, default 0
        Of the trees: the power of the inverse propensity that positives cost more by.
    tail_rank : float, default 0
        Power of the inverse propensity that the blend's scores are multiplied by, so that rare labels rank higher among
        the 20 best.
    decision_threshold : float, default 0.5
        Score, not counting ``tail_rank``, from which ``predict`` gives a label.
    normalize : bool, default True
        Of the trees: divide each row of X by its Euclidean length, in training and in prediction. The nearest instances
        are those of largest cosine in any case.
    seed : int, default 0
        Same seed, same model, for any number of threads.
    threads : int, optional
        None takes every CPU.

    Attributes
    ----------
    ensemble_ : Ensemble
        What answers.
    cost_, share_ : float
        What was chosen: C of the trees, and the say of the nearest instances.
    favour_ : float32 array, shape (L,), or None
        What the labels' scores are multiplied by: 1 for the rarest; None without ``tail_rank``.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "trees": TREES,
        **rules_of(XRLinear, "branching", "max_leaf", "beam", "tail_cost", "tail_rank"),
        "held_out": HELD_OUT,
        **rules_of(XRLinear, "decision_threshold", "normalize", "seed", "threads"),
    }

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

    def fit(self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> Blend:
        """Choose on held-out instances, then learn from all.

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
        self.favour_ = self._favour(everything.Y)
        n_fits = len(COSTS) + 1
        self.cost_, self.share_ = self._choose(everything, progress, n_fits)
        final = part_of(progress, n_fits - 1, n_fits)
        self._set_ensemble(self._final().fit(*everything, progress=final))
        return self

    def check_settings(self) -> None:
        """InputError where a setting breaks its rule, or the seeds of the trees exceed the largest one."""
        super().check_settings()
        tree_seeds(self.seed, self.trees)

    def _favour(self, Y: CSR) -> Float32 | None:
        return np.exp(favour_by_rarity(Y, self.tail_rank)) if self.tail_rank > 0 else None

    def _choose(self, everything: Part, progress: StageProgress | None, n_fits: int) -> tuple[float, float]:
        """The cost and the share that rank held-out instances best; the plain ones where there is nothing to tell."""
        parts = everything.split(self.held_out, self.seed, most_rest=MOST_TRIED, most_held=MOST_HELD_OUT)
        if parts is None:
            return 1.0, 0.0
        rest, held = parts
        width = min(RERANKED, held.Y.shape[1])
        tried = []
        for number, cost in enumerate(COSTS):
            tree = XRLinear(seed=self.seed, threads=self.threads).set_params(**self._solving(cost))
            tree.fit(*rest, progress=part_of(progress, number, n_fits))
            top = tree.predict_topk(held.X, width)
            tried.append((self._worth(top, rest, held), -number, top))
        _, best, top = max(tried, key=lambda one: one[:2])
        near = NearestInstances(threads=self.threads).fit(*rest).predict_topk(held.X, width)
        mixed = [(self._worth(_mixture(top, near, share), rest, held), -share) for share in SHARES]
        return COSTS[-best], -max(mixed)[1]

    def _solving(self, cost: float) -> dict[str, float]:
        """Settings of the trees' training: of ``XRLinear``."""
        costs = {"cost_positive": cost, "cost_negative": cost, "tail_cost": self.tail_cost}
        return costs | {"epsilon": EPSILON, "normalize": self.normalize}

    def _worth(self, top: TopK, rest: Part, held: Part) -> float:
        """Mean of P@1, P@3 and P@5 on held-out instances, as far as there are labels."""
        favour = self._favour(rest.Y)
        asked = min(5, held.Y.shape[1])
        labels, scores = top.labels, top.scores
        if favour is not None:
            labels, scores = reranked(labels, scores, favour, asked)
        return mean_precision(held.Y, TopK(labels, scores), rest.Y)

    def _final(self) -> Ensemble:
        tree = XRLinear(
            branching=self.branching,
            max_leaf=self.max_leaf,
            beam=self.beam,
            seed=self.seed,
        ).set_params(**self._solving(self.cost_))
        models, say = ([tree], [1.0]) if self.share_ == 0 else ([tree, NearestInstances()], _say(self.share_))
        return Ensemble(models, trees=self.trees, weights=say, threads=self.threads)

    def _set_ensemble(self, ensemble: Ensemble) -> Blend:
        self.ensemble_ = ensemble
        self.n_features_in_, self.n_labels_ = ensemble.n_features_in_, ensemble.n_labels_
        return self

    @property
    def members_(self) -> list[Any]:
        """The trees, and the nearest instances where they have a say."""
        return self.ensemble_.members_

    @property
    def normalized_rows_(self) -> int:
        """Training rows that the trees brought to length 1."""
        return max(getattr(member, "normalized_rows_", 0) for member in self.members_)

    @property
    def reach_(self) -> int:
        """Labels that the members can name at most."""
        return self.ensemble_.reach_

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
        """The k best labels of each instance; as ``Ensemble.predict_topk``."""
        check_is_fitted(self)
        self.ensemble_.threads = self.threads
        X = self._features(X)
        k = self._labels_asked(k)
        favour = self.favour_
        asked = k if favour is None else self._reranked(k)
        top = self.ensemble_.predict_topk(X, asked, beam=beam, allowed=allowed, forbidden=forbidden, progress=progress)
        return top if favour is None else TopK(*reranked(top.labels, top.scores, favour, k))

    def predict(self, X: Any) -> CSR:
        """0/1 matrix, shape (n, L): labels of ``decision_threshold`` or more, ``tail_rank`` not counted."""
        check_is_fitted(self)
        self.ensemble_.set_params(decision_threshold=self.decision_threshold, threads=self.threads)
        return self.ensemble_.predict(X)

    def single(self, k: int) -> Single:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k)."""
        check_is_fitted(self)
        k = self._labels_asked(k)
        favour = self.favour_
        if favour is None:
            return self.ensemble_.single(k)
        ask = self.ensemble_.single(self._reranked(k))
        return lambda indices, values: reranked(*ask(indices, values), favour, k)

    def _reranked(self, k: int) -> int:
        return max(k, min(RERANKED, self.n_labels_))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state({"ensemble": self.ensemble_})
        chosen = {"cost": float(self.cost_), "share": float(self.share_)}
        favour = {} if self.favour_ is None else {"favour": self.favour_}
        return {"settings": self._plain_settings(), "chosen": chosen, **inside}, favour | arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Blend:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or members that do not fit.
        """
        with damage_told("the blend is"):
            model = cls(**({"normalize": False} | config["settings"]))  # before there was a choice, none was made
            model.check_settings()
            model.cost_, model.share_ = float(config["chosen"]["cost"]), float(config["chosen"]["share"])
            ensemble = stored_part("ensemble", config["ensemble"], arrays, parts)
        if not isinstance(ensemble, Ensemble):
            raise ModelFileError("the blend is damaged (it holds no ensemble): restore the model directory")
        model.favour_ = _stored_favour(arrays["favour"], ensemble.n_labels_) if "favour" in arrays else None
        if model.tail_rank > 0 and model.favour_ is None:
            raise ModelFileError("the blend is damaged (the labels' favour is missing): restore the model directory")
        return model._set_ensemble(ensemble)

    @classmethod
    def load(cls, directory: str | Path, *, verify: bool = True, mapped: bool = True) -> Blend:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped)


def _say(share: float) -> list[float]:
    return [1 - share, share]


def _mixture(tree: TopK, nearest: TopK, share: float) -> TopK:
    """What an ``Ensemble`` of the two would answer."""
    if share == 0:
        return tree
    merger = Merger(combine="average", weights=np.array(_say(share)), candidates=tree.labels.shape[1])
    labels, scores = (np.stack([getattr(top, name) for top in (tree, nearest)], 1) for name in ("labels", "scores"))
    return merger.merge(labels, scores, tree.labels.shape[1])


def _stored_favour(favour: Any, n_labels: int) -> Float32:
    fits = isinstance(favour, np.ndarray) and favour.dtype == np.float32 and favour.shape == (n_labels,)
    if not fits or not ((favour >= 0) & (favour <= 1)).all():
        raise ModelFileError("the blend is damaged (the labels' favour): restore the model directory")
    return np.asarray(favour)
