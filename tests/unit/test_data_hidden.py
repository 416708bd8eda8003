"""hide_labels: training data with missing labels."""

import numpy as np
import pytest

from ramify.data import hide_labels
from ramify.errors import InputError
from ramify.values import Dataset, as_csr


def dataset(n=400, n_labels=30, seed=0):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, n_labels)) < 0.15).astype(np.float32)
    return Dataset(
        Y=as_csr(Y), label_names=[f"label {i}" for i in range(n_labels)], texts=[f"text {i}" for i in range(n)]
    )


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75, 1])
def test_a_share_of_the_labels_of_each_document_is_hidden(share):
    whole = dataset()
    part = hide_labels(whole, share, seed=1)
    before, after = np.diff(whole.Y.indptr), np.diff(part.Y.indptr)
    assert ((whole.Y - part.Y).data >= 0).all()
    assert (np.abs(before - after - share * before) < 1).all()
    assert 1 - after.sum() / before.sum() == pytest.approx(share, abs=0.02)
    assert part.texts == whole.texts
    assert part.Y.shape == whole.Y.shape
    assert part.Y.has_sorted_indices


def test_all_labels_of_a_document_are_as_likely():
    whole = Dataset(Y=as_csr(np.ones((3000, 3), np.float32)), label_names=["a", "b", "c"], texts=["x"] * 3000)
    left = np.asarray(hide_labels(whole, 0.5, seed=0).Y.sum(axis=0))[0] / 3000
    np.testing.assert_allclose(left, 0.5, atol=0.03)


def test_the_seed_decides_and_larger_shares_hide_more_of_the_same():
    whole = dataset()
    parts = [hide_labels(whole, share, seed=3).Y for share in (0.2, 0.5, 0.8)]
    assert (parts[0] != hide_labels(whole, 0.2, seed=3).Y).nnz == 0
    assert (parts[0] != hide_labels(whole, 0.2, seed=4).Y).nnz > 0
    for larger, smaller in zip(parts[1:], parts[:-1], strict=True):
        assert larger.multiply(smaller).nnz == larger.nnz


@pytest.mark.parametrize(("share", "seed"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), ("half", 0), (0.5, -1)])
def test_settings_out_of_range(share, seed):
    with pytest.raises(InputError, match=r"share|seed"):
        hide_labels(dataset(5), share, seed)
