"""The stages glued into estimators, one file each; and ``load`` for whatever was saved."""

from ramify.models.loading import load
from ramify.models.tagger import Tagger
from ramify.models.xr_linear import XRLinear

__all__ = ["Tagger", "XRLinear", "load"]
