"""Labels go where their positives go: the assignment equals taking the largest entries one by one."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify import InputError, LabelTree
from ramify.index.overlap import WEIGHTINGS, candidates, clusters_of, disentangled, visits, with_clusters
from ramify.values import as_csr


def _tree(rng, n_labels, n_clusters, copies=False):
    """Two levels of clusters above the leaves; some labels in two clusters, one in none."""
    clusters = np.concatenate([np.arange(n_clusters), rng.integers(n_clusters, size=n_labels)])
    labels = np.concatenate([rng.integers(n_labels - 1, size=n_clusters), rng.permutation(n_labels)])
    if not copies:
        clusters, labels = clusters[n_clusters:], labels[n_clusters:]
        clusters[:n_clusters] = np.arange(n_clusters)
    order = np.argsort(clusters, kind="stable")
    top = np.sort(rng.integers(2, size=n_clusters))
    top[0], top[-1] = 0, 1
    parents = (np.array([0, 0], np.int32), top.astype(np.int32), clusters[order].astype(np.int32))
    return LabelTree(parents, labels[order].astype(np.int32), n_labels)


def _problem(seed, copies):
    rng = np.random.default_rng(seed)
    tree = _tree(rng, 9, 4, copies)
    Y = as_csr((rng.random((30, 9)) < 0.2).astype(np.float32))
    reached = np.where(rng.random((30, 4)) < 0.5, rng.random((30, 4)), 0).astype(np.float32)
    return tree, sp.csr_matrix(reached), Y


def _one_by_one(tree, reached, Y, copies, cap, weighting):
    Y, M, current = Y.toarray(), reached.toarray().astype(np.float64), clusters_of(tree).toarray()
    worth = (M > 0).astype(np.float64)
    if weighting == "rank":
        worth /= 1 + np.argsort(np.argsort(-M, axis=1, kind="stable"), axis=1)
    weight, score = (Y.T @ worth).round(6), Y.T.astype(np.float64) @ M
    entries = sorted(
        (-weight[label, cluster], -current[label, cluster], -score[label, cluster], label, cluster)
        for label, cluster in zip(*np.nonzero(weight), strict=True)
    )
    C = np.zeros_like(current)
    for *_, label, cluster in entries:
        if C[label].sum() < copies and (cap is None or C[:, cluster].sum() < cap):
            C[label, cluster] = 1
    if (weight * C).sum() < (weight * current).sum() - 1e-9:
        return current
    alone = C.sum(axis=1) == 0
    C[alone] = current[alone]
    return C


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    copies=st.integers(1, 5),
    cap=st.sampled_from([None, 1, 2, 3, 9]),
    overlapping=st.booleans(),
    weighting=st.sampled_from(WEIGHTINGS),
)
def test_the_largest_entries_one_by_one(seed, copies, cap, overlapping, weighting):
    tree, reached, Y = _problem(seed, overlapping)
    C = disentangled(tree, reached, Y, copies=copies, cap=cap, weighting=weighting)
    np.testing.assert_array_equal(C.toarray(), _one_by_one(tree, reached, Y, copies, cap, weighting))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_present_clusters_stay_if_a_cap_lowers_the_sum_of_the_weights(weighting):
    """Each cluster has room for one label. Label 0 would take the place of label 1, which reaches no other cluster."""
    tree = _pair([1, 0])
    Y = as_csr(np.array([[1, 0]] * 5 + [[0, 1]] * 4, np.float32))
    reached = as_csr(np.array([[0.9, 0.1]] * 4 + [[1, 0]] * 5, np.float32))
    C = disentangled(tree, reached, Y, copies=1, cap=1, weighting=weighting)
    np.testing.assert_array_equal(C.toarray(), clusters_of(tree).toarray())


def test_by_rank_a_first_place_outweighs_a_second_one():
    """All five positives of label 0 reach cluster 0, but four of them rank cluster 1 first."""
    reached, Y = as_csr(np.array([[0.2, 0.8]] * 4 + [[1, 0]], np.float32)), as_csr(np.array([[1, 0]] * 5, np.float32))
    found = {
        weighting: disentangled(_pair([0, 1]), reached, Y, copies=1, weighting=weighting)[0].indices.tolist()
        for weighting in WEIGHTINGS
    }
    assert found == {"rank": [1], "count": [0]}


def _pair(leaf_labels):
    """Two clusters of one label each."""
    one_each = np.array([0, 1], np.int32)
    return LabelTree((np.array([0, 0], np.int32), one_each), np.array(leaf_labels, np.int32), 2)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), copies=st.integers(1, 4))
def test_candidates_never_lose_a_hit_without_a_cap(seed, copies):
    tree, reached, Y = _problem(seed, copies=False)
    C = disentangled(tree, reached, Y, copies=copies, weighting="count")
    before, after = candidates(reached, Y, clusters_of(tree)), candidates(reached, Y, C)
    offered = ((reached.toarray() > 0).astype(int) @ C.toarray().T.astype(int)) > 0
    assert (after.hits, after.offered) == ((offered & (Y.toarray() > 0)).sum(), offered.sum())
    assert after.positives == Y.nnz
    assert after.hits >= before.hits
    assert after.recall == after.hits / Y.nnz


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), copies=st.integers(1, 4))
def test_an_instance_visits_the_copy_of_its_label_whose_company_is_most_like_it(seed, copies):
    tree, reached, Y = _problem(seed, copies=False)
    rng = np.random.default_rng(seed)
    X, Z = (as_csr(rng.integers(0, 5, (rows, 6)).astype(np.float32)) for rows in (30, 9))
    C = disentangled(tree, reached, Y, copies=copies).toarray() > 0
    centres = C.T.astype(float) @ Z.toarray()
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    like = X.toarray() @ centres.T
    found = visits(X, Z, Y, sp.csr_matrix(C.astype(np.float32)))
    assert (found.data == 1).all()
    visited = found.toarray() > 0
    for row, label in zip(*Y.nonzero(), strict=True):
        best = np.flatnonzero(C[label] & (like[row] >= like[row][C[label]].max() - 1e-5))
        assert visited[row, best].any()
    assert visited.sum(axis=1).max(initial=0) <= np.diff(Y.indptr).max(initial=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_clusters_keep_their_place_and_empty_ones_go(seed):
    rng = np.random.default_rng(seed)
    tree = _tree(rng, 9, 6)
    lives = rng.random((9, 6)) < 0.3
    lives[0, 0] = True
    C = sp.csr_matrix(lives.astype(np.float32))
    made = with_clusters(tree, C)
    kept = np.flatnonzero(C.toarray().sum(axis=0))
    np.testing.assert_array_equal(clusters_of(made).toarray(), C.toarray()[:, kept])
    above = tree.parents[1][kept]
    np.testing.assert_array_equal(made.parents[1], np.unique(above, return_inverse=True)[1])
    assert made.n_leaves == C.nnz


def test_a_flat_tree_has_one_cluster():
    tree = LabelTree((np.zeros(3, np.int32),), np.arange(3, dtype=np.int32), 3)
    reached = sp.csr_matrix(np.ones((2, 1), np.float32))
    Y = as_csr(np.array([[1, 0, 0], [0, 1, 0]], np.float32))
    C = disentangled(tree, reached, Y, copies=2)
    assert C.toarray().tolist() == [[1], [1], [1]]
    assert with_clusters(tree, C).parents[0].tolist() == [0, 0, 0]


def test_matrices_that_do_not_fit_the_tree():
    tree, reached, Y = _problem(0, copies=False)
    with pytest.raises(InputError, match="4 clusters"):
        disentangled(tree, reached[:, :3], Y, copies=1)
    with pytest.raises(InputError, match="9 labels"):
        disentangled(tree, reached, Y[:, :8], copies=1)
