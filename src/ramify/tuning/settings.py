"""Settings that a search can choose: a model, its settings, an ensemble of it, and the features of texts.

``Settings().content()`` has the form of a settings file of ``ramify train --config``, with the changed settings only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from ramify import catalogue

if TYPE_CHECKING:
    from ramify.tagger import Tagger

XR_LINEAR, BLEND = "xr-linear", "blend"
MODELS = (XR_LINEAR, BLEND)
"""Models that a search can choose, by their names in the catalogue."""

TFIDF, STATIC = "tfidf", "static"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One choice of settings; ``Settings()`` are the defaults for texts.

    Parameters
    ----------
    model : {"xr-linear", "blend"}, default "xr-linear"
        Name of the model.
    model_settings : dict, optional
        Its settings that differ from the defaults.
    trees : int, default 1
        Number of fits with different seeds in an ``Ensemble``; 1: no ensemble.
    tfidf : dict or None, optional
        Settings of ``Tfidf`` that differ from the defaults; None for data with features.
    static : bool, default False
        Whether ``StaticEncoder`` is added to ``Tfidf``.
    """

    model: str = XR_LINEAR
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    trees: int = 1
    tfidf: Mapping[str, Any] | None = field(default_factory=dict)
    static: bool = False

    def content(self) -> dict[str, Any]:
        """The settings in the form of a settings file."""
        found: dict[str, Any] = {"model": self.model, "model_settings": dict(self.model_settings)}
        if self.trees > 1:
            found["ensemble_settings"] = {"trees": self.trees}
        if self.tfidf is None:
            return found
        if self.static:
            first = {"kind": TFIDF, **self.tfidf}
            return found | {"vectorizer": f"{TFIDF}+{STATIC}", "vectorizer_settings": {"first": first}}
        return found | {"vectorizer": TFIDF, "vectorizer_settings": dict(self.tfidf)}

    def changes(self) -> dict[str, Any]:
        """The differences to the defaults, by the paths of ``ramify train --set``."""
        found: dict[str, Any] = {} if self.model == XR_LINEAR else {"model": self.model}
        found |= dict(self.model_settings)
        if self.trees > 1:
            found["ensemble.trees"] = self.trees
        if self.static:
            found["vectorizer"] = f"{TFIDF}+{STATIC}"
        inside = "vectorizer.first" if self.static else "vectorizer"
        return found | {f"{inside}.{name}": value for name, value in (self.tfidf or {}).items()}

    @property
    def key(self) -> str:
        """Text that is equal for equal settings."""
        return json.dumps(self.content(), sort_keys=True)

    def build_model(self, *, seed: int, threads: int | None) -> Any:
        """The unfitted model."""
        kind: Any = catalogue.find(catalogue.MODEL, self.model, "model").load()
        model = kind(**self.model_settings, seed=seed, threads=threads)
        if self.trees == 1:
            return model
        wrapper: Any = catalogue.find(catalogue.WRAPPER, "ensemble", "wrapper").load()
        return wrapper(model, trees=self.trees, threads=threads)

    def vectorizers(self, *, threads: int | None) -> dict[str, Any]:
        """Unfitted vectorizers that are added, each by a text that is equal for equal settings; none for features."""
        if self.tfidf is None:
            return {}
        given: dict[str, Mapping[str, Any]] = {TFIDF: self.tfidf} | ({STATIC: {}} if self.static else {})
        kinds: dict[str, Any] = {name: catalogue.find(catalogue.VECTORIZER, name, "vectorizer") for name in given}
        return {
            json.dumps([name, settings], sort_keys=True): kinds[name].load()(**settings, threads=threads)
            for name, settings in given.items()
        }

    def tagger(self, *, seed: int = 0, threads: int | None = None) -> Tagger:
        """The unfitted tagger with these settings.

        Parameters
        ----------
        seed : int, default 0
            Random seed.
        threads : int, optional
            Number of threads; None uses every CPU.
        """
        from ramify.tagger import Tagger

        parts: list[Any] = list(self.vectorizers(threads=threads).values())
        vectorizer: Any = reduce(add, parts) if parts else None
        if len(parts) > 1:
            vectorizer.set_params(threads=threads)
        return Tagger(self.build_model(seed=seed, threads=threads), vectorizer=vectorizer)
