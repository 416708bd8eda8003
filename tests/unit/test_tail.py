"""Weights of rare labels by inverse propensity, in costs, ranking and measures."""

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify import XRLinear, evaluate
from ramify.evaluation import inverse_propensities
from ramify.models.trees.tail import costs_by_rarity, log_bias_by_rarity, reranked
from ramify.values import as_csr

N_LABELS = 30


def _problem(seed, n=600):
    """Frequent and rare labels with words of their own, some words shared, so that rare labels lose without help."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, N_LABELS + 1)
    Y = (rng.random((n, N_LABELS)) < share / 2).astype(np.float32)
    Y[np.arange(n), rng.choice(N_LABELS, n, p=share / share.sum())] = 1
    words = np.random.default_rng(1).random((N_LABELS, 80)) < 0.12
    X = ((Y @ words > 0) & (rng.random((n, 80)) < 0.6)).astype(np.float32) + (rng.random((n, 80)) < 0.08)
    return as_csr(X / np.maximum(1, np.linalg.norm(X, axis=1, keepdims=True))), as_csr(Y)


def test_costs_grow_with_rarity_from_1():
    _, Y = _problem(0)
    weight = inverse_propensities(Y)
    costs = costs_by_rarity(Y, 0.5)
    per_label = np.asarray(costs.sum(axis=0) / Y.sum(axis=0)).ravel()
    np.testing.assert_allclose(per_label, np.sqrt(weight / weight.min()), rtol=1e-5)


def test_costs_keep_the_shape_and_the_dtype_of_the_labels():
    costs = costs_by_rarity(as_csr(np.eye(3, 5)), 1.0)  # the last two labels do not occur
    assert (costs.shape, costs.dtype) == ((3, 5), np.float32)


def test_reranking_keeps_the_order_of_equal_scores_and_filled_entries_last():
    labels = np.append(np.random.default_rng(0).permutation(60), [-1, -1]).astype(np.int32)[None]
    scores = np.append(np.full(60, 0.5), [-np.inf, -np.inf]).astype(np.float32)[None]
    bias = np.where(np.arange(60) < 20, 1, 0).astype(np.float32)  # rounded to 0 for very frequent labels
    top_labels, top_scores = reranked(labels, scores, bias, 62)
    rare = [label for label in labels[0] if 0 <= label < 20]
    frequent = [label for label in labels[0] if label >= 20]
    assert top_labels.tolist() == [[*rare, *frequent, -1, -1]]
    assert top_scores.tolist() == [[0.5] * 20 + [0.0] * 40 + [-np.inf] * 2]


def test_the_favour_is_0_for_the_rarest_and_less_for_others():
    _, Y = _problem(0)
    favour = log_bias_by_rarity(Y, 2.0)
    counts = np.bincount(Y.indices, minlength=N_LABELS)
    assert favour[counts.argmin()] == 0
    assert (np.diff(favour[np.argsort(counts)]) <= 0).all()


def test_scores_carry_the_favour_exactly():
    X, Y = _problem(0)
    plain = XRLinear(threads=1, score_transform="log-l3-hinge", max_leaf=8).fit(X, Y)
    tilted = XRLinear(threads=1, score_transform="log-l3-hinge", max_leaf=8, tail_rank=0.7).fit(X, Y)
    wanted = plain.decision_function(X) + log_bias_by_rarity(Y, 0.7)
    np.testing.assert_allclose(tilted.decision_function(X), wanted, rtol=1e-5, atol=1e-6)
    top = tilted.predict_topk(X, 5, beam=1000)
    np.testing.assert_allclose(top.scores, -np.sort(-wanted, axis=1)[:, :5], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [{"tail_cost": 1.0}, {"tail_rank": 1.0}])
def test_the_tail_is_found_more_often(settings):
    (X, Y), (X_test, Y_test) = _problem(0), _problem(7)
    plain, helped = (
        evaluate(
            Y_test,
            XRLinear(threads=1, max_leaf=8, **{"tail_cost": 0.0, **own}).fit(X, Y).predict_topk(X_test, 5),
            Y_train=Y,
        )
        for own in ({}, settings)
    )
    assert float(helped["PSP@3"]) > float(plain["PSP@3"])


def test_it_is_saved_with_the_model(tmp_path):
    X, Y = _problem(0)
    model = XRLinear(threads=1, tail_cost=0.5, tail_rank=0.5).fit(X, Y)
    model.save(tmp_path / "model")
    again = ramify.load(tmp_path / "model")
    for name in ("labels", "scores"):
        one, two = (getattr(each.predict_topk(X, 4), name) for each in (model, again))
        assert np.array_equal(one, two)


@pytest.mark.parametrize("name", ["tail_cost", "tail_rank"])
@pytest.mark.parametrize("value", [-0.1, 11, "much", None, np.nan])
def test_powers_that_make_no_sense(name, value):
    with pytest.raises(ramify.InputError, match=name):
        XRLinear(**{name: value}).fit(sp.eye(3, format="csr"), sp.eye(3, format="csr"))
