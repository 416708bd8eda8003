"""Orders sort labels as they say; re-sequencing keeps what is right, strikes what is wrong, appends what is missing."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ramify import InputError, LabelChain
from ramify.chains import FixedOrder, FrequentFirst, FreshOrder, OwnOrder, RareFirst, Resequenced
from ramify.chains.order import order_of
from ramify.chains.rewards import dcg_gain, exact_match, set_f1_gain
from ramify.chains.sequences import sequences
from ramify.label_vectors import unit_vectors
from ramify.torchloop.batching import batches_by_cost

Y = sp.csr_matrix(np.array([[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]], np.float32))
COUNTS = np.array([7, 30, 1, 4])


def taught(order, seed=0):
    return [
        [label for label in row if label >= 0]
        for row in sequences(Y, order.keys(Y, COUNTS, np.random.default_rng(seed))).tolist()
    ]


def test_frequent_rare_and_own_orders():
    assert taught(FrequentFirst()) == [[1, 0, 2, 4], [1, 3, 4], [4], [1, 4]]
    assert taught(RareFirst()) == [[2, 0, 1, 4], [3, 1, 4], [4], [1, 4]]
    assert taught(OwnOrder([2, 3, 1, 0])) == [[2, 1, 0, 4], [3, 1, 4], [4], [1, 4]]


def test_a_fixed_order_is_one_and_a_fresh_one_differs():
    many = sp.csr_matrix(np.ones((2, 30), np.float32))
    counts = np.ones(30, int)
    fixed = [sequences(many, FixedOrder(3).keys(many, counts, np.random.default_rng(seed))) for seed in (0, 1)]
    assert np.array_equal(fixed[0], fixed[1])
    assert np.array_equal(fixed[0][0], fixed[0][1])
    assert not np.array_equal(fixed[0][0, :30], np.arange(30))
    fresh = sequences(many, FreshOrder().keys(many, counts, np.random.default_rng(0)))
    assert not np.array_equal(fresh[0], fresh[1])
    assert sorted(fresh[0].tolist()) == list(range(31))


def test_resequencing_by_hand():
    emitted = np.array([[2, 3, 0, -1], [0, 2, 1, -1], [1, 3, -1, -1], [-1, -1, -1, -1]])
    keys = Resequenced().follow(Y, emitted, np.random.default_rng(0))
    assert sequences(Y, keys).tolist() == [[2, 0, 1, 4], [1, 3, 4, -1], [4, -1, -1, -1], [1, 4, -1, -1]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 9), st.integers(0, 12))
def test_resequencing_equals_the_words_of_the_paper(seed, n, n_labels, steps):
    rng = np.random.default_rng(seed)
    truth = sp.csr_matrix((rng.random((n, n_labels)) < 0.4).astype(np.float32))
    emitted = np.full((n, steps), -1)
    for row in range(n):
        labels = rng.permutation(n_labels)[: rng.integers(0, min(steps, n_labels) + 1)]
        emitted[row, : len(labels)] = labels
    found = sequences(truth, Resequenced().follow(truth, emitted, rng))
    for row in range(n):
        right = set(truth.indices[truth.indptr[row] : truth.indptr[row + 1]].tolist())
        kept = [label for label in emitted[row].tolist() if label in right]
        whole = [label for label in found[row].tolist() if label >= 0]
        assert whole[: len(kept)] == kept
        assert sorted(whole[:-1]) == sorted(right)
        assert whole[-1] == n_labels


def test_missing_labels_come_in_random_order():
    many = sp.csr_matrix(np.ones((40, 6), np.float32))
    nothing = np.full((40, 0), -1)
    found = sequences(many, Resequenced().follow(many, nothing, np.random.default_rng(0)))
    assert len({tuple(row) for row in found.tolist()}) > 20


@pytest.mark.parametrize("order", ["alphabetical", FrequentFirst, 3, None])
def test_unknown_orders(order):
    with pytest.raises(InputError, match="order is"):
        LabelChain(order=order).check_settings()


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1, 2, 2], [1, 2, 3, 4]])
def test_own_orders_must_name_every_label_once(labels):
    with pytest.raises(InputError, match="each of the 4 labels once"):
        taught(OwnOrder(labels))


def test_a_name_makes_its_order():
    assert isinstance(order_of("rare-first", 0), RareFirst)
    assert order_of("fixed", 5).seed == 5


def test_batches_hold_every_row_once():
    lengths = np.random.default_rng(0).integers(0, 20, 103)
    batches = batches_by_cost(lengths, 10, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(103))
    assert max(map(len, batches)) == 10


def test_rows_of_any_size_become_of_length_one():
    X = sp.csr_matrix(np.array([[3e-38, 4e-38], [3e37, 4e37], [0, 0], [0, -2]], np.float32))
    wanted = [[0.6, 0.8], [0.6, 0.8], [0, 0], [0, -1]]
    assert np.allclose(unit_vectors(X).toarray(), wanted, atol=1e-3)


HITS = np.array([[1.0, 0.0, 1.0, 0.0]])
EMITS = np.array([[1.0, 1.0, 1.0, 0.0]])


def test_rewards_add_up_to_their_measures():
    truth = np.array([2.0])
    assert np.allclose(set_f1_gain(HITS, EMITS, truth), [[2 / 3, 1 / 2 - 2 / 3, 4 / 5 - 1 / 2, 0]])
    best = 1 + 1 / np.log2(3)
    assert np.allclose(dcg_gain(HITS, EMITS, truth), [[1 / best, 0, 0.5 / best, 0]])
    assert exact_match(HITS, EMITS, truth).sum() == 0
    assert exact_match(HITS[:, :1], EMITS[:, :1], np.array([1.0])).tolist() == [[1.0]]
    assert exact_match(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([1.0])).tolist() == [[0.0, 1.0]]
