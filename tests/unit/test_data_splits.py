"""Splits refuse what they cannot split, and columns decide as documented."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import (
    convert_split,
    joined,
    read,
    split_by_column,
    split_by_cutoff,
    split_grouped,
    split_label_aware,
    split_random,
)
from ramify.errors import InputError
from ramify.values import Dataset, as_csr


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
    with pytest.raises(InputError, match="must be a share between 0 and 1"):
        split_grouped(FOUR, [1, 2, 3, 4], size)


def test_one_row_cannot_be_split():
    with pytest.raises(InputError, match="a split needs at least 2"):
        split_random(dataset_of([[1]]))


def test_split_grouped_keeps_groups_on_one_side():
    data = dataset_of(np.ones((1000, 2)))
    groups = np.random.default_rng(0).integers(0, 150, 1000)
    train, test = split_grouped(data, groups, 0.2, seed=3)
    sides = [{int(groups[int(text)]) for text in part.texts} for part in (train, test)]
    assert not sides[0] & sides[1]
    assert 190 <= len(test) <= 200
    assert len(train) + len(test) == 1000
    assert list(map(int, train.texts)) == sorted(map(int, train.texts))
    assert split_grouped(data, groups, 0.2, seed=3)[1].texts == test.texts
    assert split_grouped(data, groups, 0.2, seed=4)[1].texts != test.texts


def test_split_grouped_takes_any_values():
    train, test = split_grouped(FOUR, ["a", None, "a", "b"], 0.5, seed=0)
    assert {tuple(train.texts), tuple(test.texts)} == {("0", "2"), ("1", "3")}


def test_split_grouped_refuses():
    with pytest.raises(InputError, match="the smallest group has 4 of 4 rows, but the test part at most 2"):
        split_grouped(FOUR, [1, 1, 1, 1], 0.5)
    with pytest.raises(InputError, match="3 values are given for 4 rows"):
        split_grouped(FOUR, [1, 2, 3], 0.5)


def test_joined_has_one_label_space():
    one = Dataset(Y=as_csr([[1, 0], [0, 1]]), label_names=["b", "c"], texts=["0", "1"], ids=[1, 2])
    other = Dataset(Y=as_csr([[1, 1], [0, 1]]), label_names=["a", "c"], texts=["2", "3"], ids=[3, None])
    both = joined(one, other)
    assert list(both.label_names) == ["b", "c", "a"]
    assert [both.labels_of(row) for row in range(4)] == [["b"], ["c"], ["c", "a"], ["c"]]
    assert (both.texts, both.ids) == (["0", "1", "2", "3"], [1, 2, 3, None])
    with pytest.raises(InputError, match="give both in the same form"):
        joined(one, Dataset(Y=one.Y, label_names=["b", "c"], X=as_csr(np.eye(2))))


def test_joined_features_have_the_greater_width():
    one = Dataset(Y=as_csr([[1]]), label_names=["0"], X=as_csr([[1, 2]]), label_keys=["k0"])
    other = Dataset(Y=as_csr([[1]]), label_names=["0"], X=as_csr([[0, 1, 5]]), label_keys=["k0"])
    for pair in ((one, other), (other, one)):
        both = joined(*pair)
        assert both.X.shape == (2, 3)
        assert both.X.sum() == 9
        assert list(both.label_keys) == ["k0"]


def test_convert_split_writes_both_parts(tmp_path):
    for name, rows in (("one", 6), ("other", 4)):
        lines = [
            f'{{"id": "{name}{i}", "text": "text {name} {i}", "labels": ["l{i % 2}"], "note": 1}}' for i in range(rows)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    sources, train, test = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"], tmp_path / "t.csv", tmp_path / "e.jsonl"
    left_out = convert_split(sources, train, test, split=lambda whole: split_random(whole, 0.3, 1))
    assert left_out == ("note",)
    parts = [read(train), read(test)]
    assert [len(part) for part in parts] == [7, 3]
    ids = sorted(str(one) for part in parts for one in part.ids)
    assert ids == sorted([*(f"one{i}" for i in range(6)), *(f"other{i}" for i in range(4))])
    with pytest.raises(InputError, match="the target of both parts"):
        convert_split(sources, train, train, split=split_random)
    with pytest.raises(InputError, match="both input and output"):
        convert_split(sources, train, sources[1], split=split_random)
    with pytest.raises(InputError, match="would hold features"):
        convert_split(sources, train, tmp_path / "x.npz", split=split_random)
    with pytest.raises(InputError, match="no source"):
        convert_split([], train, test, split=split_random)
