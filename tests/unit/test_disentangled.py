"""A label with two senses gets a leaf for each, and both serve it; rounds, saving and settings."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

import ramify
from ramify import Disentangled, InputError, NearestInstances, XRLinear
from ramify.errors import ModelFileError
from ramify.exchange import CheckedTraining
from ramify.index import FixedTree
from ramify.index.overlap import clusters_of, disentangled
from ramify.models.trees.reassignment import Assignment, reached_unseen
from ramify.values import as_csr

TREE = XRLinear(branching=2, max_leaf=4, beam=1, threads=1)


def _two_senses(seed, n=800, own=(0.9, 0.02)):
    """Topics and labels with words of their own; label 0 belongs to the first and the last topic."""
    X, Y = _topics(seed, n, own)
    Y[:, 0] = np.maximum(Y[:, 0], Y[:, -1])
    return as_csr(X), as_csr(Y[:, :-1])


def _topics(seed, n, own):
    """4 topics of 4 labels; ``own``: how often a label's own word occurs with the label, and without it."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(4, size=n)
    label = topic * 4 + rng.integers(4, size=n)
    of_topic = rng.random((n, 24)) < np.where(np.arange(24) // 6 == topic[:, None], 0.7, 0.02)
    of_label = rng.random((n, 16)) < np.where(np.arange(16) == label[:, None], *own)
    Y = np.zeros((n, 16), np.float32)
    Y[np.arange(n), label] = 1
    return np.hstack([of_topic, of_label]).astype(np.float32), Y


@pytest.mark.parametrize("seed", range(4))
def test_a_label_has_a_leaf_beside_the_labels_of_each_of_its_senses(seed):
    """The words of the topics dominate: a beam of 1 reaches both senses of a label only through two leaves."""
    (X, Y), (X_test, Y_test) = (_two_senses(one, n, (0.6, 0.1)) for one, n in ((seed, 800), (seed + 100, 2000)))
    plain, model = clone(TREE).fit(X, Y), Disentangled(TREE, copies=3, beam=2).fit(X, Y)
    first_round = model.rounds_[0]
    assert first_round.after.recall >= first_round.before.recall
    assert first_round.leaves == model.tree_.n_leaves
    before, after = clusters_of(plain.tree_).toarray(), clusters_of(model.tree_).toarray()
    topics = {int(before[labels].sum(axis=0).argmax()) for labels in ([1, 2, 3], [12, 13, 14])}
    assert topics <= set(np.flatnonzero(after[0]).tolist())
    without, reached = (_share_reached(one, X_test, Y_test) for one in (plain, model))
    assert reached[0] > without[0] + 0.1
    assert reached.mean() > without.mean()
    assert model.score(X_test, Y_test) > plain.score(X_test, Y_test) - 0.02


def _share_reached(model, X, Y):
    """Share of each label's instances that have the label among the labels of the one cluster that the beam reaches."""
    labels = model.predict_topk(X, 4).labels
    found = (labels == Y.indices[:, None]).any(axis=1)
    return np.bincount(Y.indices, found) / np.bincount(Y.indices)


@pytest.mark.parametrize("folds", [2, 5])
def test_labels_go_where_matchers_that_have_not_seen_the_instances_send_them(folds):
    X, Y = _two_senses(0)
    model = clone(TREE).fit(X, Y)
    how = Assignment(copies=2, beam=2, folds=folds, seed=3)
    reached = reached_unseen(model, CheckedTraining(X=X, Y=Y, seed=0, threads=1), how)
    assert reached.shape == (800, model.tree_.level_sizes[-2])
    assert (np.diff(reached.indptr) == 2).all()
    fold = np.random.default_rng(3).permutation(800) % folds
    twin = sp.csr_matrix(Y @ clusters_of(model.tree_))
    matcher = model.above_leaves().fit(X[fold != 1], twin[fold != 1])
    np.testing.assert_array_equal(
        np.sort(reached[fold == 1].indices.reshape(-1, 2)),
        np.sort(matcher.predict_topk(X[fold == 1], 2, beam=2).labels),
    )


def test_a_cluster_has_room_for_as_many_copies_as_labels_are_given():
    X, Y = _two_senses(0)
    plain = clone(TREE).fit(X, Y).tree_
    widest = np.bincount(clusters_of(plain).indices).max()
    tree = Disentangled(TREE, copies=3).fit(X, Y).tree_
    assert np.bincount(clusters_of(tree).indices).max() <= 3 * widest
    as_published = Disentangled(TREE, copies=3, folds=0, cap=0, weighting="count").fit(X, Y)
    reached = clone(TREE).fit(X, Y).clusters_reached(X)
    expected = disentangled(clone(TREE).fit(X, Y).tree_, reached, Y, copies=3, weighting="count")
    kept = np.flatnonzero(np.bincount(expected.indices, minlength=expected.shape[1]))
    np.testing.assert_array_equal(clusters_of(as_published.tree_).toarray(), expected[:, kept].toarray())


def test_copies_that_keep_to_instances_that_come_by_part_the_senses():
    """Of the instances of a two-sense label each copy scores its own sense's higher, more surely than with all."""
    right = {positives: [] for positives in ("all", "company")}
    for seed in range(4):
        X, Y = _two_senses(seed)
        rows = np.flatnonzero(Y[:, [0]].toarray())
        first = _topics(seed, 800, (0.9, 0.02))[1][rows, 0] > 0
        for positives, found in right.items():
            model = Disentangled(TREE, copies=2, beam=1, positives=positives).fit(X, Y)
            copy = model.leaf_scores(X[rows], 0).argmax(axis=1)
            found.append(max((copy == first).mean(), (copy != first).mean()))
    assert np.mean(right["company"]) > 0.9
    assert np.mean(right["company"]) >= np.mean(right["all"])


def test_one_copy_only_moves_labels():
    X, Y = _two_senses(0)
    model = Disentangled(TREE, copies=1).fit(X, Y)
    assert not model.tree_.overlapping
    assert sorted(model.tree_.leaf_labels) == list(range(15))


@pytest.mark.parametrize("copies", [1, 3])
def test_a_warm_start_keeps_the_leaves_that_stay(copies):
    gains = []
    for seed in range(4):
        X, Y = _two_senses(seed)
        plain = clone(TREE).fit(X, Y)
        warm = Disentangled(TREE, copies=copies, warm_start=True).fit(X, Y)
        assert warm.rounds_ == Disentangled(TREE, copies=copies).fit(X, Y).rounds_
        before, after = _leaf_columns(plain), _leaf_columns(warm.model_)
        stayed = before.keys() & after.keys()
        assert len(stayed) > 10
        for leaf in stayed:
            np.testing.assert_array_equal(before[leaf], after[leaf])
        gains.append(warm.score(X, Y) - plain.score(X, Y))
    assert np.mean(gains) > -0.05


def _leaf_columns(model):
    """Weights by (cluster, label)."""
    last = model.tree_.depth - 1
    columns = model.search_.weights(last).matrix().toarray().T
    return dict(zip(zip(model.tree_.parents[last], model.tree_.leaf_labels, strict=True), columns, strict=True))


def test_regrown_on_its_own_tree_a_model_stays_as_it_is_and_on_other_clusters_all_is_trained():
    X, Y = _two_senses(0)
    model = clone(TREE).fit(X, Y)
    same = model.regrown(model.tree_, X, Y)
    np.testing.assert_array_equal(same.predict_topk(X, 5).scores, model.predict_topk(X, 5).scores)
    other = XRLinear(branching=3, max_leaf=3, threads=1).fit(X, Y).tree_
    fresh = clone(TREE).set_params(indexer=FixedTree(other)).fit(X, Y)
    np.testing.assert_array_equal(model.regrown(other, X, Y).predict_topk(X, 5).scores, fresh.predict_topk(X, 5).scores)
    for wrong in ((model.tree_, X, Y[:, :-1]), (model.tree_, X[:, :-1], Y)):
        with pytest.raises(InputError):
            model.regrown(*wrong)
    flat = XRLinear(branching=64, max_leaf=64, threads=1).fit(X, Y)
    np.testing.assert_array_equal(flat.regrown(flat.tree_, X, Y).predict_topk(X).labels, flat.predict_topk(X).labels)


def test_a_cap_holds():
    X, Y = _two_senses(0)
    tree = Disentangled(TREE, copies=4, cap=5).fit(X, Y).tree_
    assert np.diff(tree.first_children(tree.depth - 1)).max() <= 5


def test_rounds_stop_when_held_out_precision_does():
    X, Y = _two_senses(1)
    model = Disentangled(TREE, copies=2, rounds=5, held_out=0.3).fit(X, Y)
    held = [one.held_out for one in model.rounds_]
    assert 1 <= len(held) < 5
    assert held == sorted(held)
    assert len(Disentangled(TREE, copies=2, rounds=3, held_out=0).fit(X, Y).rounds_) == 3


@pytest.mark.parametrize("merging", ["max", "mean", "sum"])
def test_saved_and_opened(tmp_path, merging):
    X, Y = _two_senses(2)
    inner = XRLinear(branching=2, max_leaf=4, beam=2, merge_copies=merging, threads=1)
    model = Disentangled(inner, copies=3, rounds=2).fit(X, Y)
    model.save(tmp_path / "m")
    again = ramify.load(tmp_path / "m")
    assert again.rounds_ == model.rounds_
    assert again.get_params(deep=False) | {"model": 0} == model.get_params(deep=False) | {"model": 0}
    found, wanted = again.predict_topk(X, 5), model.predict_topk(X, 5)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    assert again.fit(X, Y).tree_.n_leaves == model.tree_.n_leaves  # its settings train again
    config, arrays = model.to_state()
    with pytest.raises(ModelFileError, match="damaged"):
        Disentangled.from_state({**config, "settings": {"copies": 0}}, arrays)
    with pytest.raises(ModelFileError, match="damaged"):
        Disentangled.from_state({**config, "rounds": [{}]}, arrays)


def test_the_same_for_any_number_of_threads():
    X, Y = _two_senses(3)
    one, two = (Disentangled(XRLinear(branching=2, max_leaf=3, threads=n), copies=2).fit(X, Y) for n in (1, 2))
    np.testing.assert_array_equal(one.tree_.leaf_labels, two.tree_.leaf_labels)
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))


@pytest.mark.parametrize("merging", ["max", "mean", "sum"])
@pytest.mark.parametrize("transform", ["l3-hinge", "log-l2-hinge"])
def test_all_ways_to_a_score_agree(merging, transform):
    X, Y = _two_senses(4)
    inner = XRLinear(branching=2, max_leaf=4, beam=1000, threads=1, merge_copies=merging, score_transform=transform)
    model = Disentangled(inner, copies=3).fit(X, Y)
    scores = model.decision_function(X)
    top = model.predict_topk(X, 15)
    rows = np.arange(X.shape[0])[:, None]
    np.testing.assert_allclose(top.scores, scores[rows, top.labels], rtol=1e-4, atol=1e-6)
    given = model.predict_topk(X, 15, allowed=sp.csr_matrix(np.ones(Y.shape, np.float32)))
    np.testing.assert_allclose(given.scores, top.scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.score_pairs(X, Y).data, scores[Y.nonzero()], rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"copies": 0}, "copies"),
        ({"copies": 1.5}, "copies"),
        ({"rounds": 0}, "rounds"),
        ({"cap": -1}, "cap"),
        ({"folds": -1}, "folds"),
        ({"positives": "some"}, "positives"),
        ({"beam": 0}, "beam"),
        ({"held_out": 1}, "held_out"),
        ({"seed": -1}, "seed"),
        ({"model": NearestInstances()}, "tree model"),
        ({"model": XRLinear}, "tree model"),
    ],
)
def test_settings_out_of_range(settings, named):
    X, Y = np.eye(4, dtype=np.float32), np.eye(4)
    with pytest.raises(InputError, match=named):
        Disentangled(**settings).fit(X, Y)
