"""Beam search over the levels of a tree."""

from ramify.match.beam import BeamSearch
from ramify.match.restrict import permitted, permitted_mask, restriction

__all__ = ["BeamSearch", "permitted", "permitted_mask", "restriction"]
