"""Random trees, features, training problems and weights, all from one seed."""

import numpy as np
import scipy.sparse as sp

from ramify.kernels.train import LevelProblem
from ramify.reference.train import level_weights
from ramify.values import LabelTree, as_csr
from ramify.weights import Blocks


def random_tree(rng, children, *, copies=False):
    """A tree whose levels have the given numbers of children per parent: children = [[3], [2, 1, 4]] and so on."""
    parents = tuple(np.repeat(np.arange(len(level)), level).astype(np.int32) for level in children)
    n_leaves = len(parents[-1])
    n_labels = max(1, n_leaves // 2) if copies else n_leaves
    leaf_labels = rng.integers(n_labels, size=n_leaves) if copies else rng.permutation(n_leaves)
    return LabelTree(parents, leaf_labels.astype(np.int32), n_labels)


def random_children(rng, depth, most):
    children = [[int(rng.integers(1, most + 1))]]
    for _ in range(depth - 1):
        children.append(rng.integers(1, most + 1, sum(children[-1])).tolist())
    return children


def random_features(rng, n, d, density=0.4):
    """X with empty rows, repeated rows and features that a single row has."""
    X = np.where(rng.random((n, d)) < density, rng.normal(size=(n, d)), 0).astype(np.float32)
    X[rng.random(n) < 0.15] = 0
    for row in np.flatnonzero(rng.random(n) < 0.2):
        X[row] = X[rng.integers(n)]
    alone = np.zeros((n, n), np.float32)
    alone[np.arange(n), np.arange(n)] = np.where(rng.random(n) < 0.5, rng.normal(size=n), 0)
    return as_csr(np.hstack([X, alone]))


def random_level(rng, X, children, *, relevance=False, chosen=True):
    """A level under parents with the given numbers of children; some nodes have all rows, some none."""
    n = X.shape[0]
    tree = random_tree(rng, [[len(children)], children])
    parent = tree.parents[1]
    rows = rng.random((len(children), n)) < 0.8
    share = rng.choice([0.0, 0.2, 0.5, 1.0], size=len(parent), p=[0.1, 0.4, 0.4, 0.1])
    positives = (rng.random((len(parent), n)) < share[:, None]) & rows[parent]
    factors = rng.uniform(0.3, 2.0, positives.shape) if relevance else np.ones(positives.shape)
    R = sp.csr_matrix(rows.astype(np.float32))
    if not chosen:
        R.data = rng.choice([0.0, 0.3, 1.0], R.nnz).astype(np.float32)  # zeros stay stored
    return LevelProblem(Blocks.of(tree, 1), R, sp.csr_matrix(np.where(positives, factors, 0).astype(np.float32)))


def random_weights(rng, tree, n_features, *, exact=False, density=0.5):
    """Weights of every level; exact: small multiples of 1/4, so that sums have no rounding."""
    levels = []
    for level, n_nodes in enumerate(tree.level_sizes):
        shape = (n_features, n_nodes)
        W = rng.integers(-4, 5, shape) / 4 if exact else rng.normal(size=shape)
        W = np.where(rng.random(shape) < density, W, 0)
        bias = rng.integers(-4, 5, n_nodes) / 4 if exact else rng.normal(size=n_nodes)
        levels.append(level_weights(W, bias, Blocks.of(tree, level)))
    return levels
