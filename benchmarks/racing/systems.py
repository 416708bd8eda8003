"""Who runs: ramify's estimators, each peer as its own documentation recommends, and peers tuned on held-out data."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from contestants.contest import PROTOCOL
from racing.environments import Environment
from racing.grids import TRIALS, Tried
from racing.places import CONTESTANTS
from racing.rows import read_rows
from racing.sources import source_hash

OMIKUJI = Environment("omikuji", requirements=("omikuji==0.5.2", "numpy", "scipy"))


@dataclass(frozen=True)
class System:
    """One runner of the race.

    Parameters
    ----------
    name : str
        As in rows and tables.
    script : str
        Its file among the contestants.
    version : str
        Of the package.
    environment : Environment, optional
        None for this interpreter.
    settings : dict
        What differs from the package's defaults.
    modules : tuple of str
        For ramify's systems: the modules whose sources, with what they import, its figures depend on.
    grid : str, optional
        For tuned peers: the grid of ``grids.GRIDS`` whose winner on a data set is added to the settings.
    """

    name: str
    script: str
    version: str
    environment: Environment | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    grid: str | None = None

    @property
    def ours(self) -> bool:
        """Whether it is ramify's."""
        return self.environment is None

    def python(self) -> Path:
        """The interpreter to run it with; makes its environment where needed."""
        return Path(sys.executable) if self.environment is None else self.environment.ensure()

    def path(self) -> Path:
        """The script."""
        return CONTESTANTS / self.script

    def identity(self) -> str:
        """What a measured row stays true for: version, settings, script, protocol, and for ramify its sources."""
        own = self.sources() if self.ours else ""
        script = ast.dump(ast.parse(self.path().read_text()))  # comments and layout do not count
        parts = (self.version, json.dumps(self.settings, sort_keys=True), script, str(PROTOCOL), own)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def sources(self) -> str:
        """Fingerprint of the sources of ramify that its figures depend on."""
        return source_hash(*self.modules)

    def on(self, dataset: str, fingerprint: str) -> System | None:
        """The system with its settings for a data set; None for a tuned peer whose trials are not complete."""
        if self.grid is None:
            return self
        chosen = Tried(self.grid, dataset, fingerprint, read_rows(TRIALS)).winner()
        return None if chosen is None else replace(self, settings=self.settings | chosen, grid=None)


LIBPECOS = System(
    "libpecos",
    "run_libpecos.py",
    "1.2.8",
    Environment("libpecos", bare=("libpecos==1.2.8",), requirements=("numpy<2", "scipy<1.14", "scikit-learn")),
)
TREES = System("omikuji", "run_omikuji.py", "0.5.2", OMIKUJI)
ONE_VS_REST = System(
    "scikit-learn",
    "run_sklearn.py",
    "1.7.2",
    Environment("scikit-learn", requirements=("scikit-learn==1.7.2",)),
)
PEERS = (
    LIBPECOS,
    replace(LIBPECOS, name="libpecos-tuned", grid="libpecos"),
    replace(LIBPECOS, name="libpecos-tuned-3-trees", settings={"trees": 3}, grid="libpecos"),
    TREES,
    replace(TREES, name="omikuji-tuned", grid="omikuji"),
    System(
        "omikuji-bonsai",
        "run_omikuji.py",
        "0.5.2",
        OMIKUJI,
        {"cluster_k": 100, "cluster_balanced": False, "max_depth": 3},
    ),
    System("napkinxc", "run_napkinxc.py", "0.7.2", Environment("napkinxc", requirements=("napkinxc==0.7.2",))),
    ONE_VS_REST,
    replace(ONE_VS_REST, name="scikit-learn-tuned", grid="scikit-learn"),
)


@cache
def ours() -> tuple[System, ...]:
    """Ramify's runners, from ``contestants/estimators.py``."""
    from contestants.estimators import ESTIMATORS
    from ramify import __version__

    made = {name: make(0, 1) for name, make in ESTIMATORS.items()}
    return tuple(
        System(
            name,
            "run_ramify.py",
            __version__,
            settings={"estimator": name} | _settings(estimator),
            modules=tuple(sorted(set(_modules(estimator)))),
        )
        for name, estimator in made.items()
    )


def _modules(estimator: Any) -> Iterator[str]:
    """Modules of an estimator and of those among its settings."""
    yield type(estimator).__module__
    for value in estimator.get_params().values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield from _modules(value)


def _settings(estimator: Any) -> dict[str, Any]:
    settings = {name: value for name, value in estimator.get_params().items() if name not in ("seed", "threads")}
    plain: dict[str, Any] = json.loads(json.dumps(settings, default=repr))
    return plain


def all_systems() -> dict[str, System]:
    """By name, ramify's first."""
    return {system.name: system for system in (*ours(), *PEERS)}
