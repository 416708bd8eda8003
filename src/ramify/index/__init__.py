"""(label representation, Y) → LabelTree."""

from ramify.index.kmeans import KMeansIndexer

__all__ = ["KMeansIndexer"]
