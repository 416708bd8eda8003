"""A tree that is divided into shards gives the answers of the whole tree, bit for bit."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Disentangled, XRLinear
from ramify.errors import InputError
from ramify.scale.subtrees import predict_by_documents, predict_by_subtrees, subtree_shards


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 120, (900, 2))
    Y = sp.csr_matrix((np.ones(1800, np.float32), (np.repeat(np.arange(900), 2), labels.ravel())), shape=(900, 120))
    Y.data[:] = 1
    words = np.concatenate([labels, labels % 11 + 120, rng.integers(131, 300, (900, 6))], axis=1)
    rows = np.repeat(np.arange(900), words.shape[1])
    X = sp.csr_matrix((rng.random(words.size).astype(np.float32), (rows, words.ravel())), shape=(900, 300))
    return X, Y


def assert_same(first, second):
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.scores.view(np.uint32), second.scores.view(np.uint32))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"beam": 2},
        {"beam": 40, "path_weight": 1.0},
        {"precision": "fp32", "tail_rank": 0.5},
        {"score_transform": "log-l2-hinge"},
        {"score_transform": "l1-hinge", "path_weight": 0.0},
        {"normalize": False},
        {"score_transform": "sigmoid", "precision": "bf16"},
    ],
    ids=str,
)
def test_shards_of_subtrees_give_the_answer_of_the_tree(data, settings):
    X, Y = data
    model = XRLinear(branching=3, max_leaf=7, threads=1, cost_positive=4.0, cost_negative=4.0, **settings).fit(X, Y)
    for count in (1, 2, 3, 7, model.tree_.level_sizes[-2]):
        shards = subtree_shards(model, count)
        assert len(shards) == count
        assert [shard.first_leaf for shard in shards[1:]] == [shard.last_leaf for shard in shards[:-1]]
        for k in (1, 5, 120):
            assert_same(predict_by_subtrees(shards, X, k), model.predict_topk(X, k))


def test_scores_that_are_equal_are_merged_in_the_order_of_the_search(data):
    X, Y = data
    doubled = sp.hstack([Y, Y], format="csr")  # every label twice: equal weights in clusters of their own
    model = XRLinear(branching=4, max_leaf=4, threads=1, beam=30, cost_positive=10.0, cost_negative=10.0).fit(
        X, doubled
    )
    whole = model.predict_topk(X, 20)
    assert (np.diff(whole.scores, axis=1) == 0).any()
    shards = subtree_shards(model, 5)
    assert_same(predict_by_subtrees(shards, X, 20), whole)


def test_a_shard_has_its_part_of_the_weights_and_can_be_sent(data):
    X, Y = data
    model = XRLinear(branching=3, max_leaf=7, threads=1).fit(X, Y)
    shards = subtree_shards(model, 4)
    leaves = [shard.levels[-1].entries.nbytes for shard in shards]
    assert sum(leaves) == model.search_.levels[-1].entries.nbytes
    assert max(leaves) < 0.5 * sum(leaves)
    sent = [pickle.loads(pickle.dumps(shard)) for shard in shards]
    with ThreadPoolExecutor(2) as pool:
        assert_same(predict_by_subtrees(sent, X, 5, mapped=pool.map), model.predict_topk(X, 5))


def test_trees_that_cannot_be_divided_are_refused(data):
    X, Y = data
    model = XRLinear(branching=3, max_leaf=7, threads=1).fit(X, Y)
    clusters = model.tree_.level_sizes[-2]
    with pytest.raises(InputError, match=rf"^count is {clusters + 1}, but must be"):
        subtree_shards(model, clusters + 1)
    flat = XRLinear(threads=1).fit(X, Y)
    with pytest.raises(InputError, match=r"^the tree has no clusters, so it cannot be divided"):
        subtree_shards(flat, 1)
    copied = Disentangled(XRLinear(branching=3, max_leaf=7, threads=1), copies=2, threads=1).fit(X, Y)
    assert copied.model_.search_.tree.overlapping
    with pytest.raises(InputError, match=r"^the tree has several leaves per label"):
        subtree_shards(copied.model_, 2)


def test_models_without_a_fitted_tree_and_no_shards_are_refused(data):
    X, _ = data
    for model, name in ((XRLinear(), "XRLinear"), (Disentangled(XRLinear()), "Disentangled"), ("tree", "str")):
        with pytest.raises(InputError, match=rf"^the {name} has no label tree that can be divided: give a fitted XRL"):
            subtree_shards(model, 2)
    for shards in ([], (one for one in ())):
        with pytest.raises(InputError, match=r"^there is no shard of a tree: give all those of subtree_shards"):
            predict_by_subtrees(shards, X, 5)


def test_features_of_another_width_are_refused(data):
    X, Y = data
    shards = subtree_shards(XRLinear(branching=3, max_leaf=7, threads=1).fit(X, Y), 2)
    with pytest.raises(InputError, match=r"^X has 299 columns, but 300 are expected"):
        predict_by_subtrees(shards, X[:, :299], 5)


@pytest.mark.parametrize("rows", [1, 7, 899, 900, 5000])
def test_blocks_of_documents_give_the_same_answer(data, rows):
    X, Y = data
    model = XRLinear(branching=3, max_leaf=7, threads=1).fit(X, Y)
    some = X[:40] if rows == 1 else X
    assert_same(predict_by_documents(model, some, 4, rows=rows), model.predict_topk(some, 4))
