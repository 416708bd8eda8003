"""Contributions and bias add up to the margins that native code computes, and the levels to the score of the search."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import random_children, random_features, random_tree, random_weights
from test_hybrid_kernels import random_hybrid, random_hybrid_weights

from ramify.kernels.predict import TRANSFORMS, SearchConfig, Searcher
from ramify.match import BeamSearch
from ramify.models.trees.path_reasons import tree_reason
from ramify.values import LabelTree
from ramify.weights import PRECISIONS


def native_margins(search, X, level):
    """Margins of all nodes of a level, shape (n, nodes), by the native scorer of the levels down to it."""
    parents = search.tree.parents[: level + 1]
    n, width = X.shape[0], len(parents[-1])
    upper = LabelTree(parents, np.arange(width, dtype=np.int32), width)
    nodes = np.tile(np.arange(width, dtype=np.int32), n)
    searcher = Searcher(upper, search.levels[: level + 1])
    _, margins = searcher.score(X, np.arange(n + 1, dtype=np.int64) * width, nodes, SearchConfig())
    return margins.reshape(n, width)


def path_score(path, reason):
    """The equation of ``PathReason``, in the order of its docstring."""
    *above, leaf = (node.score for node in path.nodes)
    score = leaf * math.prod(above) ** reason.path_weight * reason.factor
    return math.log(score) if reason.transform.startswith("log-") and score > 0 else score


def check(search, X, config):
    top = search.topk(X, search.tree.n_labels, config)
    margins = [native_margins(search, X, level) for level in range(search.tree.depth)]
    for row in range(X.shape[0]):
        found = dict(zip(top.labels[row].tolist(), top.scores[row].tolist(), strict=True))
        for label in range(search.tree.n_labels):
            reason = tree_reason(search, X[row : row + 1], label, config)
            assert reason.ranked == (label in found)
            if reason.ranked:
                assert reason.score == pytest.approx(found[label], rel=1e-5, abs=1e-12)
            for path in reason.paths:
                assert search.tree.leaf_labels[path.leaf] == label
                for node in path.nodes:
                    total = node.bias + node.contributions.sum() + (node.dense or 0.0)
                    assert total == pytest.approx(node.margin, abs=1e-12)
                    assert total == pytest.approx(margins[node.level][row, node.node], abs=1e-5)
                if path.score > (-50 if config.transform.startswith("log-") else 1e-20):
                    assert path_score(path, reason) == pytest.approx(path.score, rel=1e-4, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(1, 3),
    n_dense=st.sampled_from([0, 0, 1, 17]),
    precision=st.sampled_from(PRECISIONS),
    copies=st.sampled_from([None, "max", "mean", "sum"]),
    transform=st.sampled_from([*TRANSFORMS, "log-l3-hinge", "log-sigmoid"]),
    path_weight=st.sampled_from([0.0, 0.25, 1.0]),
    beam=st.integers(1, 4),
    biased=st.booleans(),
)
def test_reasons_of_random_trees(seed, depth, n_dense, precision, copies, transform, path_weight, beam, biased):
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, random_children(rng, depth, 4), copies=copies is not None)
    if n_dense:
        X = random_hybrid(rng, 3, 9, n_dense)
        levels = random_hybrid_weights(rng, tree, X.n_sparse, n_dense)
    else:
        X = random_features(rng, 3, 9)
        levels = random_weights(rng, tree, X.shape[1])
    log_bias = -rng.random(tree.n_labels).astype(np.float32) if biased else None
    search = BeamSearch.of(tree, levels, precision, log_bias)
    rule = "max" if copies is None else copies
    check(search, X, SearchConfig(beam=beam, transform=transform, path_weight=path_weight, copies=rule))


def test_a_label_without_a_leaf_has_no_path():
    rng = np.random.default_rng(0)
    tree = random_tree(rng, [[2], [2, 2]])
    tree = LabelTree(tree.parents, tree.leaf_labels, 9)
    X = random_features(rng, 1, 9)
    search = BeamSearch.of(tree, random_weights(rng, tree, X.shape[1]), "int8")
    reason = tree_reason(search, X, 8, SearchConfig())
    assert (reason.paths, reason.ranked, reason.score) == ((), False, -math.inf)
