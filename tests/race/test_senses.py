"""Merged labels, and the agreement of splits with the true ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from racing.senses import Agreement, agreements, merged, sides

HALVES = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("parts", "agreement"),
    [
        ([0, 0, 1, 1], (0, 1, 1)),
        ([1, 1, 0, 0], (0, 1, 1)),  # the names of the parts do not matter
        ([0, 0, 0, 0], (1, 0, 0.5)),
        ([0, 1, 0, 1], (2, 0, 0.5)),
        ([0, 1, 1, 1], (1.1887, 0.3113, 0.75)),
    ],
)
def test_agreement_with_two_halves(parts, agreement):
    found = Agreement.of(HALVES, np.array(parts))
    assert (found.variation, found.information, found.accuracy) == pytest.approx(agreement, abs=1e-4)


def test_the_random_split_has_the_sizes_of_the_copies_and_no_split_has_one_part():
    truth, parts = np.repeat([0, 1], 500), np.repeat([0, 1], [100, 900])
    found = agreements(truth, parts, np.random.default_rng(0))
    assert found["none"] == (1, 0, 0.5)
    assert found["copies"] == pytest.approx((Agreement.of(truth, parts).variation, 0.108, 0.6), abs=1e-3)
    assert found["random"][0] == pytest.approx(1 + 0.469, abs=0.02)  # independent parts: the sum of both entropies
    assert found["random"][1] < 0.01


def test_merged_labels_and_the_instances_that_have_one_of_them():
    Y = sp.csr_matrix(np.array([[1, 0, 0], [1, 0, 1], [0, 1, 1], [0, 0, 1]], np.float32))
    np.testing.assert_array_equal(merged(Y, [(0, 2)]).toarray(), [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]])
    truth, rows = sides(Y, 0, 2)
    np.testing.assert_array_equal(rows, [0, 2, 3])
    np.testing.assert_array_equal(truth, [0, 1, 1])
