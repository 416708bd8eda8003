"""The models, ``preset`` to create one by its purpose, and ``load`` for saved models; see ``ramify.catalogue``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ramify import catalogue

# public name -> module that holds it
_HOMES = {
    **{name: home for name, home in catalogue.public_homes().items() if home.startswith("ramify.models.")},
    "load": "ramify.models.base.persistence",
    "preset": "ramify.models.presets",
}

__all__ = list(_HOMES)

if TYPE_CHECKING:
    from ramify.models.base.persistence import load as load
    from ramify.models.mixtures.blend import Blend as Blend
    from ramify.models.mixtures.ensemble import Ensemble as Ensemble
    from ramify.models.mixtures.fusion import Fusion as Fusion
    from ramify.models.neighbours.dense import DenseNeighbours as DenseNeighbours
    from ramify.models.neighbours.nearest import NearestInstances as NearestInstances
    from ramify.models.neighbours.popular import PopularLabels as PopularLabels
    from ramify.models.neighbours.texts import NearestTexts as NearestTexts
    from ramify.models.parts.cosine_ranker import CosineRanker as CosineRanker
    from ramify.models.parts.linear_ranker import LinearRanker as LinearRanker
    from ramify.models.parts.mixed_ranker import MixedRanker as MixedRanker
    from ramify.models.parts.partitioned import Partitioned as Partitioned
    from ramify.models.presets import preset as preset
    from ramify.models.trees.disentangled import Disentangled as Disentangled
    from ramify.models.trees.xr_linear import XRLinear as XRLinear


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'ramify.models' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
