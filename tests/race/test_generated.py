"""The generated family: the same for the same seed, every label present, and something for a tree to find."""

import numpy as np
import pytest

from racing.generated import TESTS, generate
from ramify import XRLinear, evaluate


@pytest.fixture(scope="module")
def small():
    return generate(300)


def test_same_seed_same_data(small):
    for matrix, again, other in zip(small, generate(300), generate(300, seed=1), strict=True):
        assert (matrix != again).nnz == 0
        assert (matrix != other).nnz > 0


def test_matrices_are_well_formed(small):
    X, Y, X_test, Y_test = small
    assert X.shape[0] == Y.shape[0] == 600
    assert X_test.shape[0] == Y_test.shape[0] == TESTS
    assert Y.shape[1] == Y_test.shape[1] == 300
    for matrix in small:
        assert matrix.dtype == np.float32
        assert matrix.has_canonical_format
        assert np.diff(matrix.indptr).min() >= 1
    for features in (X, X_test):
        assert (features.data > 0).all()
        np.testing.assert_allclose(features.power(2).sum(axis=1), 1, rtol=1e-5)
    assert set(np.unique(Y.data)) == set(np.unique(Y_test.data)) == {1}


def test_every_label_has_a_document_and_few_have_many(small):
    counts = np.bincount(small[1].indices, minlength=300)
    assert counts.min() >= 1
    assert counts.max() > 4 * np.median(counts)
    assert 2.5 < small[1].nnz / small[1].shape[0] < 3.5


def test_there_is_something_to_learn(small):
    X, Y, X_test, Y_test = small
    top = XRLinear(threads=1).fit(X, Y).predict_topk(X_test[:500], 5)
    frequent = np.bincount(Y.indices, minlength=300).max() / Y.shape[0]
    assert evaluate(Y_test[:500], top)["P@1"] > max(0.5, 3 * frequent)
