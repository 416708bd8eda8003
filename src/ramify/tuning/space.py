"""The search space: settings suggested by an Optuna trial, and the settings that a search begins with.

The space is small on purpose. Every value is one that was the best of some data set in ``benchmarks/results`` or next
to one. The model chooses C, members and the weight of a dense block itself where a setting is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from ramify.features.plan import SHORT_TEXT, mean_length
from ramify.models.trees.indexing import FEW_LABELS
from ramify.tuning.settings import BLEND, MODELS, XR_LINEAR, Settings
from ramify.values import Dataset

STATIC_PACKAGE = "wordllama"

Suggest = Callable[[str, list[Any]], Any]
"""Maps the name of a parameter and its possible values to one of the values; the first value is the default."""

NONE = "none"
"""No value, or the automatic choice; Optuna stores names and numbers only."""

FIRST_TREES = 3

TAIL_COSTS = [0.5, 0.0, 0.25, 0.75, 1.0]


@dataclass(frozen=True, kw_only=True)
class Space:
    """The space of a data set.

    Parameters
    ----------
    texts : bool
        Whether the data contain texts, so that their features are searched as well.
    static : bool
        Whether static vectors can be added; needs the package wordllama.
    models : tuple of str
        Names of the models.
    n_labels : int
        Number of labels with an instance.
    short : bool, default False
        Whether the texts are short; n-grams of characters of longer texts take most of the time and gain little.
    """

    texts: bool
    static: bool
    models: tuple[str, ...]
    n_labels: int
    short: bool = False

    @property
    def has_clusters(self) -> bool:
        """Whether trees have clusters; with few labels, trees of other seeds are the same one-vs-rest classifiers."""
        return self.n_labels > FEW_LABELS

    @classmethod
    def of(cls, dataset: Dataset, *, model: str | None = None) -> Space:
        """The space for a data set; ``model`` restricts it to one model."""
        texts = dataset.texts
        return cls(
            texts=texts is not None,
            static=texts is not None and find_spec(STATIC_PACKAGE) is not None,
            models=MODELS if model is None else (model,),
            n_labels=len(np.unique(dataset.Y.indices)),
            short=texts is not None and mean_length(texts) < SHORT_TEXT,
        )

    def default(self) -> Settings:
        """The settings that the others are compared with: those of ``ramify train``, or of the one model."""
        return Settings(model=self.models[0], tfidf={} if self.texts else None)

    def default_parameters(self) -> dict[str, Any]:
        """The parameters of the default."""
        return self._completed({"tail_cost": 0.0} if self.models[0] == BLEND else {})

    def first(self) -> list[dict[str, Any]]:
        """Parameters of the trials that follow the default, measured on all folds: the best of several data sets."""
        return [self._completed(given) for given in self._good()]

    def likely(self) -> list[dict[str, Any]]:
        """Parameters of the next trials: one change to the first ones, before Optuna has enough trials to learn from.

        With a training of seconds to minutes, a search has time for few trials, and random settings waste most of it.
        """
        found = []
        static = {"static": True} if self.static else {}
        if BLEND in self.models:
            trees = {"model": BLEND, "blend.trees": FIRST_TREES} | static
            found += [trees | {"tail_cost": cost} for cost in (1.0, 0.25)]
        if XR_LINEAR in self.models:
            found += [{"model": XR_LINEAR, "tail_cost": 1.0} | static, {"model": XR_LINEAR, "threshold": 0.03} | static]
        if self.static and XR_LINEAR in self.models:
            found.append({"model": XR_LINEAR, "dense_weight": 2.0} | static)
        return [self._completed(given) for given in found]

    def _completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of a point, of which some are given and the others have their default."""
        found: dict[str, Any] = {}

        def suggest(name: str, values: list[Any]) -> Any:
            found[name] = given.get(name, values[0])
            return found[name]

        self.suggest(suggest)
        return found

    def _good(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for static in [{"static": True}, {"static": False}] if self.static else [{}]:
            if BLEND in self.models:
                found.append({"model": BLEND, "blend.trees": FIRST_TREES, "tail_cost": 0.5} | static)
            if XR_LINEAR in self.models:
                trees = {"max_leaf": 100, "xr.trees": FIRST_TREES} if self.has_clusters else {}
                found.append({"model": XR_LINEAR} | trees | static)
        return found

    def suggest(self, suggest: Suggest) -> Settings:
        """One point of the space."""
        model = suggest("model", list(self.models))
        features = self._features(suggest)
        found = self._blend(suggest) if model == BLEND else self._xr_linear(suggest, features.static)
        return replace(features, model=model, model_settings=found.model_settings, trees=found.trees)

    def _features(self, suggest: Suggest) -> Settings:
        if not self.texts:
            return Settings(tfidf=None)
        static = self.static and suggest("static", [False, True])
        given = {
            "words": suggest("words", [NONE, "1-2"]),
            "characters": suggest("characters", [NONE, "off", "4-4"]) if self.short else NONE,
            "min_df": suggest("min_df", [NONE, 1, 2, 3]),
            "sublinear": suggest("sublinear", [NONE, "off"]),
        }
        parsed = {NONE: NONE, "off": None, "1-2": (1, 2), "4-4": (4, 4)}
        tfidf = _given({name: parsed.get(value, value) for name, value in given.items()})
        if "sublinear" in tfidf:
            tfidf["sublinear"] = False
        return Settings(tfidf=tfidf, static=static)

    def _xr_linear(self, suggest: Suggest, dense: bool) -> Settings:
        cost, ratio = suggest("cost", [NONE, 0.5, 1.0, 2.0]), 1.0
        if cost != NONE:
            ratio = suggest("cost_ratio", [1.0, 2.0])
        settings = {
            "cost_positive": NONE if cost == NONE else cost * ratio,
            "cost_negative": cost,
            "tail_cost": _unless(suggest("tail_cost", TAIL_COSTS), 0.5),
            "tail_rank": _unless(suggest("tail_rank", [0.0, 0.05, 0.1, 0.2]), 0.0),
            "epsilon": suggest("epsilon", [NONE, 0.1]),
            "threshold": suggest("threshold", [NONE, 0.01, 0.03]),
            "loss": _unless(suggest("loss", ["squared-hinge", "logistic"]), "squared-hinge"),
            "max_leaf": suggest("max_leaf", [NONE, *self._leaf_sizes()]),
        }
        if self.has_clusters:
            settings["path_weight"] = _unless(suggest("path_weight", [0.25, 0.1, 0.5, 1.0]), 0.25)
            settings["beam"] = _unless(suggest("beam", [10, 20, 40]), 10)
        if dense:
            settings["dense_weight"] = suggest("dense_weight", [NONE, 0.5, 1.0, 2.0])
        if not self.texts:
            settings["normalize"] = _unless(suggest("normalize", [True, False]), True)
        trees = suggest("xr.trees", [1, FIRST_TREES]) if self.has_clusters else 1
        return Settings(model_settings=_given(settings), trees=trees)

    def _blend(self, suggest: Suggest) -> Settings:
        settings = {
            "trees": _unless(suggest("blend.trees", [2, 1, 3, 5]), 2) if self.has_clusters else NONE,
            "tail_cost": _unless(suggest("tail_cost", TAIL_COSTS), 0.0),
            "tail_rank": suggest("blend.tail_rank", [NONE, 0.0, 0.1]),
            "max_leaf": suggest("max_leaf", [NONE, *self._leaf_sizes()]),
        }
        return Settings(model_settings=_given(settings))

    def _leaf_sizes(self) -> list[int]:
        """Maximum numbers of labels per leaf cluster, up to one-vs-rest, that differ on this number of labels."""
        return [size for size in (50, 100, 200, 400, 1600) if size < 2 * self.n_labels] if self.has_clusters else []


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that are left to the model."""
    return {name: value for name, value in settings.items() if value is None or value != NONE}


def _unless(value: Any, default: Any) -> Any:
    return NONE if value == default else value
