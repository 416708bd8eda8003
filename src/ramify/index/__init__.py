"""(label representation, Y) → LabelTree."""

from ramify.index.drawing import draw, picture
from ramify.index.files import read_tree, write_tree
from ramify.index.kmeans import KMeansIndexer
from ramify.index.neighbours import NeighbourIndexer
from ramify.index.outline import render_text
from ramify.index.paths import FixedTree, tree_from_assignment, tree_from_clusters, tree_from_paths
from ramify.index.taxonomy import tree_from_taxonomy, tree_from_vocabulary

__all__ = [
    "FixedTree",
    "KMeansIndexer",
    "NeighbourIndexer",
    "draw",
    "picture",
    "read_tree",
    "render_text",
    "tree_from_assignment",
    "tree_from_clusters",
    "tree_from_paths",
    "tree_from_taxonomy",
    "tree_from_vocabulary",
    "write_tree",
]
