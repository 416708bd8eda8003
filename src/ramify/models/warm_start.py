"""What the classifiers of a tree start from: those of a model of the same labels, so that fewer passes are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.kernels.train import StartWeights
from ramify.match import BeamMatcher
from ramify.values import Int32, LabelTree


def start_weights(model: Any, tree: LabelTree, n_features: int) -> list[StartWeights | None]:
    """Weights to start from, level by level.

    Parameters
    ----------
    model : estimator
        Fitted, with a ``matcher_``, as ``XRLinear`` has.
    tree : LabelTree
        What is to be trained. A leaf starts from a leaf of its label; an inner node from the same node, as long as the
        levels down to it are alike.
    n_features : int
        Width d of X.

    Raises
    ------
    InputError
        Other features or labels, or a model of another kind.
    """
    matcher = getattr(model, "matcher_", None)
    if not isinstance(matcher, BeamMatcher):
        raise InputError(f"start is {model!r:.60}, but must be a fitted XRLinear")
    known, wanted = (matcher.n_features, matcher.tree.n_labels), (n_features, tree.n_labels)
    if known != wanted:
        raise InputError(
            f"start knows {known[0]} features and {known[1]} labels, but the data have {wanted[0]} and {wanted[1]}"
        )
    starts: list[StartWeights | None] = []
    alike = True
    for level in range(tree.depth - 1):
        alike = alike and level < matcher.tree.depth - 1
        alike = alike and np.array_equal(tree.parents[level], matcher.tree.parents[level])
        own = np.arange(len(tree.parents[level]), dtype=np.int32)
        starts.append(_start(matcher, level, own) if alike else None)
    leaf_of_label = np.full(tree.n_labels, -1, np.int32)
    leaf_of_label[matcher.tree.leaf_labels] = np.arange(matcher.tree.n_leaves, dtype=np.int32)
    return [*starts, _start(matcher, matcher.tree.depth - 1, leaf_of_label[tree.leaf_labels])]


def _start(matcher: BeamMatcher, level: int, row: Int32) -> StartWeights:
    weights = matcher.weights(level)
    return StartWeights(sp.csr_matrix(weights.matrix().T), weights.bias, row)
