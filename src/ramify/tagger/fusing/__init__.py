"""Fusion of trained models and of predictions of other programs."""

from ramify.tagger.fusing.fuse import fuse

__all__ = ["fuse"]
