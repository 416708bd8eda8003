"""Tfidf as an estimator: what it accepts, refuses, remembers and saves."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from ramify.errors import InputError
from ramify.features import Tfidf
from ramify.protocols import Saveable, Vectorizer
from ramify.strings import StringTable

TEXTS = ["water pollution control", "Water rights", "tax on water", "tax credit", "", "σίσυφος ΣΊΣΥΦΟΣ tax"]


PLAIN = {"words": (1, 2), "characters": None, "runs": None, "language": None, "min_df": 2}
"""Settings with which Tfidf equals TfidfVectorizer."""


def test_names_are_the_columns():
    tfidf = Tfidf(min_df=2).fit(TEXTS)
    assert isinstance(tfidf.vocabulary_, StringTable)
    assert list(tfidf.vocabulary_) == ["tax", "water"]
    assert tfidf.get_feature_names_out().tolist() == ["tax", "water"]
    assert tfidf.n_documents_ == 6
    np.testing.assert_allclose(tfidf.idf_, [np.log(7 / 4) + 1] * 2, rtol=1e-6)


def test_an_empty_text_is_an_empty_row():
    X = Tfidf(min_df=2).fit_transform(TEXTS)
    assert np.diff(X.indptr).tolist() == [1, 1, 2, 1, 0, 1]
    assert (X.dtype, X.indices.dtype, X.has_canonical_format) == (np.float32, np.int32, True)


def test_no_texts_to_transform_give_no_rows():
    assert Tfidf(min_df=2).fit(TEXTS).transform([]).shape == (0, 2)


def test_it_fits_the_protocols():
    assert isinstance(Tfidf(), Vectorizer)
    assert isinstance(Tfidf(), Saveable)


def test_any_iterable_of_texts_serves():
    expected = Tfidf().fit_transform(TEXTS).toarray()
    for texts in (tuple(TEXTS), iter(TEXTS), np.array(TEXTS), StringTable.of(TEXTS)):
        np.testing.assert_array_equal(Tfidf().fit_transform(texts).toarray(), expected)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("water", r"texts is a single str, .* wrap it as \[text\]"),
        (b"water", "texts is a single bytes"),
        (7, "texts is a int, but must be a list of str"),
        (["water", None], r"texts\[1\] is a NoneType, but must be a str"),
        (["water", "tax", b"tax"], r"texts\[2\] is a bytes"),
        ([], r"no n-grams are in 0 text\(s\)"),
        (["C", "R and", "C#"], "no n-grams remain .* lower min_df"),
        (["C", "R", "C#"], r"no n-grams are in 3 text\(s\) .* two or more letters.* characters=\(1, 3\)"),
    ],
)
def test_texts_that_are_none(texts, message):
    with pytest.raises(InputError, match=message):
        Tfidf(**PLAIN).fit(texts)
    with pytest.raises(InputError, match=message):
        Tfidf(**PLAIN).fit_transform(texts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": None, "characters": None}, "words and characters are both None"),
        ({"words": (2, 1)}, r"words is \(2, 1\)"),
        ({"words": (0, 1)}, r"words is \(0, 1\)"),
        ({"words": (1, 17)}, "from 1 to 16"),
        ({"words": 2}, "words is 2"),
        ({"characters": (1, 2.5)}, r"characters is \(1, 2.5\)"),
        ({"norm": "l1"}, "norm is 'l1', but must be 'l2' or None"),
        ({"min_df": 0}, "min_df is 0"),
        ({"min_df": True}, "min_df is True"),
        ({"max_df": 1.5}, "max_df is 1.5"),
        ({"max_df": "all"}, "max_df is 'all'"),
        ({"min_df": 4, "max_df": 0.5}, "max_df=0.5 keeps fewer texts than min_df=4"),
        ({"max_features": 0}, "max_features is 0"),
        ({"max_features": 1e5}, "max_features is 100000.0"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        Tfidf(**settings).fit(TEXTS)


def test_before_fit():
    for call in (lambda t: t.transform(["x"]), lambda t: t.transform_one("x"), lambda t: t.to_state()):
        with pytest.raises(NotFittedError, match="call fit first"):
            call(Tfidf())


def test_one_text_must_be_a_text():
    with pytest.raises(InputError, match="text is a list, but must be a str"):
        Tfidf().fit(TEXTS).transform_one(TEXTS)


def test_estimator_conventions():
    tfidf = Tfidf(words=(1, 3), min_df=0.1)
    assert clone(tfidf).get_params() == tfidf.get_params()
    X = make_pipeline(tfidf).fit_transform(TEXTS)
    for twin in (copy.deepcopy(tfidf), pickle.loads(pickle.dumps(tfidf))):
        assert (twin.transform(TEXTS) != X).nnz == 0


def test_absurdly_large_settings_are_no_limits():
    huge = Tfidf(min_df=1, max_df=10**30, max_features=10**30)
    assert (huge.fit_transform(TEXTS) != Tfidf(min_df=1).fit_transform(TEXTS)).nnz == 0


def test_fit_again_forgets():
    tfidf = Tfidf(min_df=2)
    tfidf.fit(TEXTS).transform_one("water")
    tfidf.fit(["one two", "two one"])
    assert list(tfidf.vocabulary_) == ["one", "two"]
    assert tfidf.transform_one("two water")[0].tolist() == [1]


def test_a_long_text_among_short_ones():
    long = " ".join(f"word{i}" for i in range(100_000))
    tfidf = Tfidf(min_df=1, max_features=None, words=(1, 2))
    X = tfidf.fit_transform(["word1 word2", long, "word1"])
    assert np.diff(X.indptr).tolist() == [3, 199_999, 1]
    assert tfidf.transform_one(long)[1].tobytes() == X[1].data.tobytes()


def test_state_goes_through_files(tmp_path: Path):
    tfidf = Tfidf(words=(1, 2), characters=(2, 3), min_df=np.int64(1), max_features=500, sublinear=False, threads=1)
    X = tfidf.fit_transform(TEXTS)
    config, arrays = tfidf.to_state()
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    opened = Tfidf.from_state(json.loads(json.dumps(config)), mapped)
    assert (opened.transform(TEXTS) != X).nnz == 0
    assert opened.get_params() == tfidf.get_params() | {"threads": None}
    assert list(opened.vocabulary_) == list(tfidf.vocabulary_)
    again, _ = opened.to_state()
    assert again == config
