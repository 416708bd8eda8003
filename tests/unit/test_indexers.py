"""Indexers: balance, every label once, planted clusters found, degenerate inputs survive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.errors import InputError
from ramify.index import FixedTree, KMeansIndexer, NeighbourIndexer
from ramify.label_vectors import PIFA
from ramify.protocols import Indexer
from ramify.values import as_csr, as_label_matrix


def all_used(n_labels):
    return as_label_matrix(np.eye(n_labels))


def leaf_cluster_sizes(tree):
    return np.bincount(tree.parents[-1])


def planted(n_groups, per_group, *, seed=0, noise=0.5, n_columns=200):
    """Sparse labels around ``n_groups`` sparse directions, in random order; returns (Z, group of each label)."""
    rng = np.random.default_rng(seed)
    centres = (rng.random((n_groups, n_columns)) < 0.08).astype(float)
    groups = rng.permutation(np.repeat(np.arange(n_groups), per_group))
    Z = centres[groups] * rng.random((len(groups), n_columns))
    Z += noise * (rng.random(Z.shape) < 0.01)
    return as_csr(Z / np.linalg.norm(Z, axis=1, keepdims=True)), groups


def purity(tree, groups):
    clusters = np.empty(len(groups), int)
    clusters[tree.leaf_labels] = tree.parents[-1]
    counts = np.zeros((clusters.max() + 1, groups.max() + 1), int)
    np.add.at(counts, (clusters, groups), 1)
    return counts.max(axis=1).sum() / len(groups)


INDEXERS = {
    "balanced": KMeansIndexer(branching=4, max_leaf=32),
    "balanced Euclidean": KMeansIndexer(branching=4, max_leaf=32, spherical=False),
    "neighbours": NeighbourIndexer(branching=4, max_leaf=32),
}
each_indexer = pytest.mark.parametrize("indexer", INDEXERS.values(), ids=INDEXERS)
each_form = pytest.mark.parametrize("form", [as_csr, lambda Z: Z.toarray()], ids=["sparse", "dense"])


@each_indexer
@each_form
def test_planted_clusters_are_found(indexer, form):
    Z, groups = planted(8, 32)
    tree = indexer.build(form(Z), all_used(len(groups)), seed=1)
    shuffled = np.random.default_rng(0).permutation(groups)
    assert purity(tree, groups) > 0.8
    assert purity(tree, shuffled) < 0.45  # what chance gives


@each_indexer
@each_form
def test_threads_and_repeats_do_not_change_the_tree(indexer, form):
    Z, groups = planted(7, 40, seed=5)
    trees = [indexer.build(form(Z), all_used(len(groups)), seed=9, threads=threads) for threads in (1, 2, 3, 1)]
    for tree in trees[1:]:
        np.testing.assert_array_equal(tree.leaf_labels, trees[0].leaf_labels)
        for one, other in zip(tree.parents, trees[0].parents, strict=True):
            np.testing.assert_array_equal(one, other)


@each_indexer
@pytest.mark.parametrize("n_labels", [1, 2, 3, 33, 200])
@pytest.mark.parametrize("kind", ["zeros", "identical", "distinct", "two kinds"])
def test_degenerate_vectors_give_a_whole_tree(indexer, n_labels, kind):
    rows = {
        "zeros": np.zeros((n_labels, 3)),
        "identical": np.ones((n_labels, 3)),
        "distinct": np.eye(n_labels),
        "two kinds": np.eye(2)[np.arange(n_labels) % 2],
    }
    for Z in (as_csr(rows[kind]), rows[kind].astype(np.float32)):
        tree = indexer.build(Z, all_used(n_labels), threads=2)
        np.testing.assert_array_equal(np.sort(tree.leaf_labels), np.arange(n_labels))
        assert tree.depth == 1 or leaf_cluster_sizes(tree).max() <= 32
        assert tree.depth < 12


@settings(max_examples=60, deadline=None)
@given(
    n_labels=st.integers(1, 300),
    branching=st.integers(2, 20),
    max_leaf=st.integers(1, 60),
    max_depth=st.none() | st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_balanced_trees_keep_their_promises(n_labels, branching, max_leaf, max_depth, seed):
    rng = np.random.default_rng(seed)
    Z = as_csr(rng.random((n_labels, 20)) * (rng.random((n_labels, 20)) < 0.2))
    indexer = KMeansIndexer(branching=branching, max_leaf=max_leaf, max_depth=max_depth)
    tree = indexer.build(Z, all_used(n_labels), seed=seed)
    np.testing.assert_array_equal(np.sort(tree.leaf_labels), np.arange(n_labels))
    n_clusters = -(-n_labels // max_leaf)
    if n_clusters == 1:
        assert tree.depth == 1
        return
    sizes = leaf_cluster_sizes(tree)
    assert len(sizes) == n_clusters
    assert sizes.max() <= max_leaf
    assert sizes.max() - sizes.min() <= 1
    first = 0 if max_depth is None else 1  # a capped depth widens the top
    for parents in tree.parents[first:-1]:
        assert np.bincount(parents).max() <= branching
    assert max_depth is None or tree.depth <= max_depth + 1


@settings(max_examples=40, deadline=None)
@given(n_labels=st.integers(1, 200), branching=st.integers(2, 20), max_leaf=st.integers(2, 40))
def test_neighbour_trees_keep_their_promises(n_labels, branching, max_leaf):
    rng = np.random.default_rng(n_labels)
    Z = as_csr(rng.random((n_labels, 20)) * (rng.random((n_labels, 20)) < 0.2))
    tree = NeighbourIndexer(branching=branching, max_leaf=max_leaf).build(Z, all_used(n_labels))
    np.testing.assert_array_equal(np.sort(tree.leaf_labels), np.arange(n_labels))
    if tree.depth > 1:
        assert leaf_cluster_sizes(tree).max() <= max_leaf
        assert all(np.bincount(parents).max() <= branching for parents in tree.parents[:-1])


@each_indexer
@each_form
def test_products_that_overflow_still_give_a_whole_tree(indexer, form):
    Z, groups = planted(8, 100)
    Z.data *= np.float32(3e38)
    with np.errstate(over="ignore", invalid="ignore"):
        tree = indexer.build(form(Z), all_used(len(groups)))
    np.testing.assert_array_equal(np.sort(tree.leaf_labels), np.arange(len(groups)))


def test_unused_labels_are_left_out_unless_wanted():
    Y = as_label_matrix([[1, 0, 1, 0], [0, 0, 1, 0]])
    Z = PIFA().represent(as_csr(np.eye(2)), Y)
    for indexer in (KMeansIndexer(), NeighbourIndexer()):
        assert sorted(indexer.build(Z, Y).leaf_labels.tolist()) == [0, 2]
    for indexer in (KMeansIndexer(keep_unused=True), NeighbourIndexer(keep_unused=True, max_leaf=2)):
        tree = indexer.build(Z, Y)
        assert tree.n_labels == 4
        assert sorted(tree.leaf_labels.tolist()) == [0, 1, 2, 3]


def test_pairs_of_twins_are_joined_first():
    """Labels 2i and 2i + 1 are alike; pairing must find exactly that."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((16, 30))
    Z = np.repeat(base, 2, axis=0) + 0.01 * rng.standard_normal((32, 30))
    for form in (as_csr, np.asarray):
        tree = NeighbourIndexer(max_leaf=2, branching=2).build(form(Z), all_used(32))
        pairs = tree.leaf_labels.reshape(16, 2)
        assert (pairs // 2 == pairs[:, :1] // 2).all()


def test_seeds_matter_and_indexers_serve_the_protocol():
    Z, _ = planted(9, 20, noise=2.0)
    one, other = (KMeansIndexer(max_leaf=20).build(Z, all_used(180), seed=seed) for seed in (0, 1))
    assert (one.leaf_labels != other.leaf_labels).any()
    assert all(isinstance(indexer, Indexer) for indexer in [*INDEXERS.values(), FixedTree(one)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KMeansIndexer(branching=1), "branching is 1"),
        (lambda: KMeansIndexer(max_leaf=0), "max_leaf is 0"),
        (lambda: KMeansIndexer(iterations=0), "iterations is 0"),
        (lambda: KMeansIndexer(max_depth=0), "max_depth is 0"),
        (lambda: NeighbourIndexer(neighbours=0), "neighbours is 0"),
        (lambda: KMeansIndexer().build(np.ones((3, 2)), all_used(2)), "3 rows"),
        (lambda: KMeansIndexer().build(np.ones(3), all_used(3)), "shape"),
        (lambda: KMeansIndexer().build(np.full((2, 2), np.inf), all_used(2)), "finite"),
        (lambda: KMeansIndexer().build(np.ones((2, 2)), as_label_matrix(np.zeros((3, 2)))), "no positive"),
        (lambda: KMeansIndexer().build(np.ones((2, 2)), all_used(2), seed=-1), "seed is -1"),
        (lambda: KMeansIndexer().build(np.ones((2, 2)), all_used(2), threads=0), "threads is 0"),
        (lambda: NeighbourIndexer().build(np.ones((2, 2)), all_used(2), threads=0), "threads is 0"),
        (lambda: FixedTree(KMeansIndexer().build(np.ones((2, 2)), all_used(2))).build(None, all_used(3)), "2 labels"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
