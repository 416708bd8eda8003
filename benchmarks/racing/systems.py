"""Who runs: ramify's estimators from one table, and each peer as its own documentation recommends."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from contestants.contest import PROTOCOL
from racing.environments import Environment
from racing.places import CONTESTANTS, REPOSITORY

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
    """

    name: str
    script: str
    version: str
    environment: Environment | None = None
    settings: dict[str, Any] = field(default_factory=dict)

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
        own = source_hash() if self.ours else ""
        script = ast.dump(ast.parse(self.path().read_text()))  # comments and layout do not count
        parts = (self.version, json.dumps(self.settings, sort_keys=True), script, str(PROTOCOL), own)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


PEERS = (
    System(
        "libpecos",
        "run_libpecos.py",
        "1.2.8",
        Environment("libpecos", bare=("libpecos==1.2.8",), requirements=("numpy<2", "scipy<1.14", "scikit-learn")),
    ),
    System("omikuji", "run_omikuji.py", "0.5.2", OMIKUJI),
    System(
        "omikuji-bonsai",
        "run_omikuji.py",
        "0.5.2",
        OMIKUJI,
        {"cluster_k": 100, "cluster_balanced": False, "max_depth": 3},
    ),
    System("napkinxc", "run_napkinxc.py", "0.7.2", Environment("napkinxc", requirements=("napkinxc==0.7.2",))),
    System(
        "scikit-learn",
        "run_sklearn.py",
        "1.7.2",
        Environment("scikit-learn", requirements=("scikit-learn==1.7.2",)),
    ),
)


@cache
def ours() -> tuple[System, ...]:
    """Ramify's runners, from ``contestants/estimators.py``."""
    from contestants.estimators import ESTIMATORS
    from ramify import __version__

    return tuple(
        System(name, "run_ramify.py", __version__, None, {"estimator": name} | _settings(make(0, 1)))
        for name, make in ESTIMATORS.items()
    )


def _settings(estimator: Any) -> dict[str, Any]:
    settings = {name: value for name, value in estimator.get_params().items() if name not in ("seed", "threads")}
    plain: dict[str, Any] = json.loads(json.dumps(settings, default=repr))
    return plain


def all_systems() -> dict[str, System]:
    """By name, ramify's first."""
    return {system.name: system for system in (*ours(), *PEERS)}


@cache
def source_hash() -> str:
    """Of the sources that ramify's figures depend on."""
    files = [REPOSITORY / "CMakeLists.txt", *(REPOSITORY / "cpp").iterdir(), *(REPOSITORY / "src").rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(str(file.relative_to(REPOSITORY)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
