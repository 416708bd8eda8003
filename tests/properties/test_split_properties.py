"""Properties of splits: a partition in one label space, reproducible, with no label lost to training."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ramify.data import split_by_column, split_by_cutoff, split_label_aware, split_random
from ramify.errors import InputError
from ramify.values import Dataset

matrices = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=30))
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 1000)


def dataset_of(Y) -> Dataset:
    Y = sp.csr_matrix(Y.astype(np.float32))
    return Dataset(Y=Y, label_names=[str(i) for i in range(Y.shape[1])], texts=[str(i) for i in range(Y.shape[0])])


def assert_partition(dataset: Dataset, train: Dataset, test: Dataset) -> None:
    assert sorted(map(int, [*train.texts, *test.texts])) == list(range(len(dataset)))
    for part in (train, test):
        assert list(part.label_names) == list(dataset.label_names)
        numbers = list(map(int, part.texts))
        assert numbers == sorted(numbers)
        np.testing.assert_array_equal(part.Y.toarray(), dataset.Y.toarray()[numbers])


@given(matrices, shares, seeds)
def test_random_split_is_a_reproducible_partition_of_the_asked_size(Y, share, seed):
    dataset = dataset_of(Y)
    train, test = split_random(dataset, share, seed)
    assert_partition(dataset, train, test)
    assert len(test) == min(max(round(share * len(dataset)), 1), len(dataset) - 1)
    assert split_random(dataset, share, seed)[1].texts == test.texts


@given(matrices, shares, seeds)
def test_label_aware_split_keeps_every_label_in_training(Y, share, seed):
    dataset = dataset_of(Y)
    counts = Y.sum(axis=0)
    spare = [row for row in range(len(Y)) if (counts[Y[row]] > 1).all()]
    if not spare:
        with pytest.raises(InputError, match="split_random"):
            split_label_aware(dataset, share, seed)
        return
    train, test = split_label_aware(dataset, share, seed)
    assert_partition(dataset, train, test)
    in_train = train.Y.toarray().sum(axis=0)
    assert ((in_train > 0) == (counts > 0)).all()
    wanted = min(max(round(share * len(dataset)), 1), len(dataset) - 1)
    assert len(test) <= wanted
    if len(test) < wanted:  # only because no further row could be spared
        assert all((in_train[row] < 2).any() for row in train.Y.toarray().astype(bool))
    assert split_label_aware(dataset, share, seed)[1].texts == test.texts


@given(matrices, st.data())
def test_splits_by_a_column_follow_its_values(Y, data):
    dataset = dataset_of(Y)
    values = data.draw(st.lists(st.integers(0, 3), min_size=len(Y), max_size=len(Y)))
    cutoff = data.draw(st.integers(1, 3))
    assume(0 < sum(value >= cutoff for value in values) < len(values))
    for train, test in (
        split_by_cutoff(dataset, values, cutoff),
        split_by_column(dataset, values, test=range(cutoff, 4)),
    ):
        assert_partition(dataset, train, test)
        assert test.texts == [str(row) for row, value in enumerate(values) if value >= cutoff]
