"""The value ``Hybrid``: a sparse and a dense block of columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify.errors import InputError
from ramify.values import Hybrid


def blocks(n: int = 6) -> tuple[sp.csr_matrix, np.ndarray]:
    rng = np.random.default_rng(0)
    return sp.random(n, 5, 0.5, format="csr", dtype=np.float32, random_state=0), rng.normal(size=(n, 3)).astype("f4")


def test_shape_and_rows() -> None:
    X = Hybrid(*blocks())
    assert X.shape == (6, 8) and len(X) == 6 and X.ndim == 2
    taken = X[np.array([4, 1])]
    assert (taken.sparse != X.sparse[[4, 1]]).nnz == 0
    np.testing.assert_array_equal(taken.dense, X.dense[[4, 1]])


@pytest.mark.parametrize(
    ("dense", "message"),
    [
        (np.zeros((5, 3)), "5: give one row"),
        (np.zeros((6, 0)), "m at least 1"),
        (np.zeros(6), "shape"),
        (np.full((6, 2), np.nan), "NaN"),
        (np.full((6, 2), 1e300), "infinite"),
        (np.full((6, 2), "a"), "real numbers"),
    ],
)
def test_invalid_dense_blocks_are_rejected(dense: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Hybrid(blocks()[0], dense)


def test_models_for_sparse_features_reject_a_dense_block() -> None:
    with pytest.raises(InputError, match="dense block of 3 columns"):
        ramify.PopularLabels().fit(Hybrid(*blocks()), np.eye(6))
