"""Beam search over the levels of a tree."""

from ramify.match.beam import BeamMatcher
from ramify.match.restrict import restriction

__all__ = ["BeamMatcher", "restriction"]
