"""Text → X: tf-idf, hashing; label representations."""

from ramify.features.hashing import Hashing
from ramify.features.tfidf import Tfidf

__all__ = ["Hashing", "Tfidf"]
