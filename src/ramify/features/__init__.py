"""Texts → X: tf-idf, hashing, static vectors, and several of them side by side."""

from ramify.features.concatenated import Concatenated
from ramify.features.hashing import Hashing
from ramify.features.static import StaticEncoder
from ramify.features.tfidf import Tfidf

__all__ = ["Concatenated", "Hashing", "StaticEncoder", "Tfidf"]
