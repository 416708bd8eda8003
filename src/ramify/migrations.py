"""Model directories of older formats: what changed from each format to the next, and how a stored model follows.

A model directory stores its format number. ``open_model`` passes what it read through the steps from that number to
``FORMAT``, so that the classes meet states of the current format only.

To rename something that model directories store, add an entry to the last step, or, if its format was released, append
a step to ``STEPS``; ``FORMAT`` is derived from their number. Entries of one step, by what is renamed::

    classes={"OldModel": "NewModel"}                               a class
    settings={"XRLinear": {"old_name": "new_name"}}                a setting of a constructor; None where it was removed
    values={"LabelChain": {"order": {"old-value": "new-value"}}}   a value of a setting, where it is a string
    absent={"XRLinear": {"normalize": False}}                      a setting that they lacked, and what they did
    state={"Tagger": {"fields": {}}}                               another entry of the config
    arrays={"Blend": {"old_name": "new_name"}}                     an array
    changes={"Tagger": function}                                   anything else: a function from Part to Part

Classes other than in ``classes`` are named as in the newer format. ``changes`` come first and find settings and arrays
under their older names. After a step was added, ``tests/golden/make.py`` writes golden models of the new format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Names = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Part:
    """A stored model, or a part of one.

    Parameters
    ----------
    kind : str
        Name of the class.
    config : dict
        Its settings and sizes; the parts inside are ``{"class": ..., "config": ...}``.
    arrays : dict of str to array
        Its own arrays by name, without those of the parts inside.
    """

    kind: str
    config: dict[str, Any]
    arrays: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any] | None:
        """The constructor's settings; None where a class stores none, or a directory is damaged."""
        stored = self.config.get("settings")
        return stored if isinstance(stored, dict) else None

    def with_settings(self, settings: Mapping[str, Any]) -> Part:
        """The part with other settings."""
        return replace(self, config={**self.config, "settings": dict(settings)})


@dataclass(frozen=True, kw_only=True)
class Step:
    """The changes from one format to the next; see the module."""

    classes: Mapping[str, str] = field(default_factory=dict)
    settings: Names = field(default_factory=dict)
    values: Names = field(default_factory=dict)
    absent: Names = field(default_factory=dict)
    state: Names = field(default_factory=dict)
    arrays: Names = field(default_factory=dict)
    changes: Mapping[str, Callable[[Part], Part]] = field(default_factory=dict)

    def apply(self, part: Part) -> Part:
        """One part in the newer format; the parts inside stay."""
        kind = self.classes.get(part.kind, part.kind)
        part = replace(part, kind=kind)
        if kind in self.changes:
            part = self.changes[kind](part)
        if part.settings is not None:
            settings = _renamed(part.settings, self.settings.get(kind, {}))
            settings = _with_values(settings, self.values.get(kind, {}))
            part = part.with_settings({**self.absent.get(kind, {}), **settings})
        config = {**self.state.get(kind, {}), **part.config}
        return replace(part, config=config, arrays=_renamed(part.arrays, self.arrays.get(kind, {})))


def _renamed(given: dict[str, Any], names: Mapping[str, str | None]) -> dict[str, Any]:
    renamed = {names.get(name, name): value for name, value in given.items()}
    return {name: value for name, value in renamed.items() if name is not None}


def _with_values(settings: dict[str, Any], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    def current(name: str, value: Any) -> Any:
        return values[name].get(value, value) if name in values and isinstance(value, str) else value

    return {name: current(name, value) for name, value in settings.items()}


def _path_weight(part: Part) -> Part:
    """``leaf_alone`` left the score of the path out (until da694bf); that is a path weight of 0."""
    if part.settings is None or "leaf_alone" not in part.settings:
        return part
    return part.with_settings({"path_weight": 0.0 if part.settings["leaf_alone"] else 1.0, **part.settings})


_AS_GIVEN = {"normalize": False}
_LENGTH_1 = {"normalize": True}
_NO_ROWS = {"normalized_rows": 0}

_FROM_1_TO_2 = Step(
    settings={
        "XRLinear": {
            "transform": "score_transform",  # renamed in 2f2915a
            "leaf_alone": None,  # path_weight since da694bf
            "beam_floor": None,  # removed in 7ff8161; it made the search faster
        },
        "LabelChain": {"beam": None},  # an argument of the decoding methods since c00fdc3
    },
    absent={
        "XRLinear": _AS_GIVEN,  # the rows of X could not be normalized before 57791b8 ...
        "Partitioned": _AS_GIVEN,
        "Blend": _AS_GIVEN,
        "LabelChain": _LENGTH_1,  # ... and chains always normalized them
        "ReinforcedChain": _LENGTH_1,
        "CompositeChain": _LENGTH_1,
        "NearestInstances": {"weighting": "none"},  # features have weights since 2467602
    },
    state={
        **dict.fromkeys(("XRLinear", "Partitioned", "LabelChain", "ReinforcedChain", "CompositeChain"), _NO_ROWS),
        "Tagger": {"n_documents": 0, "fields": {}, "label_form": "names"},  # stored since 48e785f and 9fd8f1f
    },
    changes={"XRLinear": _path_weight},
)
"""November 2026 (9d75fe9). The name of the arrays file contains its digest. In format 1, settings changed without a new
number; this step brings all of them to their last form."""


def _settings_apart(*names: str) -> Callable[[Part], Part]:
    """Move entries of the config into its settings."""

    def change(part: Part) -> Part:
        kept = {name: value for name, value in part.config.items() if name not in (*names, "format")}
        settings = {name: part.config[name] for name in names if name in part.config}
        return replace(part, config={**kept, "settings": settings})

    return change


def _takes_texts(part: Part) -> Part:
    """Without a vectorizer a tagger took features; since format 3 a model may take texts."""
    return replace(part, config={"takes_texts": part.config.get("vectorizer") is not None, **part.config})


def _tree_of_search(part: Part) -> Part:
    """``level<n>/parent`` are ``parents_<n>``, and the bias of each label is ``log_bias``."""
    names = {name: re.sub(r"^level(\d+)/parent$", r"parents_\1", name) for name in part.arrays}
    return replace(part, arrays=_renamed(part.arrays, {**names, "favour": "log_bias"}))


def _tree_of_clusters(part: Part) -> Part:
    """``parents`` are ``parents_1``, below the level of the clusters, which was not stored."""
    arrays = _renamed(part.arrays, {"parents": "parents_1"})
    above = arrays.get("parents_1")
    if isinstance(above, np.ndarray) and above.dtype == np.int32 and above.ndim == 1 and len(above):
        clusters = min(max(int(above[-1]) + 1, 0), len(above))  # the last number is the highest; it may be damaged
        arrays["parents_0"] = np.zeros(clusters, np.int32)
    return replace(part, config={"depth": 2, **part.config}, arrays=arrays)


_GRAMS = ("words", "characters", "within_words", "lowercase", "sublinear", "norm")

_FROM_2_TO_3 = Step(
    settings={"XRLinear": {"balanced": None}},  # removed in 31b6eb0; it changed the training only
    arrays={"Blend": {"favour": "label_bias"}},
    changes={
        "Tagger": _takes_texts,
        "Tfidf": _settings_apart(*_GRAMS, "min_df", "max_df", "max_features"),
        "Hashing": _settings_apart(*_GRAMS, "n_features", "signed", "idf"),
        "MixedRanker": _settings_apart("share"),
        "XRLinear": _tree_of_search,
        "LinearRanker": _tree_of_search,
        "Partitioned": _tree_of_clusters,
    },
)
"""November 2026. Every class stores its settings under "settings"; all label trees are stored in one way."""


def _plan_of_settings(part: Part) -> Part:
    """The n-grams were those of the settings; words were not stemmed."""
    settings = part.settings or {}
    grams = {name: settings.get(name) for name in ("words", "characters", "min_df")}
    plan = {"language": None, "share": None, "stemmer": None, "runs": None, **grams}
    return replace(part, config={"plan": plan, **part.config})


_FROM_3_TO_4 = Step(
    absent={
        "Tfidf": {"runs": None, "language": None, "stemmer": None},
        "Disentangled": {"weighting": "count"},
    },
    changes={"Tfidf": _plan_of_settings},
)
"""November 2026. Tfidf stems words and chooses its n-grams by the corpus; Disentangled weights clusters by rank."""

_WITH_THRESHOLD = (
    *("XRLinear", "Disentangled", "Partitioned", "Ensemble", "Blend"),
    *("PopularLabels", "NearestInstances", "DenseNeighbours"),
    *("LabelChain", "ReinforcedChain", "CompositeChain"),
    *("XTransformer", "XRTransformer", "FlatTransformer"),
)


def _one_threshold(part: Part) -> Part:
    """The rule for a measure was one threshold."""
    decisions = part.config.get("decisions")
    if not isinstance(decisions, dict):
        return part
    chosen = {name: f"one-{name}" for name in ("micro-f1", "macro-f1", "example-f1")}
    return replace(part, config={**part.config, "decisions": {"chosen": chosen, **decisions}})


_FROM_4_TO_5 = Step(
    settings={kind: {"decision_threshold": None} for kind in _WITH_THRESHOLD},
    changes={"Tagger": _one_threshold},
)
"""November 2026. ``predict`` takes the threshold as an argument, and ``Tagger.decide`` uses fitted rules."""

STEPS: tuple[Step, ...] = (_FROM_1_TO_2, _FROM_2_TO_3, _FROM_3_TO_4, _FROM_4_TO_5)
"""The n-th step, counted from 1, turns format n into format n + 1."""

FORMAT = len(STEPS) + 1
"""The format that this version writes."""

_LISTED = {"Ensemble": "member", "MixedRanker": "ranker", "CompositeChain": ""}
"""Beginning of the array names of parts that a class stores as a list; their number follows."""


def migrated(number: int, part: Part) -> Part:
    """A stored model in the current format.

    Parameters
    ----------
    number : int
        Its format, from 1 to ``FORMAT``.
    part : Part
        The model with all arrays; arrays of the parts inside are named "name of the part/name of the array".

    Returns
    -------
    Part
        The same for a model of the current format.

    Raises
    ------
    RecursionError
        Parts nested too deep.
    """
    for step in STEPS[number - 1 :]:
        part = _migrated(step, part)
    return part


def _migrated(step: Step, part: Part) -> Part:
    """A part and all parts inside, one format further."""
    own, inside = dict(part.arrays), {}

    def moved(name: str, value: Any) -> Any:
        if isinstance(value, list):
            begin = _LISTED.get(part.kind, f"{name}/")
            return [moved(f"{begin}{number}", item) for number, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not (isinstance(value.get("class"), str) and isinstance(value.get("config"), dict)):
            return {key: moved(f"{name}/{key}", item) for key, item in value.items()}
        prefix = f"{name}/"
        names = [key for key in own if key.startswith(prefix)]
        arrays = {key.removeprefix(prefix): own.pop(key) for key in names}
        new = _migrated(step, Part(value["class"], value["config"], arrays))
        inside.update({f"{prefix}{key}": array for key, array in new.arrays.items()})
        return {**value, "class": new.kind, "config": new.config}

    config = {name: moved(name, value) for name, value in part.config.items()}
    new = step.apply(Part(part.kind, config, own))
    return replace(new, arrays={**new.arrays, **inside})
