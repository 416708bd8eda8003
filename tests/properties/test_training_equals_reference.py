"""The native solver finds the optimum that a plain float64 solver finds, for any rows and number of siblings."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import random_features, random_level
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from ramify.errors import InputError
from ramify.kernels.train import LOSSES, LevelProblem, SolverConfig, train
from ramify.reference import train as reference
from ramify.values import as_csr
from ramify.weights import Blocks, LabelTree

FINE = {"epsilon": 1e-5, "max_passes": 100_000, "threshold": 0.0}


def _check_optimal(X, problem, config, weights=None):
    """Every node's objective is that of the reference, and so are the weights, which strong convexity makes unique."""
    native = train(X, [problem], config, instance_weights=weights)[0]
    plain = reference.train(X, [problem], config, instance_weights=weights)[0]
    dense = np.hstack([X.toarray().astype(float), np.ones((X.shape[0], 1))])
    W, V = (np.vstack([level.matrix().toarray(), level.bias]).astype(float) for level in (native, plain))
    assert np.isfinite(W).all()
    factors = np.ones(X.shape[0]) if weights is None else weights
    for node in range(W.shape[1]):
        rows, signs, costs = reference.node_problem(problem, node, config, factors)
        found, best = (reference.objective(w[:, node], dense[rows], signs, costs, config.loss) for w in (W, V))
        gap = config.epsilon * costs.sum()  # what gradients within the tolerance leave open
        assert found <= best * (1 + 1e-5) + 1e-5 + gap, f"node {node}: {found} instead of {best}"
    np.testing.assert_allclose(W, V, atol=3e-3, rtol=1e-3)
    np.testing.assert_array_equal(native.block_rows[[0, -1]], [0, len(native.features)])
    for begin, end in zip(native.block_rows[:-1], native.block_rows[1:], strict=True):
        assert (np.diff(native.features[begin:end]) > 0).all()
    assert (np.diff(native.row_entries) > 0).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 18),
    d=st.integers(1, 12),
    children=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    loss=st.sampled_from(LOSSES),
    costs=st.sampled_from([(1.0, 1.0), (4.0, 0.5), (0.1, 2.0)]),
    relevance=st.sampled_from(["none", "of each positive", "of each label"]),
    chosen=st.booleans(),
    weighted=st.booleans(),
)
def test_random_problems(seed, n, d, children, loss, costs, relevance, chosen, weighted):
    rng = np.random.default_rng(seed)
    X = random_features(rng, n, d)
    problem = random_level(rng, X, children, relevance=relevance != "none", chosen=chosen)
    if relevance == "of each label":
        positives_of_node = np.diff(problem.positives.indptr)
        problem.positives.data[:] = np.repeat(rng.choice([0.3, 2, 5], len(positives_of_node)), positives_of_node)
    config = SolverConfig(loss=loss, cost_positive=costs[0], cost_negative=costs[1], **FINE)
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], n).astype(np.float32) if weighted else None
    _check_optimal(X, problem, config, weights)


@pytest.mark.parametrize("n_children", [1, 3, 4, 5, 8, 9, 15, 16, 17, 33, 255, 256, 257, 300])
def test_numbers_of_siblings(n_children):
    rng = np.random.default_rng(n_children)
    X = random_features(rng, 9, 5)
    _check_optimal(X, random_level(rng, X, [n_children, 2]), SolverConfig(**FINE))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("share", [0, 1])
def test_all_rows_positive_or_all_negative(loss, share):
    rng = np.random.default_rng(3)
    X = random_features(rng, 20, 6)
    tree = LabelTree((np.zeros(3, np.int32),), np.arange(3, dtype=np.int32), 3)
    positives = sp.csr_matrix(np.full((3, 20), share, np.float32))
    problem = LevelProblem(Blocks.of(tree, 0), sp.csr_matrix(np.ones((1, 20), np.float32)), positives)
    _check_optimal(X, problem, SolverConfig(loss=loss, **FINE))


@pytest.mark.parametrize("loss", LOSSES)
def test_features_of_a_single_row_get_their_weight(loss):
    X = as_csr(np.diag([1.0, 2.0, -3.0, 0.5]))
    tree = LabelTree((np.zeros(2, np.int32),), np.arange(2, dtype=np.int32), 2)
    positives = as_csr([[1, 0, 1, 0], [0, 1, 0, 0]])
    problem = LevelProblem(Blocks.of(tree, 0), as_csr(np.ones((1, 4))), positives)
    _check_optimal(X, problem, SolverConfig(loss=loss, **FINE))


@pytest.mark.parametrize("loss", ["hinge", "squared-hinge"])
def test_gradients_that_are_alike_but_not_zero_do_not_stop_the_solver(loss):
    """Two near copies of opposite sign: LIBLINEAR's rule, largest - smallest, would stop far from the optimum."""
    rng = np.random.default_rng(6762)
    X = random_features(rng, 2, 12)
    _check_optimal(X, random_level(rng, X, [6]), SolverConfig(loss=loss, **FINE))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), loss=st.sampled_from(LOSSES), max_weights=st.sampled_from([0, 1, 3]))
def test_pruning_keeps_the_largest_weights(seed, loss, max_weights):
    rng = np.random.default_rng(seed)
    X = random_features(rng, 15, 8)
    problem = random_level(rng, X, [5, 3])
    whole = SolverConfig(loss=loss, **{**FINE, "max_passes": 50})
    full = train(X, [problem], whole)[0]
    pruned = train(X, [problem], replace(whole, threshold=0.1, max_weights=max_weights))[0]
    np.testing.assert_array_equal(pruned.bias, full.bias)
    W, V = full.matrix().toarray(), pruned.matrix().toarray()
    wanted = reference.prune(W, np.float32(0.1), max_weights)
    np.testing.assert_array_equal(V[V != 0], W[V != 0])
    np.testing.assert_array_equal(np.sort(abs(V), axis=0), np.sort(abs(wanted), axis=0))  # ties may fall either way


def test_the_reference_prunes_as_said():
    W = np.array([[0.5, -0.2], [-0.7, 0.05], [0.6, 0.3]])
    np.testing.assert_array_equal(reference.prune(W, 0.1, 0), [[0.5, -0.2], [-0.7, 0], [0.6, 0.3]])
    np.testing.assert_array_equal(reference.prune(W, 0.0, 1), [[0, 0], [-0.7, 0], [0, 0.3]])


@pytest.mark.parametrize("loss", LOSSES)
def test_any_number_of_threads_gives_the_same_bits(loss):
    rng = np.random.default_rng(8)
    X = random_features(rng, 60, 20)
    problems = [random_level(rng, X, [40, 7, 1, 19]), random_level(rng, X, [3, 3])]
    one, *others = (train(X, problems, SolverConfig(loss=loss, threshold=0), seed=5, threads=t) for t in (1, 2, 3))
    for other in others:
        for a, b in zip(one, other, strict=True):
            for name in ("block_rows", "features", "row_entries", "children", "values", "bias"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_seeds_change_the_path_but_not_the_optimum():
    rng = np.random.default_rng(1)
    X = random_features(rng, 40, 10)
    problem = random_level(rng, X, [4])
    rough = SolverConfig(threshold=0, max_passes=1)
    first, second = (train(X, [problem], rough, seed=seed)[0].matrix() for seed in (0, 2**64 - 1))
    assert abs(first - second).max() > 0
    first, second = (train(X, [problem], SolverConfig(**FINE), seed=seed)[0].matrix() for seed in (0, 1))
    assert abs(first - second).max() < 1e-2


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1e-38, 1e-10, 1e10, 4e14])
def test_extreme_values_give_finite_weights(loss, size):
    X = as_csr(np.array([[size, 1], [-size, 1], [size / 2, 0], [0, size]], np.float32))
    tree = LabelTree((np.zeros(2, np.int32),), np.arange(2, dtype=np.int32), 2)
    problem = LevelProblem(Blocks.of(tree, 0), as_csr(np.ones((1, 4))), as_csr([[1, 0, 1, 0], [0, 1, 1, 1]]))
    level = train(X, [problem], SolverConfig(loss=loss, threshold=0))[0]
    assert np.isfinite(level.values).all()
    assert np.isfinite(level.bias).all()


def test_values_that_cannot_be_squared_are_refused():
    X, problem = _problem()
    with pytest.raises(InputError, match="scale"):
        train(X * np.float32(1e20), [problem], SolverConfig())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "hinges"), ("loss", ["hinge"]), ("cost_positive", 0), ("cost_positive", float("nan")),
        ("cost_positive", 1e-40), ("cost_negative", 1e39), ("cost_negative", "1"), ("epsilon", -1), ("epsilon", None),
        ("max_passes", 0), ("max_passes", 1.5), ("max_passes", 2**31), ("max_passes", True), ("threshold", -0.1),
        ("threshold", "low"), ("threshold", float("inf")), ("max_weights", -1), ("max_weights", 0.5),
        ("max_weights", None),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=name):
        SolverConfig(**{name: value})


def _problem():
    rng = np.random.default_rng(0)
    X = random_features(rng, 6, 3)
    return X, random_level(rng, X, [2, 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threads": 0}, "threads"), ({"threads": -3}, "threads"), ({"seed": -1}, "seed"), ({"seed": 2**64}, "seed"),
        ({"instance_weights": np.ones(2, np.float32)}, "weights"),
        ({"instance_weights": np.full(6, -1, np.float32)}, "weights"),
        ({"instance_weights": np.full(6, np.nan, np.float32)}, "weights"),
        ({"instance_weights": np.full(6, 1e-30, np.float32)}, "weights"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_named(change, message):
    X, problem = _problem()
    with pytest.raises(InputError, match=message):
        train(X, [problem], SolverConfig(), **change)


def test_problems_that_do_not_fit_are_refused():
    X, problem = _problem()
    nowhere = replace(problem, rows=sp.csr_matrix((2, 6), dtype=np.float32))
    with pytest.raises(InputError, match="parent"):
        train(X, [replace(nowhere, positives=as_csr(np.ones((5, 6))))], SolverConfig())
    with pytest.raises(InputError, match="fit"):
        train(X, [replace(problem, rows=problem.rows[:1])], SolverConfig())
    with pytest.raises(InputError, match="fit"):
        train(X[:4], [problem], SolverConfig())
    negative = problem.positives.copy()
    negative.data[0] = -1
    with pytest.raises(InputError, match="relevance"):
        train(X, [replace(problem, positives=negative)], SolverConfig())


def test_an_error_in_the_progress_callback_comes_through():
    rng = np.random.default_rng(0)
    X = random_features(rng, 400, 50)
    problem = random_level(rng, X, [200] * 20)

    def tell(done):
        raise KeyError(f"stop at {done}")

    with pytest.raises(KeyError, match="stop at"):
        train(X, [problem], SolverConfig(epsilon=1e-9, max_passes=2000), progress=tell)


def _large_node():
    """A node with too many features for the cache: a loose tolerance lets the solver use half floats."""
    X = sp.random(500, 14_000, density=0.01, format="csr", dtype=np.float32, random_state=5)
    X.sort_indices()
    return X, random_level(np.random.default_rng(5), X, [20])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_tight_tolerance_on_a_large_node_gives_the_weights_of_liblinear(loss):
    """Half floats have 11 bits: no weight of this size has an error below 2e-4 with them."""
    X, problem = _large_node()
    config = SolverConfig(loss=loss, epsilon=1e-4, max_passes=10_000, threshold=0.0)
    level = train(X, [problem], config)[0]
    W = np.vstack([level.matrix().toarray(), level.bias])
    with_ones = sp.csr_matrix(sp.hstack([X, np.ones((X.shape[0], 1))]))
    exact = {"tol": 1e-7, "max_iter": 100_000, "fit_intercept": False}
    logistic = LogisticRegression(solver="liblinear", **exact)
    model = logistic if loss == "logistic" else LinearSVC(loss=loss.replace("-", "_"), dual=True, **exact)
    compared = 0
    for node in range(0, level.n_nodes, 3):
        rows, signs, costs = reference.node_problem(problem, node, config, np.ones(X.shape[0]))
        if len(set(signs.tolist())) == 2:
            model.fit(with_ones[rows], signs, sample_weight=costs)
            np.testing.assert_allclose(W[:, node], model.coef_[0], atol=2e-5)
            compared += 1
    assert compared >= 4


def test_a_node_too_large_for_the_cache_comes_as_near_to_the_optimum():
    """A loose tolerance on many features: half floats and resting rows, and still within it."""
    X, problem = _large_node()
    loose, fine = (
        train(X, [problem], SolverConfig(epsilon=epsilon, max_passes=1000, threshold=0.0))[0] for epsilon in (0.1, 1e-3)
    )
    config = SolverConfig(threshold=0.0)
    dense = np.hstack([X.toarray().astype(float), np.ones((X.shape[0], 1))])
    for node in range(loose.n_nodes):
        rows, signs, costs = reference.node_problem(problem, node, config, np.ones(X.shape[0]))
        found, best = (
            reference.objective(
                np.append(level.matrix()[:, [node]].toarray().ravel(), level.bias[node]).astype(float),
                dense[rows],
                signs,
                costs,
                config.loss,
            )
            for level in (loose, fine)
        )
        assert best * (1 - 1e-3) <= found <= best * 1.01 + 0.02, f"node {node}: {found} instead of {best}"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_merged_rows_keep_the_objective_at_the_default_tolerance(seed, weighted):
    rng = np.random.default_rng(seed)
    X = sp.random(160, 80, 0.05, "csr", np.float32, rng)
    positives = sp.lil_matrix((6, 160), dtype=np.float32)
    for node in range(6):
        positives[node, rng.choice(160, 1 + node % 3, replace=False)] = 1
    rows = sp.csr_matrix(np.ones((1, 160), np.float32))
    if weighted:
        rows.data[:] = rng.choice([0.3, 1.0], 160)
    problem = LevelProblem(Blocks.below(np.array([6])), rows, sp.csr_matrix(positives))
    config = SolverConfig(threshold=0.0, cost_positive=0.5, cost_negative=0.5)
    native = train(X, [problem], config)[0]
    plain = reference.train(X, [problem], config)[0]
    dense = np.hstack([X.toarray().astype(float), np.ones((160, 1))])
    W, V = (np.vstack([level.matrix().toarray(), level.bias]).astype(float) for level in (native, plain))
    ratios = []
    for node in range(6):
        chosen, signs, costs = reference.node_problem(problem, node, config, np.ones(160))
        found, best = (reference.objective(w[:, node], dense[chosen], signs, costs, config.loss) for w in (W, V))
        assert found <= best + 2 * config.epsilon, (
            f"node {node}: {found} instead of {best}"
        )  # dual variables are about 2
        ratios.append(found / best)
    assert np.median(ratios) < 1.02
    np.testing.assert_allclose(native.bias, plain.bias, atol=0.2)
