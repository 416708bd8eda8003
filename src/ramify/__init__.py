"""Extreme multilabel classification: rank the few right labels out of thousands to millions, by name.

Importing this package is light: each public name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ramify.catalogue import public_homes

__version__ = "0.1.0"

# public name -> module that holds it
_HOMES = {
    "Dataset": "ramify.values",
    "LabelTree": "ramify.values",
    "TopK": "ramify.values",
    "RamifyError": "ramify.errors",
    "InputError": "ramify.errors",
    "DataFileError": "ramify.errors",
    "ModelFileError": "ramify.errors",
    "ClusterError": "ramify.errors",
    "HubError": "ramify.errors",
    "MissingExtraError": "ramify.errors",
    "RamifyWarning": "ramify.errors",
    "read": "ramify.data",
    "write": "ramify.data",
    "evaluate": "ramify.evaluation",
    "compare": "ramify.evaluation",
    "load": "ramify.models",
    "preset": "ramify.models",
    **public_homes(),
}

__all__ = list(_HOMES)

if TYPE_CHECKING:
    from ramify.chains import CompositeChain as CompositeChain
    from ramify.chains import LabelChain as LabelChain
    from ramify.chains import ReinforcedChain as ReinforcedChain
    from ramify.data import read as read
    from ramify.data import write as write
    from ramify.errors import ClusterError as ClusterError
    from ramify.errors import DataFileError as DataFileError
    from ramify.errors import HubError as HubError
    from ramify.errors import InputError as InputError
    from ramify.errors import MissingExtraError as MissingExtraError
    from ramify.errors import ModelFileError as ModelFileError
    from ramify.errors import RamifyError as RamifyError
    from ramify.errors import RamifyWarning as RamifyWarning
    from ramify.evaluation import compare as compare
    from ramify.evaluation import evaluate as evaluate
    from ramify.features import Concatenated as Concatenated
    from ramify.features import Hashing as Hashing
    from ramify.features import StaticEncoder as StaticEncoder
    from ramify.features import Tfidf as Tfidf
    from ramify.generate import XLGenWithTree as XLGenWithTree
    from ramify.models import Blend as Blend
    from ramify.models import CosineRanker as CosineRanker
    from ramify.models import DenseNeighbours as DenseNeighbours
    from ramify.models import Disentangled as Disentangled
    from ramify.models import Ensemble as Ensemble
    from ramify.models import Fusion as Fusion
    from ramify.models import LinearRanker as LinearRanker
    from ramify.models import MixedRanker as MixedRanker
    from ramify.models import NearestInstances as NearestInstances
    from ramify.models import NearestTexts as NearestTexts
    from ramify.models import Partitioned as Partitioned
    from ramify.models import PopularLabels as PopularLabels
    from ramify.models import XRLinear as XRLinear
    from ramify.models import load as load
    from ramify.models import preset as preset
    from ramify.tagger import Tagger as Tagger
    from ramify.transformers import Encoder as Encoder
    from ramify.transformers import FlatTransformer as FlatTransformer
    from ramify.transformers import XRTransformer as XRTransformer
    from ramify.transformers import XTransformer as XTransformer
    from ramify.values import Dataset as Dataset
    from ramify.values import LabelTree as LabelTree
    from ramify.values import TopK as TopK


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'ramify' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
