"""Targets, negatives and weights of a tree's levels, against plain loops over instances."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify import LabelTree, Tagger, Tfidf, XRLinear
from ramify.errors import InputError
from ramify.exchange import CheckedTraining
from ramify.index import FixedTree
from ramify.kernels.pack import pack
from ramify.kernels.predict import SearchConfig, Searcher
from ramify.kernels.train import SolverConfig
from ramify.linear import NORMS, TreeTrainer, TreeTrainingConfig, level_targets
from ramify.linear.defaults import solver_defaults
from ramify.linear.negatives import balanced_weight, own_clusters, parse_negatives, training_rows
from ramify.values import as_csr

BILLS = Path(__file__).resolve().parents[3] / "shared" / "data" / "crs-bills-mini"


def _tree():
    """3 levels: 2, 4 and 9 nodes over 7 labels, two of which have two leaves."""
    parents = ([0, 0], [0, 0, 1, 1], [0, 0, 0, 1, 1, 2, 2, 3, 3])
    leaves = np.array([0, 1, 2, 3, 0, 4, 5, 6, 4], np.int32)
    return LabelTree(tuple(np.array(p, np.int32) for p in parents), leaves, 7)


def _problem(n=40, seed=0):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 7)) < 0.25).astype(np.float32)
    X = np.hstack([Y @ rng.normal(size=(7, 6)), rng.normal(size=(n, 3))]).astype(np.float32)
    X[rng.random(X.shape) < 0.4] = 0
    return as_csr(X), as_csr(Y)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("induced", [False, True])
def test_targets(norm, induced):
    tree, (_, Y) = _tree(), _problem()
    R = Y.copy()
    R.data = np.random.default_rng(1).uniform(0.5, 2, R.nnz).astype(np.float32)
    target = R.toarray()[:, tree.leaf_labels]
    wanted = [target]
    for level in (2, 1):
        above = np.zeros((len(target), tree.level_sizes[level - 1]), np.float32)
        for node, parent in enumerate(tree.parents[level]):
            above[:, parent] += target[:, node]
        target = above if induced else (above > 0).astype(np.float32)
        wanted.insert(0, target)
    size = {"none": lambda row: 1, "l1": np.sum, "l2": np.linalg.norm, "max": np.max}[norm]
    for found, plain in zip(level_targets(R, tree, induced=induced, norm=norm), wanted, strict=True):
        scaled = [row / (size(row) or 1) for row in plain]
        np.testing.assert_allclose(found.toarray(), scaled, rtol=1e-5)


def test_targets_are_binary_by_default_and_their_norm_is_checked():
    tree, (_, Y) = _tree(), _problem()
    for found, wanted in zip(level_targets(Y, tree), level_targets(Y, tree, induced=False), strict=True):
        np.testing.assert_array_equal(found.toarray(), wanted.toarray())
        assert set(np.unique(found.toarray())) == {0, 1}
    with pytest.raises(InputError, match="relevance_norm is 'l3'"):
        level_targets(Y, tree, norm="l3")


def test_a_cluster_or_an_instance_at_the_end_may_have_no_training_instances():
    above = as_csr([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(training_rows(above).toarray(), [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("negatives", "depth", "wanted"),
    [
        ("tfn", 3, ["tfn", "tfn", "tfn"]), ("tfn,tfn+man", 3, ["tfn", "tfn", "man+tfn"]), ("tfn,man", 1, ["man"]),
        (["own", "man", "tfn"], 2, ["man", "tfn"]), (" TFN + Man ", 1, ["man+tfn"]), (("man",), 2, ["man", "man"]),
    ],
)  # fmt: skip
def test_schemes_speak_for_levels_from_the_bottom(negatives, depth, wanted):
    assert ["+".join(sorted(level)) for level in parse_negatives(negatives, depth)] == wanted


@pytest.mark.parametrize("negatives", ["", "tfm", "tfn man", [], None, 3, [3], {"tfn"}, "tfn+", b"tfn"])
def test_schemes_that_make_no_sense(negatives):
    with pytest.raises(InputError, match="negatives"):
        parse_negatives(negatives, 2)
    with pytest.raises(InputError, match="negatives"):  # before any work is done
        TreeTrainingConfig(solver=SolverConfig(), search=SearchConfig(), negatives=negatives)


@pytest.mark.parametrize("use", ["a", "m", "o", "am", "mo", "amo"])
def test_instances_of_a_cluster(use):
    tree, (_, Y) = _tree(), _problem()
    rng = np.random.default_rng(2)
    targets = level_targets(Y, tree)
    matched, own = (sp.csr_matrix((rng.random((40, 4)) < 0.3).astype(np.float32)) for _ in range(2))
    given = [targets[1], matched if "m" in use else None, own if "o" in use else None]
    rows = training_rows(*given, tfn="a" in use, weight=0.25)
    by_label = [given[0] if "a" in use else None, given[2]]
    given[0] = by_label[0]
    for cluster in range(4):
        chosen, full = _instances(given, cluster), _instances(by_label, cluster)
        positive = set(np.flatnonzero(targets[2].toarray()[:, tree.parents[2] == cluster].any(axis=1)).tolist())
        weights = dict(zip(rows[cluster].indices.tolist(), rows[cluster].data.tolist(), strict=True))
        hard = chosen - full - positive
        assert weights == {row: 0.25 if row in hard else float(row in chosen) for row in chosen | positive}


def _instances(matrices, cluster):
    columns = [sp.csc_matrix(matrix)[:, [cluster]].indices.tolist() for matrix in matrices if matrix is not None]
    return set().union(*columns)


def test_hard_negatives_count_less_where_they_outweigh_positives():
    tree, (_, Y) = _tree(), _problem()
    targets = level_targets(Y, tree)
    everywhere = sp.csr_matrix(np.ones((40, 4), np.float32))
    positive = int(targets[1].nnz)
    rows = training_rows(targets[1], everywhere)
    weight = np.sqrt(min(1, positive / (160 - positive)))
    assert set(np.unique(rows.data)) == {np.float32(weight), np.float32(1)}
    assert (rows.data == np.float32(1)).sum() == positive or weight == 1
    nowhere = training_rows(targets[1], sp.csr_matrix((40, 4), dtype=np.float32))
    assert (nowhere.data == 1).all()
    assert balanced_weight(0, 0) == balanced_weight(9, 2) == 1
    assert balanced_weight(1, 16) == 0.25


@pytest.mark.parametrize("weight", [0, -1, 1.5, float("nan"), "much", True])
def test_a_wrong_hard_negative_weight_gets_a_sentence(weight):
    with pytest.raises(InputError, match="hard_negative_weight"):
        XRLinear(hard_negative_weight=weight).fit(*_problem())


def test_own_negatives_go_to_the_clusters_of_their_labels():
    tree = _tree()
    own = as_csr([[0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0]])  # label 4 has leaves 5 and 8, label 3 has leaf 3
    clusters = [matrix.toarray() > 0 for matrix in own_clusters(own, tree)]
    np.testing.assert_array_equal(clusters[2], [[0, 0, 1, 1], [0, 1, 0, 0]])
    np.testing.assert_array_equal(clusters[1], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(clusters[0], [[1], [1]])


def test_matcher_aware_negatives_are_what_the_levels_above_reach():
    tree, (X, Y) = _tree(), _problem()
    search = SearchConfig(beam=1, path_weight=0.0)
    config = TreeTrainingConfig(solver=SolverConfig(threshold=0), negatives="man", search=search)
    levels = TreeTrainer(X, tree, level_targets(Y, tree), config).run()
    upper = LabelTree(tree.parents[:2], np.arange(4, dtype=np.int32), 4)
    packed = [pack(level) for level in levels[:2]]
    reached, _ = Searcher(upper, packed).search(X, 1, SearchConfig(beam=1))  # inner nodes are ranked by their path
    rows = TreeTrainer(X, tree, level_targets(Y, tree), config)._problem(2, levels[:2], 1).rows
    for row, cluster in enumerate(reached[:, 0]):
        chosen = {c for c in range(4) if row in rows[c].indices[rows[c].data > 0]}
        assert chosen == {cluster}


def _fixed(**settings):
    exact = {"epsilon": 1e-4, "max_passes": 5000, "threshold": 0.0, "precision": "fp32"}
    exact |= {"cost_positive": 1.0, "cost_negative": 1.0, "tail_cost": 0.0}
    return XRLinear(**{"indexer": FixedTree(_tree()), "threads": 1, **exact, **settings})


def _weights(model):
    return [model.search_.weights(level).matrix().toarray() for level in range(3)]


def test_a_weight_of_zero_leaves_an_instance_out_and_two_count_twice():
    X, Y = _problem()
    weights = np.where(np.arange(40) % 4 == 0, 0, np.where(np.arange(40) % 3 == 0, 2, 1))
    weighted = _fixed().fit(X, Y, sample_weight=weights)
    rows = np.repeat(np.arange(40), weights)
    repeated = _fixed().fit(X[rows], Y[rows])
    for a, b in zip(_weights(weighted), _weights(repeated), strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)


@pytest.mark.parametrize(
    "weights", [np.zeros(40), -np.ones(40), np.ones(39), np.full(40, np.nan), ["a"] * 40, np.full(40, 1e-20), 1.0]
)
def test_weights_that_make_no_sense(weights):
    with pytest.raises(InputError, match="sample_weight"):
        _fixed().fit(*_problem(), sample_weight=weights)


def test_relevance_is_the_factor_of_a_positive():
    X, Y = _problem()
    given = as_csr(np.where(np.arange(7) == 2, 1e-5, 3.0) * Y.toarray() * (np.arange(7) != 5))  # label 5 keeps 1
    training = CheckedTraining(X=X, Y=Y, relevance=given, seed=0, threads=1)
    targets = _fixed()._learner(None, solver_defaults(100, flat=True)).targets(training, _tree())[-1].toarray()
    factor = np.array([3, 3, 1e-5, 3, 3, 1, 3])[_tree().leaf_labels]
    np.testing.assert_allclose(targets, Y.toarray()[:, _tree().leaf_labels] * factor, rtol=1e-6)
    has = Y.toarray()[:, 2] > 0
    plain = _fixed(negatives="tfn", path_weight=0.0, score_transform="sigmoid")
    ignored, learnt = (plain.fit(X, Y, relevance=one).decision_function(X)[has, 2].mean() for one in (given, None))
    assert ignored < 0.5 < learnt  # a positive that hardly counts is not learnt


@pytest.mark.parametrize(
    ("name", "value"),
    [("relevance", "some"), ("relevance_norm", "l3"), ("relevance_norm", None), ("precision", "int4"), ("loss", "l1"),
     ("branching", 1), ("max_leaf", 0), ("negatives", "none"), ("score_transform", "softmax"), ("beam", 0),
     ("max_weights", -1), ("epsilon", 0),
     ("cost_positive", -1), ("negatives", "own"), ("path_weight", 1.5)],
)  # fmt: skip
def test_settings_out_of_range_are_named(name, value):
    word = {"score_transform": "transform"}.get(name, name)
    with pytest.raises(InputError, match=word):
        XRLinear(**{name: value, "threads": 1}).fit(*_problem())


def test_own_negatives_change_what_is_learnt():
    X, Y = _problem()
    own = as_csr(np.ones(Y.shape) - Y.toarray())
    with_own = _fixed(negatives="tfn,own").fit(X, Y, own_negatives=own)
    without = _fixed(negatives="tfn").fit(X, Y)
    np.testing.assert_array_equal(_weights(with_own)[0], _weights(without)[0])
    assert abs(_weights(with_own)[2] - _weights(without)[2]).max() > 0.1


@pytest.mark.skipif(not BILLS.is_dir(), reason=f"real data is absent: {BILLS}")
def test_rounded_weights_are_as_good_on_real_bills():
    train, test = ramify.read(BILLS / "train.jsonl.gz"), ramify.read(BILLS / "test.jsonl.gz")
    texts = [text[:600] for text in train.texts]
    labels = [train.labels_of(row) for row in range(len(train))]
    tagger = Tagger(XRLinear(threads=2, max_passes=5, precision="fp32"), vectorizer=Tfidf(max_features=20_000)).fit(
        texts, labels
    )
    X = tagger.features([text[:600] for text in test.texts])
    truth = [set(test.labels_of(row)) for row in range(len(test))]
    model = tagger.model_
    config = SearchConfig(beam=model.beam, transform=model.score_transform, path_weight=model.path_weight)
    levels = [model.search_.weights(level) for level in range(model.tree_.depth)]
    reached = {}
    for precision in ("fp32", "bf16", "int8"):
        labels, _ = Searcher(model.tree_, [pack(level, precision) for level in levels]).search(X, 5, config, threads=2)
        if precision == "fp32":
            np.testing.assert_array_equal(labels, model.predict_topk(X, 5).labels)
        hits = [
            [tagger.label_names_[label] in known for label in row] for row, known in zip(labels, truth, strict=True)
        ]
        reached[precision] = np.array([np.mean(np.array(hits)[:, :k]) for k in (1, 3, 5)])
    assert reached["fp32"][2] > 0.7
    for precision in ("bf16", "int8"):
        np.testing.assert_allclose(reached[precision], reached["fp32"], atol=0.0025)  # 7 of 3,000 labels
