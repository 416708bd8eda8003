"""Score matrices → TopK: order, ties, filling, sparse and dense alike."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ramify.evaluation import ranking, top_k


def plain(row, candidates, k):
    order = sorted((label for label in candidates if row[label] != -np.inf), key=lambda label: (-row[label], label))
    return order[:k] + [-1] * (k - len(order[:k]))


SCORES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 5), st.integers(0, 6)),
    elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf]),
)


@settings(max_examples=150, deadline=None)
@given(SCORES, st.integers(1, 8))
def test_dense_scores_are_ranked_as_sorting_ranks_them(scores, k):
    top = top_k(scores, k)
    assert top.labels.tolist() == [plain(row, range(scores.shape[1]), k) for row in scores]
    for labels, values, row in zip(top.labels, top.scores, scores, strict=True):
        assert values.tolist() == [row[label] if label >= 0 else -np.inf for label in labels]


@settings(max_examples=100, deadline=None)
@given(SCORES, st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_sparse_scores_rank_stored_entries_only(scores, k, seed):
    stored = np.random.default_rng(seed).random(scores.shape) < 0.6
    rows, columns = np.nonzero(stored)
    matrix = sp.coo_matrix((scores[rows, columns], (rows, columns)), shape=scores.shape)
    expected = [plain(row, np.flatnonzero(kept).tolist(), k) for row, kept in zip(scores, stored, strict=True)]
    assert top_k(matrix, k).labels.tolist() == expected
    assert top_k(matrix.tocsc(), k).labels.tolist() == expected


def test_blocks_do_not_change_the_ranking(monkeypatch):
    scores = np.random.default_rng(0).integers(0, 5, size=(50, 20))
    whole = top_k(scores, 6)
    monkeypatch.setattr(ranking, "_BLOCK_CELLS", 64)
    assert np.array_equal(top_k(scores, 6).labels, whole.labels)


def test_the_callers_sparse_matrix_is_left_alone():
    matrix = sp.csr_matrix((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    assert top_k(matrix, 2).labels.tolist() == [[0, 1]]
    assert matrix.indices.tolist() == [1, 0]


def test_scores_beyond_float32_keep_their_order():
    assert top_k(np.array([[1e300, 1e301, 0.0]]), 2).labels.tolist() == [[1, 0]]
    assert top_k(np.array([[-1e300, 1.0]]), 2).labels.tolist() == [[1, 0]]
    assert top_k(np.array([[3, 7]], dtype=np.uint8), 1).scores.tolist() == [[pytest.approx(7)]]
