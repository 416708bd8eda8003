"""Texts and label names on top of any model."""

from ramify.tagger.tagger import Tagger

__all__ = ["Tagger"]
