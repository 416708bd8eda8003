"""XRLinear gives the answers of the method as written down in ``reference.xr_linear``."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from ramify import XRLinear
from ramify.data import read
from ramify.index import FixedTree
from ramify.label_vectors import PIFA
from ramify.reference import xr_linear as reference

BIBTEX = Path(__file__).resolve().parents[3] / "shared" / "data" / "bibtex" / "train.txt.gz"
CONVERGED = {"epsilon": 1e-5, "max_passes": 20_000}
PLAIN = {
    "cost_positive": 0.5,
    "cost_negative": 0.5,
    "tail_cost": 0.0,
    "hard_negative_weight": 1.0,
    "precision": "fp32",
    "normalize": False,
}


def _problem(seed, n=120, d=40, n_labels=24):
    """Sparse documents whose features depend on their labels."""
    rng = np.random.default_rng(seed)
    Y = rng.random((n, n_labels)) < 2.5 / n_labels
    words = rng.random((n_labels, d)) * (rng.random((n_labels, d)) < 0.15)
    X = (Y @ words + 0.3 * rng.random((n, d))) * (rng.random((n, d)) < 0.5)
    X = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)
    return X.astype(np.float32).astype(np.float64), Y.astype(np.float64)


def _tree(X, Y, max_leaf):
    return reference.build_tree(reference.label_vectors(X, Y), max_leaf, np.random.default_rng(0))


def _library(X, Y, tree, **settings):
    model = XRLinear(indexer=FixedTree(tree), **(PLAIN | CONVERGED | settings))
    return model.fit(sp.csr_matrix(X), sp.csr_matrix(Y))


def _agreement(top, expected, tolerance):
    """Scores agree rank by rank; labels agree where the neighbouring ranks are further apart than the tolerance."""
    np.testing.assert_allclose(top.scores, expected.scores, atol=tolerance)
    gaps = np.abs(np.diff(expected.scores, axis=1, prepend=np.inf, append=-np.inf))
    with np.errstate(invalid="ignore"):
        clear = np.minimum(gaps[:, :-1], gaps[:, 1:])[:, :-1] > 2 * tolerance  # the last rank ties with what follows
    np.testing.assert_array_equal(top.labels[:, :-1][clear], expected.labels[:, :-1][clear])
    return clear.mean()


@pytest.mark.parametrize("threshold", [0.0, 0.1])
@pytest.mark.parametrize("path_weight", [1.0, 0.25, 0.0])
@pytest.mark.parametrize(("seed", "max_leaf"), [(0, 3), (1, 6), (2, 30)], ids=["4 levels", "3 levels", "flat"])
def test_the_library_gives_the_scores_and_ranks_of_the_reference(seed, max_leaf, path_weight, threshold):
    X, Y = _problem(seed)
    tree = _tree(X, Y, max_leaf)
    weights = reference.train(X[:90], Y[:90], tree, threshold=threshold)
    expected = reference.predict_topk(X[90:], tree, weights, 8, beam=3, path_weight=path_weight)
    model = _library(X[:90], Y[:90], tree, negatives="tfn", threshold=threshold, beam=3, path_weight=path_weight)
    top = model.predict_topk(sp.csr_matrix(X[90:]), 8)
    assert _agreement(top, expected, 2e-4) > 0.8


def test_the_weights_of_the_library_are_those_of_the_reference():
    X, Y = _problem(3)
    tree = _tree(X, Y, 6)
    model = _library(X, Y, tree, negatives="tfn", threshold=0.0)
    for level, W in enumerate(reference.train(X, Y, tree, threshold=0.0)):
        found = model.search_.weights(level)
        np.testing.assert_allclose(found.matrix().toarray(), W[:-1], atol=5e-4)
        np.testing.assert_allclose(found.bias, W[-1], atol=5e-4)


def test_matcher_aware_negatives_are_those_of_the_reference():
    """The library packs the trained levels as int8 for its search, so a few negatives may differ."""
    X, Y = _problem(4, n=200)
    tree = _tree(X, Y, 3)
    weights = reference.train(X[:150], Y[:150], tree, matcher_aware=True, beam=2)
    expected = reference.predict_topk(X[150:], tree, weights, 5, beam=2)
    teacher_forcing = reference.predict_topk(X[150:], tree, reference.train(X[:150], Y[:150], tree), 5, beam=2)
    model = _library(X[:150], Y[:150], tree, negatives="tfn,tfn+man", beam=2)
    top = model.predict_topk(sp.csr_matrix(X[150:]), 5)
    assert np.abs(top.scores - expected.scores).mean() < 0.02
    assert np.abs(top.scores - teacher_forcing.scores).mean() > 0.05, "MAN makes a difference on these data"
    assert (top.labels == expected.labels).mean() > 0.95


def test_label_vectors_are_those_of_pifa():
    X, Y = _problem(5)
    Z = PIFA().represent(sp.csr_matrix(X, dtype=np.float32), sp.csr_matrix(Y, dtype=np.float32))
    np.testing.assert_allclose(Z.toarray(), reference.label_vectors(X, Y), atol=1e-6)


def test_the_tree_is_balanced_and_has_every_label_once():
    X, Y = _problem(6, n_labels=50)
    tree = _tree(X, Y, 7)
    assert tree.level_sizes == (2, 4, 8, 50)
    assert sorted(tree.leaf_labels) == list(range(50))
    sizes = np.bincount(tree.parents[-1])
    assert sizes.min() >= 6 and sizes.max() <= 7


def test_two_groups_of_labels_are_two_clusters():
    Z = np.repeat(np.eye(2), 5, axis=0) + 0.01 * np.random.default_rng(0).random((10, 2))
    left, right = reference.bisected(Z, np.arange(10), 1, np.random.default_rng(1))
    assert sorted([sorted(left), sorted(right)]) == [list(range(5)), list(range(5, 10))]


@pytest.mark.skipif(not BIBTEX.exists(), reason="the shared data sets are not on this machine")
def test_a_real_sample_has_the_same_scores_and_ranks():
    sample = read(BIBTEX)
    X, Y = sample.X[:600].toarray().astype(np.float64), sample.Y[:600].toarray().astype(np.float64)
    X /= np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)
    X = X.astype(np.float32).astype(np.float64)
    Y = Y[:, Y[:400].any(axis=0)]
    tree = _tree(X[:400], Y[:400], 40)
    with threadpool_limits(1):  # on a busy machine the threads of BLAS take minutes for these small matrices
        weights = reference.train(X[:400], Y[:400], tree)
    expected = reference.predict_topk(X[400:], tree, weights, 5, beam=2)
    model = _library(X[:400], Y[:400], tree, negatives="tfn", beam=2)
    assert _agreement(model.predict_topk(sp.csr_matrix(X[400:]), 5), expected, 1e-4) > 0.9
