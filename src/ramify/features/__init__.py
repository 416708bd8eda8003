"""Texts → X: tf-idf and hashing."""

from ramify.features.hashing import Hashing
from ramify.features.tfidf import Tfidf

__all__ = ["Hashing", "Tfidf"]
