"""The native clustering kernels equal their NumPy twins, for any number of threads."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings

from ramify.errors import InputError
from ramify.index.shape import balanced_shape, cut_plan
from ramify.kernels import aggregate, cluster
from ramify.reference import aggregate as plain_aggregate
from ramify.reference import cluster as plain_cluster
from ramify.values import as_csr, as_label_matrix


@st.composite
def sparse_matrix(draw, max_rows=40, max_columns=30):
    """Small whole numbers, so that float32 sums are exact and no two roundings differ."""
    seed = draw(st.integers(0, 2**32 - 1))
    shape = draw(st.tuples(st.integers(1, max_rows), st.integers(1, max_columns)))
    density = draw(st.sampled_from([0.0, 0.1, 0.3, 1.0]))
    rng = np.random.default_rng(seed)
    dense = rng.integers(-4, 9, shape) * (rng.random(shape) < density)
    return as_csr(dense.astype(np.float32))


@settings(max_examples=80, deadline=None)
@given(
    X=sparse_matrix(), seed=st.integers(0, 1000), limit=st.sampled_from([None, 1, 3, 100]), n_labels=st.integers(1, 50)
)
def test_pifa_equals_its_twin(X, seed, limit, n_labels):
    rng = np.random.default_rng(seed)
    X = abs(X)  # all of one sign: no cancelling sums whose order by size would hang on rounding
    Y = as_label_matrix((rng.random((X.shape[0], n_labels)) < 0.2).astype(np.float32))
    Z = aggregate.pifa(X, Y, max_features_per_label=limit)
    assert Z.has_sorted_indices and Z.indptr[-1] == len(Z.indices)
    if limit is None:
        np.testing.assert_allclose(Z.toarray(), plain_aggregate.pifa(X, Y).toarray(), atol=1e-6)
    else:
        assert np.diff(Z.indptr).max() <= limit
        plain = plain_aggregate.pifa(X, Y, max_features_per_label=limit).toarray()
        np.testing.assert_allclose(np.sort(Z.toarray(), axis=1), np.sort(plain, axis=1), atol=1e-6)
    two = aggregate.pifa(X, Y, max_features_per_label=limit, threads=2)
    assert (two != Z).nnz == 0


def test_pifa_equals_its_twin_on_many_columns():
    X = as_csr(sp.random(300, 20_000, 0.002, format="csr", dtype=np.float32, rng=np.random.default_rng(0)))
    Y = as_label_matrix(sp.random(300, 700, 0.01, format="csr", rng=np.random.default_rng(1)))
    Z = aggregate.pifa(X, Y, threads=2)
    np.testing.assert_allclose(Z.toarray(), plain_aggregate.pifa(X, Y).toarray(), atol=1e-6)
    lengths = np.sqrt(Z.multiply(Z).sum(axis=1)).A1
    np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-5)


def plan_for(n_labels, branching=3, max_leaf=4):
    return cut_plan(balanced_shape(n_labels, branching=branching, max_leaf=max_leaf))


@settings(max_examples=80, deadline=None)
@given(Z=sparse_matrix(max_rows=60), dense=st.booleans(), max_leaf=st.integers(1, 9), seed=st.integers(0, 2**60))
def test_euclidean_first_cut_equals_its_twin(Z, dense, max_leaf, seed):
    """One assignment from whole numbers is exact, ties included."""
    plan = plan_for(Z.shape[0], 3, max_leaf)
    config = cluster.KMeansConfig(spherical=False, iterations=1, seed=seed)
    vectors = Z.toarray() if dense else Z
    native = cluster.balanced_order(vectors, plan, config)
    np.testing.assert_array_equal(native, plain_cluster.balanced_order(Z, plan, config))


@settings(max_examples=60, deadline=None)
@given(
    n_groups=st.integers(2, 6),
    seed=st.integers(0, 1000),
    spherical=st.booleans(),
    dense=st.booleans(),
    density=st.sampled_from([0.5, 1.0]),
    sketch=st.sampled_from([0, 4, 64]),
)
def test_balanced_order_equals_its_twin_on_clear_margins(n_groups, seed, spherical, dense, density, sketch):
    """Random float vectors: projections differ by far more than float32 rounding, almost surely."""
    rng = np.random.default_rng(seed)
    shape = (17 * n_groups, 40)  # wide enough that no two labels share their few columns and tie
    Z = rng.standard_normal(shape) * (rng.random(shape) < density)
    Z = (Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    plan = plan_for(len(Z), 4, 5)
    config = cluster.KMeansConfig(spherical=spherical, seed=seed, iterations=6, sketch=sketch)
    vectors = Z if dense else as_csr(Z)
    native = cluster.balanced_order(vectors, plan, config)
    np.testing.assert_array_equal(native, plain_cluster.balanced_order(vectors, plan, config))
    np.testing.assert_array_equal(native, cluster.balanced_order(vectors, plan, config, threads=2))


@pytest.mark.parametrize("dense", [False, True])
def test_threads_do_not_change_the_order(dense):
    """Large enough that the first cuts share their labels among threads."""
    rng = np.random.default_rng(3)
    Z = sp.random(12_000, 300, 0.15, format="csr", dtype=np.float32, rng=rng)
    vectors = Z.toarray() if dense else as_csr(Z)
    plan = plan_for(12_000, 4, 900)
    config = cluster.KMeansConfig(iterations=5, sketch=8)
    one = cluster.balanced_order(vectors, plan, config, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(one, cluster.balanced_order(vectors, plan, config, threads=threads))
    np.testing.assert_array_equal(np.sort(one), np.arange(12_000))


def test_kernels_refuse_what_they_cannot_use():
    X = as_csr(np.eye(3))
    with pytest.raises(InputError, match="Y has 2"):
        aggregate.pifa(X, as_label_matrix(np.eye(2)))
    with pytest.raises(InputError, match="max_features_per_label is 0"):
        aggregate.pifa(X, X, max_features_per_label=0)
    with pytest.raises(InputError, match="threads"):
        aggregate.pifa(X, X, threads=0)
    with pytest.raises(InputError, match="the plan is for 9"):
        cluster.balanced_order(X, plan_for(9), cluster.KMeansConfig())
    with pytest.raises(InputError, match="iterations"):
        cluster.KMeansConfig(iterations=0)
    with pytest.raises(InputError, match="seed"):
        cluster.KMeansConfig(seed=-1)
    with pytest.raises(InputError, match="k is 0"):
        cluster.nearest(X, 0)


@pytest.mark.parametrize(
    ("middles", "lefts", "rights"),
    [([0], [-1], [-1]), ([4], [-1], [-1]), ([2], [0], [-1]), ([2, 1], [-1, -1], [-1, -1]), ([2, 3], [1, -1], [-1, -1])],
)
def test_a_plan_that_does_not_cut_every_side_is_refused(middles, lefts, rights):
    with pytest.raises(InputError, match="plan"):
        cluster.CutPlan(
            n_labels=4, middles=np.array(middles), lefts=np.array(lefts, np.int32), rights=np.array(rights, np.int32)
        )


@settings(max_examples=60, deadline=None)
@given(Z=sparse_matrix(), k=st.integers(1, 50), threads=st.integers(1, 3))
def test_nearest_equals_its_twin(Z, k, threads):
    neighbours, products = cluster.nearest(Z, k, threads=threads)
    plain_neighbours, plain_products = plain_cluster.nearest(Z, k)
    np.testing.assert_array_equal(neighbours, plain_neighbours)
    np.testing.assert_array_equal(products, plain_products)
