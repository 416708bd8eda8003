"""Splits refuse what they cannot split, and columns decide as documented."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import split_by_column, split_by_cutoff, split_label_aware, split_random
from ramify.errors import InputError
from ramify.values import Dataset


def dataset_of(Y) -> Dataset:
    Y = sp.csr_matrix(np.asarray(Y, np.float32))
    return Dataset(Y=Y, label_names=[f"l{i}" for i in range(Y.shape[1])], texts=[str(i) for i in range(Y.shape[0])])


FOUR = dataset_of(np.ones((4, 2)))


def test_split_by_column():
    train, test = split_by_column(FOUR, ["train", "test", None, "test"])
    assert (train.texts, test.texts) == (["0", "2"], ["1", "3"])
    _, dev = split_by_column(FOUR, ["a", "b", "c", "d"], test=["a", "b"])
    assert dev.texts == ["0", "1"]
    with pytest.raises(InputError, match="0 of 4 rows have values of 'dev'"):
        split_by_column(FOUR, ["train"] * 4, test="dev")
    with pytest.raises(InputError, match="3 values are given for 4 rows"):
        split_by_column(FOUR, ["test"] * 3)


@pytest.mark.parametrize(
    ("values", "cutoff"),
    [
        (["2004-12-31", "2005-01-01", "", "2010-06-01"], "2005-01-01"),
        (["1999", "2005", None, "10000"], 2005),
        (
            [datetime.date(2004, 1, 1), datetime.date(2005, 1, 1), None, datetime.date(2006, 1, 1)],
            datetime.date(2005, 1, 1),
        ),
    ],
)
def test_split_by_cutoff(values, cutoff):
    train, test = split_by_cutoff(FOUR, values, cutoff)
    assert (train.texts, test.texts) == (["0", "2"], ["1", "3"])


def test_split_by_cutoff_names_the_row_that_does_not_compare():
    with pytest.raises(InputError, match="row 1 holds 'soon', which cannot be compared with 2005"):
        split_by_cutoff(FOUR, ["2004", "soon", "1", "2"], 2005)


def test_label_aware_says_when_no_row_can_be_spared():
    with pytest.raises(InputError, match="use split_random"):
        split_label_aware(dataset_of(np.eye(3)), 0.5)


@pytest.mark.parametrize("size", [0, 1, -0.1, 1.5, float("nan"), "0.2"])
def test_shares_outside_0_and_1_are_refused(size):
    for split in (split_random, split_label_aware):
        with pytest.raises(InputError, match="must be a share between 0 and 1"):
            split(FOUR, size)


def test_one_row_cannot_be_split():
    with pytest.raises(InputError, match="a split needs at least 2"):
        split_random(dataset_of([[1]]))
