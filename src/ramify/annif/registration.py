"""Registration of the back end in Annif, which has a dictionary of back ends and no entry points."""

from __future__ import annotations

import copyreg
from importlib.metadata import version
from typing import Any

from ramify.errors import InputError, MissingExtraError

EXTRA = "annif"
OLDEST = (1, 4)
"""Oldest version of Annif whose back ends receive documents instead of strings."""

try:
    from annif import backend as annif_backends
    from annif import default_config
    from annif.registry import AnnifRegistry
except ImportError:
    raise MissingExtraError("back ends of Annif", EXTRA) from None


class ProductionConfig(default_config.ProductionConfig):  # type: ignore[misc]
    """Annif's configuration for production; importing it registers the back end."""


class DevelopmentConfig(default_config.DevelopmentConfig):  # type: ignore[misc]
    """Annif's configuration for development, which loads projects when they are used."""


def register() -> None:
    """Add ``ramify`` to Annif's back ends.

    Raises
    ------
    InputError
        A version of Annif before 1.4.
    """
    found = version("annif")
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
        raise InputError(f"Annif {found} is installed, but the back end needs Annif 1.4 or later: upgrade Annif")
    annif_backends._backend_fns["ramify"] = _backend
    copyreg.pickle(AnnifRegistry, _reduced)


def _reduced(registry: Any) -> tuple[Any, tuple[Any, ...]]:
    """How a registry of projects reaches a new process, which imports this module to restore it and so registers too.

    Without this, processes started with the method "spawn" would lack the back end.
    """
    return _restored, (registry.__dict__,)


def _restored(state: dict[str, Any]) -> Any:
    registry = AnnifRegistry.__new__(AnnifRegistry)
    registry.__dict__.update(state)
    return registry


def _backend() -> Any:
    from ramify.annif.backend import RamifyBackend

    return RamifyBackend
