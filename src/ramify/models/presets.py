"""Presets: named sets of settings. docs/presets.md gives their costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from ramify import catalogue
from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

TFIDF = "tfidf"


@dataclass(frozen=True)
class Preset:
    """A model with its settings, and a vectorizer.

    Parameters
    ----------
    model : str
        Name of the model in the catalogue.
    settings : dict
        Settings that differ from the defaults of the class.
    vectorizer : str, default "tfidf"
        Name of the vectorizer in the catalogue, or several names with "+" between them.
    """

    model: str = "xr-linear"
    settings: dict[str, Any] = field(default_factory=dict)
    vectorizer: str = TFIDF

    def build(self, *, seed: int, threads: int | None) -> Any:
        """The unfitted model."""
        kind: Any = catalogue.find(catalogue.MODEL, self.model, "model").load()
        return kind(**self.settings, seed=seed, threads=threads)

    def vectorize(self, *, threads: int | None) -> Any:
        """The unfitted vectorizer."""
        kinds: list[Any] = [catalogue.find(catalogue.VECTORIZER, name, "vectorizer") for name in self.names()]
        parts = [kind.load()(threads=threads) for kind in kinds]
        return reduce(add, parts)

    def names(self) -> list[str]:
        """Names of the vectorizers that are added."""
        return self.vectorizer.split("+")


LIBRARY = "xr-linear,nearest-instances,nearest-texts:label_share=1,lexical"
"""Members of the preset for subject indexing: a tree, votes of similar documents, similarity to label vectors, and
label names in the text."""

PRESETS = {
    "fast": Preset(
        "xr-linear",
        {"negatives": "tfn", "path_weight": 0.75, "epsilon": 0.5, "max_leaf": 64, "tail_cost": 0.0},
    ),
    "default": Preset(),
    "semantic": Preset(vectorizer="tfidf+static"),
    "best": Preset("blend", {"trees": 3, "tail_cost": 0.5}),
    "tail": Preset("blend", {"trees": 3, "tail_cost": 0.5, "tail_rank": 0.6}),
    "library": Preset("fusion", {"members": LIBRARY}),
}


def named(name: str) -> Preset:
    """The preset with the given name.

    Raises
    ------
    InputError
        An unknown name.
    """
    if not isinstance(name, str) or name not in PRESETS:
        near = nearest_name(name, PRESETS) if isinstance(name, str) else None
        hint = "choose one of these" if near is None else f"did you mean {near!r}?"
        raise InputError(f"preset is {quoted(name)}, but must be one of {', '.join(PRESETS)}: {hint}")
    return PRESETS[name]


def preset(name: str, *, seed: int = 0, threads: int | None = None) -> Any:
    """An unfitted estimator with the settings of a preset.

    Parameters
    ----------
    name : {"fast", "default", "best", "tail", "library"}
        "fast": short training time and a small model; "default": the defaults of ``XRLinear``; "best": the highest
        precision (a ``Blend``, several times the cost); "tail": rare labels are ranked higher (a ``Blend``), at some
        cost in precision; "library": a ``Fusion`` of a tree, nearest instances, label vectors and label names for
        subject indexing, which needs texts and label names.
    seed : int, default 0
        Random seed; the same seed gives the same model on one machine.
    threads : int, optional
        Number of threads; None uses every CPU.

    Returns
    -------
    XRLinear, Blend or Fusion

    Raises
    ------
    InputError
        An unknown name, or "semantic", which consists of a model and a vectorizer: see ``Tagger.of_preset``.
    """
    chosen = named(name)
    if chosen.vectorizer != TFIDF:
        raise InputError(
            f"the preset {name} has a vectorizer beside the model: use Tagger.of_preset({name!r}) in place of "
            f"Tagger(preset({name!r}))"
        )
    return chosen.build(seed=seed, threads=threads)
