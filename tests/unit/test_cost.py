"""C is chosen on held-out instances: large for clean labels, small for noisy ones, 0.8 where there is no evidence."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import XRLinear, evaluate, load
from ramify.kernels.train import SolverConfig
from ramify.linear import cost as module
from ramify.linear.cost import chosen_cost
from ramify.linear.defaults import solver_defaults


def topics(n, noise, seed=0, n_labels=20, d=400, words=12):
    """Documents of ``words`` words with one label each; ``noise`` is the share of words that are not of the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_labels, size=n)
    own = labels[:, None] * (d // n_labels) + rng.integers(d // n_labels, size=(n, words))
    drawn = np.where(rng.random((n, words)) < noise, rng.integers(d, size=(n, words)), own)
    X = sp.csr_matrix((np.ones(n * words, np.float32), (np.repeat(np.arange(n), words), drawn.ravel())), (n, d))
    X = sp.csr_matrix(X.multiply(1 / np.sqrt(X.multiply(X).sum(axis=1))), dtype=np.float32)
    Y = sp.csr_matrix((np.ones(n, np.float32), (np.arange(n), labels)), (n, n_labels))
    return X, Y


def flipped(Y, share, seed=1):
    """A share of the documents gets a random label instead of its own."""
    rng = np.random.default_rng(seed)
    columns = np.where(rng.random(Y.shape[0]) < share, rng.integers(Y.shape[1], size=Y.shape[0]), Y.indices)
    return sp.csr_matrix((Y.data, columns, Y.indptr), Y.shape)


def _precision(X, Y, X_test, Y_test, cost):
    model = XRLinear(cost_positive=cost, cost_negative=cost, threads=1).fit(X, Y)
    return float(evaluate(Y_test, model.predict_topk(X_test, 5), Y_train=Y)["P@1"])


def test_wrong_labels_give_a_smaller_cost_than_right_ones():
    X, Y = topics(3000, noise=0.5, n_labels=100, d=20_000)
    clean, noisy = (
        np.mean([chosen_cost(X, one, SolverConfig(), seed=seed) for seed in range(6)]) for one in (Y, flipped(Y, 0.5))
    )
    assert noisy < clean / 1.2


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_chosen_cost_ranks_nearly_as_well_as_the_best_of_a_grid(share):
    X, Y = topics(6000, noise=0.7)
    noisy = flipped(Y, share)
    train, test = slice(0, 3000), slice(3000, 6000)
    found = [_precision(X[train], noisy[train], X[test], Y[test], cost) for cost in (0.25, 0.5, 1.0, 2.0, 4.0)]
    chosen = chosen_cost(X[train], noisy[train], SolverConfig())
    assert _precision(X[train], noisy[train], X[test], Y[test], chosen) > max(found) - 0.01
    assert max(found) - min(found) > 0.01  # otherwise any choice would do


def test_the_parabola_has_its_maximum_where_the_qualities_do():
    rng = np.random.default_rng(0)
    documents = rng.normal(50, 20, 5000)
    curve = {x: documents + 3 * (1 - 0.5 * (x - 0.8) ** 2) + rng.normal(0, 1, 5000) for x in (-1.0, 1.0, 2.0)}
    assert module._peak(curve) == pytest.approx(0.8, abs=0.1)


def test_without_evidence_the_cost_is_that_of_the_prior():
    rng = np.random.default_rng(0)
    tried = {x: rng.normal(50, 30, 8) for x in (-1.0, 1.0, 2.0)}
    b, a = module.COST_PRIOR.mean
    assert module._peak(tried) == pytest.approx(-b / (2 * a), abs=0.2)


def test_constant_quality_keeps_the_prior_and_a_single_instance_gives_1():
    X, Y = topics(40, noise=0.0, n_labels=2)
    b, a = module.COST_PRIOR.mean
    expected = 2 ** (-b / (2 * a)) * 2**module.GROWTH  # half of the instances were trained on
    assert chosen_cost(X, Y, SolverConfig()) == pytest.approx(expected, rel=0.3)
    assert chosen_cost(X[:1], Y[:1], SolverConfig()) == 1.0


def test_the_choice_does_not_depend_on_threads_and_is_stored(tmp_path):
    X, Y = topics(2000, noise=0.7)
    models = [XRLinear(threads=threads, seed=3).fit(X, Y) for threads in (1, 2)]
    assert models[0].cost_ == models[1].cost_
    models[0].save(tmp_path / "model")
    assert load(tmp_path / "model").cost_ == models[0].cost_
    given = XRLinear(cost_positive=1.0, cost_negative=1.0, threads=1).fit(X, Y)
    assert given.cost_ is None


def test_one_given_cost_is_kept():
    X, Y = topics(500, noise=0.5)
    model = XRLinear(cost_positive=3.0, threads=1).fit(X, Y)
    solver = model._learner(model.cost_, solver_defaults(100, flat=True)).config.solver
    assert (solver.cost_positive, solver.cost_negative) == (3.0, model.cost_)


def test_instances_without_weight_do_not_take_part():
    X, Y = topics(2000, noise=0.7)
    noisy = flipped(Y, 0.6)
    both = sp.vstack([X, X]).tocsr(), sp.vstack([Y, noisy]).tocsr()
    weighted = XRLinear(threads=1).fit(*both, sample_weight=np.repeat([1.0, 0.0], 2000))
    assert weighted.cost_ == XRLinear(threads=1).fit(X, Y).cost_


@pytest.mark.parametrize(("n_labels", "depth"), [(300, 1), (2000, 2)])
def test_few_labels_have_no_clusters(n_labels, depth, monkeypatch):
    monkeypatch.setattr("ramify.models.trees.indexing.CHEAP", 0)
    X, Y = topics(4000, noise=0.5, n_labels=n_labels, d=8000)
    assert XRLinear(threads=1).fit(X, Y).tree_.depth == depth
    assert XRLinear(threads=1, max_leaf=100).fit(X, Y).tree_.depth == 2


def test_little_data_has_no_clusters_and_labels_without_an_instance_no_leaf():
    X, Y = topics(900, noise=0.5, n_labels=2000, d=4000)
    model = XRLinear(threads=1).fit(X, Y)
    assert model.tree_.depth == 1
    np.testing.assert_array_equal(model.tree_.leaf_labels, np.unique(Y.indices))


@pytest.mark.parametrize(("n", "tolerance"), [(4000, 0.2), (4001, 0.4)])
def test_the_tolerance_depends_on_the_number_of_instances(n, tolerance):
    X, Y = topics(n, noise=0.5)
    weights = [XRLinear(epsilon=epsilon, threads=1).fit(X, Y).to_state()[1] for epsilon in (None, tolerance, 0.3)]
    same = [
        all(np.array_equal(a, b) for a, b in zip(weights[0].values(), other.values(), strict=True))
        for other in weights[1:]
    ]
    assert same == [True, False]


def test_instances_without_weight_do_not_change_the_tolerance():
    X, Y = topics(4100, noise=0.5)
    weight = np.repeat([1.0, 0.0], [3000, 1100])
    fitted = [XRLinear(epsilon=epsilon, threads=1).fit(X, Y, sample_weight=weight) for epsilon in (None, 0.2)]
    default, given = (model.to_state()[1] for model in fitted)
    assert all(np.array_equal(default[name], given[name]) for name in default)


@pytest.mark.parametrize(("max_leaf", "threshold"), [(None, 0.05), (10, 0.1)])
def test_a_tree_without_clusters_keeps_smaller_weights(max_leaf, threshold):
    X, Y = topics(400, noise=0.5)
    model = XRLinear(max_leaf=max_leaf, precision="fp32", threads=1).fit(X, Y)
    assert model.tree_.depth == (1 if max_leaf is None else 2)
    values = np.abs(model.search_.weights(model.tree_.depth - 1).values)
    assert threshold <= values.min() < 1.2 * threshold


def test_a_flat_tree_ranks_like_one_vs_rest():
    from sklearn.svm import LinearSVC

    X, Y = topics(800, noise=0.6)
    exact = {"cost_positive": 1.0, "cost_negative": 1.0, "tail_cost": 0.0, "epsilon": 1e-5, "max_passes": 10_000}
    model = XRLinear(**exact, threshold=0.0, precision="fp32", threads=1).fit(X[:600], Y[:600])
    margins = np.stack(
        [
            LinearSVC(C=1.0, tol=1e-8, max_iter=100_000, random_state=0)
            .fit(X[:600], Y[:600, label].toarray().ravel())
            .decision_function(X[600:])
            for label in range(Y.shape[1])
        ],
        axis=1,
    )
    top = model.predict_topk(X[600:], 5)
    assert (top.labels == np.argsort(-margins, axis=1, kind="stable")[:, :5]).mean() > 0.98
