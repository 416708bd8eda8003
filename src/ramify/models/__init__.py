"""The stages glued into estimators, one file each; and ``load`` for whatever was saved."""

from ramify.models.blend import Blend
from ramify.models.dense import DenseNeighbours
from ramify.models.disentangled import Disentangled
from ramify.models.ensemble import Ensemble
from ramify.models.loading import load
from ramify.models.nearest import NearestInstances
from ramify.models.partitioned import Partitioned
from ramify.models.presets import preset
from ramify.models.tagger import Tagger
from ramify.models.xr_linear import XRLinear

__all__ = [
    "Blend",
    "DenseNeighbours",
    "Disentangled",
    "Ensemble",
    "NearestInstances",
    "Partitioned",
    "Tagger",
    "XRLinear",
    "load",
    "preset",
]
