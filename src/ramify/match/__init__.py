"""Beam search over the levels of a tree."""

from ramify.match.beam import BeamSearch
from ramify.match.restrict import permitted, restriction

__all__ = ["BeamSearch", "permitted", "restriction"]
