"""A dense block beside sparse columns: every kernel equals its twin, and the same kernel on the columns as CSR."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import random_children, random_features, random_level, random_tree

from ramify.errors import InputError, ModelFileError
from ramify.index.shape import balanced_shape, cut_plan
from ramify.kernels import aggregate, cluster
from ramify.kernels.pack import check_packed, pack, unpack
from ramify.kernels.predict import TRANSFORMS, SearchConfig, Searcher
from ramify.kernels.train import LOSSES, SolverConfig, train
from ramify.reference import aggregate as plain_aggregate
from ramify.reference import cluster as plain_cluster
from ramify.reference import train as reference
from ramify.reference.predict import PlainModel, rounded, whole_matrix
from ramify.reference.train import level_weights
from ramify.values import Hybrid, as_csr, as_label_matrix
from ramify.weights import PRECISIONS, Blocks

HERE = Path(__file__).parent
FINE = {"epsilon": 1e-5, "max_passes": 100_000, "threshold": 0.0}


def random_hybrid(rng, n, d, m, *, scaled=True):
    """Random features; some dense rows are zero or equal to others."""
    dense = rng.normal(size=(n, m)).astype(np.float32) * 0.5
    dense[rng.random(n) < 0.15] = 0
    for row in np.flatnonzero(rng.random(n) < 0.2):
        dense[row] = dense[rng.integers(n)]
    scale = rng.uniform(0.2, 2, n).astype(np.float32) if scaled else None
    return Hybrid(random_features(rng, n, d), dense, scale)


def as_one_block(X):
    """The same columns as CSR."""
    return as_csr(X.toarray())


def random_hybrid_weights(rng, tree, d, m, *, exact=False):
    levels = []
    for level, n_nodes in enumerate(tree.level_sizes):
        W = rng.integers(-4, 5, (d, n_nodes)) / 4 if exact else rng.normal(size=(d, n_nodes))
        dense = rng.integers(-4, 5, (n_nodes, m)) / 4 if exact else rng.normal(size=(n_nodes, m))
        bias = rng.integers(-4, 5, n_nodes) / 4 if exact else rng.normal(size=n_nodes)
        kept = np.where(rng.random(W.shape) < 0.5, W, 0)
        levels.append(level_weights(kept, bias, Blocks.of(tree, level), dense))
    return levels


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    m=st.sampled_from([1, 3, 16, 17, 40]),
    children=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    loss=st.sampled_from(LOSSES),
    chosen=st.booleans(),
    weighted=st.booleans(),
)
def test_training_equals_its_twin(seed, n, m, children, loss, chosen, weighted):
    rng = np.random.default_rng(seed)
    X = random_hybrid(rng, n, 4, m)
    problem = random_level(rng, X, children, chosen=chosen)
    config = SolverConfig(loss=loss, cost_positive=2.0, cost_negative=0.5, **FINE)
    weights = rng.choice([0.0, 0.5, 3.0], n).astype(np.float32) if weighted else None
    native = train(X, [problem], config, instance_weights=weights)[0]
    plain = reference.train(X, [problem], config, instance_weights=weights)[0]
    np.testing.assert_allclose(whole_matrix(native), whole_matrix(plain), atol=3e-3, rtol=1e-3)
    np.testing.assert_allclose(native.bias, plain.bias, atol=3e-3, rtol=1e-3)
    assert native.n_features == X.shape[1] and native.n_dense == m


@pytest.mark.parametrize(
    ("loss", "n_children"), [("logistic", 3), ("hinge", 9), *(("squared-hinge", n) for n in (1, 4, 5, 15, 16, 17, 257))]
)
def test_training_equals_that_of_the_same_columns_as_csr(loss, n_children):
    rng = np.random.default_rng(n_children)
    X = random_hybrid(rng, 40, 8, 21)
    problem = random_level(rng, X, [n_children, 3])
    config = SolverConfig(loss=loss, **FINE)
    hybrid, csr = (train(form, [problem], config)[0] for form in (X, as_one_block(X)))
    np.testing.assert_allclose(whole_matrix(hybrid), csr.matrix().toarray(), atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(hybrid.bias, csr.bias, atol=2e-3, rtol=1e-3)


def test_the_threshold_and_the_limit_hold_for_sparse_weights_only():
    rng = np.random.default_rng(2)
    X = random_hybrid(rng, 40, 8, 5)
    problem = random_level(rng, X, [6])
    whole = train(X, [problem], SolverConfig(**FINE))[0]
    pruned = train(X, [problem], SolverConfig(**FINE | {"threshold": 0.3}, max_weights=2))[0]
    np.testing.assert_array_equal(pruned.dense, whole.dense)
    assert (np.abs(whole.dense) < 0.3).any()
    kept = pruned.matrix()
    assert (np.abs(kept.data) >= 0.3).all() and np.diff(kept.indptr).max() <= 2


@pytest.mark.parametrize("loss", LOSSES)
def test_any_number_of_threads_trains_the_same_bits(loss):
    rng = np.random.default_rng(8)
    X = random_hybrid(rng, 60, 20, 24)
    problems = [random_level(rng, X, [40, 7, 1, 19]), random_level(rng, X, [3, 3])]
    one, *others = (train(X, problems, SolverConfig(loss=loss), seed=5, threads=t) for t in (1, 2, 3))
    for other in others:
        for a, b in zip(one, other, strict=True):
            for name in ("block_rows", "features", "row_entries", "children", "values", "bias", "dense"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_dense_block_alone_is_trained():
    rng = np.random.default_rng(4)
    dense = rng.normal(size=(30, 6)).astype(np.float32)
    problem = random_level(rng, as_csr(dense), [5])
    csr = train(as_csr(dense), [problem], SolverConfig(**FINE))[0]
    for n_columns in (0, 1):
        X = Hybrid(sp.csr_matrix((30, n_columns), dtype=np.float32), dense)
        alone = train(X, [problem], SolverConfig(**FINE))[0]
        np.testing.assert_allclose(alone.dense.T, csr.matrix().toarray(), atol=2e-3, rtol=1e-3)


def test_values_that_cannot_be_squared_are_refused():
    X = Hybrid(sp.csr_matrix((2, 3), dtype=np.float32), np.full((2, 2), 1e10, np.float32), np.full(2, 1e10, np.float32))
    with pytest.raises(InputError, match="scale them"):
        train(X, [random_level(np.random.default_rng(0), X, [2])], SolverConfig())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    children=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    m=st.sampled_from([1, 2, 16, 33]),
    precision=st.sampled_from(PRECISIONS),
)
def test_packing_loses_only_the_rounding(seed, children, m, precision):
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, [[len(children)], children])
    level = random_hybrid_weights(rng, tree, 5, m)[1]
    level.dense[rng.random(level.dense.shape) < 0.1] = 0
    packed = pack(level, precision)
    check_packed(packed, level.blocks)
    again = unpack(packed)
    np.testing.assert_array_equal(again.dense, rounded(level, precision).dense)
    np.testing.assert_array_equal(again.values, rounded(level, precision).values)
    assert packed.n_weights == len(level.values) + level.dense.size


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(1, 3),
    beam=st.sampled_from([1, 2, 10_000]),
    path_weight=st.sampled_from([0.0, 0.25, 1.0]),
    copies=st.booleans(),
)
def test_search_finds_the_labels_of_its_twin(seed, depth, beam, path_weight, copies):
    """With small fractions no sum is rounded, so that ties are true ties and must fall the same way."""
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, random_children(rng, depth, 6), copies=copies)
    levels = random_hybrid_weights(rng, tree, 7, 5, exact=True)
    sparse = as_csr(np.where(rng.random((6, 7)) < 0.5, rng.integers(-2, 3, (6, 7)), 0))
    X = Hybrid(sparse, rng.integers(-2, 3, (6, 5)), np.full(6, 0.5, np.float32))
    config = SearchConfig(beam=beam, path_weight=path_weight)
    labels, scores = Searcher(tree, [pack(level, "fp32") for level in levels]).search(X, 8, config)
    plain = PlainModel(tree, levels).search(X, 8, config)
    np.testing.assert_array_equal(labels, plain[0])
    np.testing.assert_allclose(scores, plain[1], rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    transform=st.sampled_from(TRANSFORMS),
    precision=st.sampled_from(PRECISIONS),
    m=st.sampled_from([1, 16, 45]),
)
def test_margins_equal_those_of_the_twin(seed, transform, precision, m):
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, random_children(rng, 2, 40))
    levels = random_hybrid_weights(rng, tree, 12, m)
    X = random_hybrid(rng, 5, 7, m)
    config = SearchConfig(transform=transform)
    leaves = np.tile(np.arange(tree.n_leaves, dtype=np.int32), 5)
    pointers = np.arange(6, dtype=np.int64) * tree.n_leaves
    searcher = Searcher(tree, [pack(level, precision) for level in levels])
    scores, margins = searcher.score(X, pointers, leaves, config, threads=2)
    plain = PlainModel(tree, [rounded(level, precision) for level in levels])
    np.testing.assert_allclose(margins, plain.margins(X)[-1].ravel(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scores, plain.leaf_scores(X, config).ravel(), rtol=5e-3, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    precision=st.sampled_from(PRECISIONS),
    m=st.sampled_from([1, 16, 33]),
    n=st.sampled_from([2, 5, 9, 16, 40]),
)
def test_a_batch_gives_the_bits_of_single_documents(seed, precision, m, n):
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, random_children(rng, 3, 20))
    packed = [pack(level, precision) for level in random_hybrid_weights(rng, tree, 8, m)]
    X = random_hybrid(rng, n, 8 - min(n, 0), m)
    X = Hybrid(X.sparse[:, :8], X.dense, X.dense_scale)
    searcher, config = Searcher(tree, packed), SearchConfig(beam=3)
    labels, scores = searcher.search(X, 4, config)
    for threads in (2, 3):
        for whole, again in zip((labels, scores), searcher.search(X, 4, config, threads=threads), strict=True):
            np.testing.assert_array_equal(whole, again)
    for row in range(n):
        one, part = X[row : row + 1], X.sparse[row]
        single = searcher.search_one(
            part.indices, part.data, config.native(4, 1), 4, X.dense[row], float(X.dense_scale[row])
        )
        for found in (single, searcher.search(one, 4, config)):
            np.testing.assert_array_equal(found[0][0], labels[row])
            np.testing.assert_array_equal(found[1][0], scores[row])


def test_searches_with_another_dense_block_are_refused():
    rng = np.random.default_rng(0)
    tree = random_tree(rng, [[4]])
    searcher = Searcher(tree, [pack(level) for level in random_hybrid_weights(rng, tree, 6, 3)])
    X = random_hybrid(rng, 2, 3, 4)  # 5 sparse columns and 4 dense ones: as wide as the model
    with pytest.raises(InputError, match="trained on one of 3"):
        searcher.search(X, 2, SearchConfig())
    with pytest.raises(InputError, match="dense block of 0 columns"):
        searcher.search(as_one_block(X), 2, SearchConfig())
    with pytest.raises(InputError, match="3 values for the dense block"):
        searcher.search_one(np.zeros(0, np.int32), np.zeros(0, np.float32), SearchConfig().native(2, 1), 2)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("damage", ["shorter", "longer", "type", "scale", "missing", "width", "unexpected"])
def test_damaged_dense_weights_are_refused(precision, damage):
    rng = np.random.default_rng(1)
    tree = random_tree(rng, [[2], [3, 20]])
    level = random_hybrid_weights(rng, tree, 4, 5)[1]
    packed = pack(level, precision)
    broken = {
        "shorter": {"dense": packed.dense[:-1]},
        "longer": {"dense": np.append(packed.dense, packed.dense[:1])},
        "type": {"dense": packed.dense.astype(np.float64)},
        "scale": {"dense_scale": packed.dense_scale[1:]},
        "missing": {"dense": None},
        "width": {"n_dense": 4},
        "unexpected": {"n_dense": 0},
    }[damage]
    with pytest.raises(ModelFileError, match="damaged"):
        check_packed(replace(packed, **broken), level.blocks)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit=st.sampled_from([None, 1, 3]), m=st.sampled_from([1, 7, 20]))
def test_pifa_equals_its_twin(seed, limit, m):
    rng = np.random.default_rng(seed)
    X = random_hybrid(rng, 20, 6, m)
    X = Hybrid(abs(X.sparse), X.dense, X.dense_scale)  # see the test of PIFA without a dense block
    Y = as_label_matrix((rng.random((20, 15)) < 0.2).astype(np.float32))
    Z, plain = (module.pifa(X, Y, max_features_per_label=limit) for module in (aggregate, plain_aggregate))
    np.testing.assert_allclose(Z.dense, plain.dense, atol=1e-6)
    np.testing.assert_allclose(np.sort(Z.sparse.toarray(), axis=1), np.sort(plain.sparse.toarray(), axis=1), atol=1e-6)
    two = aggregate.pifa(X, Y, max_features_per_label=limit, threads=2)
    np.testing.assert_array_equal(Z.toarray(), two.toarray())


@settings(max_examples=20, deadline=None)
@given(
    n_groups=st.integers(2, 9),
    seed=st.integers(0, 2**32 - 1),
    spherical=st.booleans(),
    sketch=st.sampled_from([0, 2]),
)
def test_clusters_equal_those_of_the_twin(n_groups, seed, spherical, sketch):
    """Labels of one group have vectors close to each other, so that rounding moves none across a cut."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(-8, 9, (n_groups, 30)) * (rng.random((n_groups, 30)) < 0.6)
    Z = (np.repeat(centres, 4, axis=0) * 16 + rng.integers(0, 2, (4 * n_groups, 30))).astype(np.float32)
    hybrid = Hybrid(as_csr(Z[:, :18]), Z[:, 18:])
    plan = cut_plan(balanced_shape(len(Z), branching=3, max_leaf=4))
    config = cluster.KMeansConfig(spherical=spherical, seed=seed, sketch=sketch, tolerance=0)
    native = cluster.balanced_order(hybrid, plan, config)
    np.testing.assert_array_equal(native, plain_cluster.balanced_order(hybrid, plan, config))
    np.testing.assert_array_equal(native, cluster.balanced_order(hybrid, plan, config, threads=3))


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_narrower_instruction_sets(isa):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "as_csr or bits", Path(__file__)]
    done = subprocess.run(
        command, env=os.environ | {"RAMIFY_ISA": isa}, capture_output=True, text=True, cwd=HERE.parents[1], check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
