"""Rows of X at length 1: what is changed, what stays, and that every way to ask agrees."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from ramify import Disentangled, Ensemble, Tagger, Tfidf, XRLinear, load
from ramify.models import Blend, Partitioned
from ramify.models.base.unit import unit_rows, unit_values
from ramify.testing.values import checkerboard
from ramify.values import as_csr

PROBLEM = checkerboard()
UNIT = unit_rows(PROBLEM.X)[0]
SCALES = np.random.default_rng(0).uniform(0.2, 9, PROBLEM.X.shape[0])
SCALED = as_csr(sp.diags(SCALES) @ UNIT)

MODELS = {
    "xr-linear": lambda **given: XRLinear(threads=1, **given),
    "blend": lambda **given: Blend(threads=1, held_out=0, trees=1, **given),
    "partitioned": lambda **given: Partitioned(threads=1, **given),
}


def equal(a, b):
    assert_array_equal(a.labels, b.labels)
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-4)


def test_rows_within_the_tolerance_stay_bit_for_bit():
    X = as_csr(np.array([[0.6, 0.8], [0, 0], [0.6005, 0.8], [3, 4], [1e-30, 0]], np.float32))
    before = X.copy()
    rows, changed = unit_rows(X)
    assert changed == 2
    assert_array_equal(rows.toarray(), np.array([[0.6, 0.8], [0, 0], [0.6005, 0.8], [0.6, 0.8], [1, 0]], np.float32))
    assert_array_equal(X.data, before.data)
    assert unit_rows(rows) == (rows, 0)
    assert rows.indices is not None
    assert unit_rows(UNIT)[0] is UNIT


def test_extreme_values_get_length_one():
    X = as_csr(np.array([[3e38, 3e38], [1e-44, 0], [1e-20, 1e-20]], np.float32))
    np.testing.assert_allclose(np.linalg.norm(unit_rows(X)[0].toarray(), axis=1), 1, rtol=1e-6)


def test_a_row_alone_is_the_row_among_others():
    """Also at the tolerance itself, where another order of summation would decide otherwise."""
    rng = np.random.default_rng(1)
    dense = rng.random((400, 50)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    dense *= (1 + rng.choice([-1, 1], (400, 1)) * (1e-3 + rng.normal(size=(400, 1)) * 1e-7)).astype(np.float32)
    X = as_csr(dense)
    rows, changed = unit_rows(X)
    assert 0 < changed < 400
    for row in range(400):
        assert_array_equal(unit_values(X[row].data), rows[row].data)
        assert_array_equal(unit_rows(X[row])[0].data, rows[row].data)


@pytest.mark.parametrize("name", MODELS)
def test_the_length_of_rows_does_not_matter(name, tmp_path):
    plain, scaled = (MODELS[name]().fit(X, PROBLEM.Y) for X in (UNIT, SCALED))
    assert (plain.normalized_rows_, scaled.normalized_rows_) == (0, PROBLEM.X.shape[0])
    equal(plain.predict_topk(UNIT, 3), scaled.predict_topk(SCALED, 3))
    raw = MODELS[name](normalize=False).fit(SCALED, PROBLEM.Y)
    assert raw.normalized_rows_ == 0
    scaled.save(tmp_path / name)
    again = load(tmp_path / name)
    assert again.normalized_rows_ == PROBLEM.X.shape[0]
    equal(again.predict_topk(SCALED, 3), scaled.predict_topk(UNIT, 3))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    "wrap", [lambda m: m, lambda m: Ensemble([m], threads=1), lambda m: Disentangled(m, threads=1)]
)
def test_one_instance_is_answered_as_in_a_batch(wrap, normalize):
    model = wrap(XRLinear(threads=1, normalize=normalize)).fit(SCALED, PROBLEM.Y)
    whole, ask = model.predict_topk(SCALED, 3), model.single(3)
    for row in range(len(whole)):
        labels, scores = ask(SCALED[row].indices, SCALED[row].data)
        assert_array_equal(labels[0], whole.labels[row])
        assert_array_equal(scores[0], whole.scores[row])


def test_texts_without_a_norm():
    texts = ["red apple apple tree", "green pear", "red pear on a green tree", "blue sky", ""] * 3
    labels = [["Red"], ["Green"], ["Red", "Green"], ["Sky"], ["Sky"]] * 3
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1, norm=None)).fit(texts, labels)
    together = tagger.tag(texts, 3)
    assert [tagger.tag([text], 3)[0] for text in texts] == together
    assert tagger.model_.normalized_rows_ == 12


def test_subtrees_and_regrown_trees_keep_the_setting():
    model = XRLinear(threads=1, branching=2, max_leaf=2).fit(SCALED, PROBLEM.Y)
    equal(model.subtree(0, 0).predict_topk(SCALED, 2), model.subtree(0, 0).predict_topk(UNIT, 2))
    grown = model.regrown(model.tree_, SCALED, PROBLEM.Y)
    assert grown.normalized_rows_ == model.normalized_rows_ > 0
    equal(grown.predict_topk(SCALED, 2), model.predict_topk(UNIT, 2))


def test_every_question_is_asked_with_rows_of_length_one():
    model = XRLinear(threads=1, branching=2, max_leaf=2).fit(SCALED, PROBLEM.Y)
    for ask in (
        model.decision_function,
        lambda X: model.score_pairs(X, PROBLEM.Y).toarray(),
        lambda X: model.leaf_scores(X, 0),
        lambda X: model.clusters_reached(X).toarray(),
    ):
        np.testing.assert_allclose(ask(SCALED), ask(UNIT), rtol=1e-4)
