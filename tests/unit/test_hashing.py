"""Hashing as an estimator; only the optional idf is fitted."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ramify.errors import InputError
from ramify.features import Hashing
from ramify.protocols import Saveable, Vectorizer

TEXTS = ["water pollution control", "Water rights", "tax on water", "tax credit", ""]


def test_nothing_to_learn():
    hashing = Hashing(n_features=1000)
    X = hashing.transform(TEXTS)
    assert X.shape == (5, 1000)
    assert (hashing.fit_transform(TEXTS) != X).nnz == 0
    assert isinstance(hashing, Vectorizer)
    assert isinstance(hashing, Saveable)


def test_the_hash_stays_what_it_was():
    # Saved vocabularies are looked up by it.
    indices, _ = Hashing(n_features=10_000, words=(1, 2), characters=(4, 4), norm=None).transform_one("Ça Σίσυφος")
    assert indices.tolist() == [1825, 2904, 3588, 4369, 5490, 6369, 6736, 7316, 8276, 9978]


def test_same_columns_add_up():
    X = Hashing(n_features=1, signed=False, sublinear=False, norm=None).transform(TEXTS)
    assert X.toarray().ravel().tolist() == [5, 3, 5, 3, 0]


def test_idf_streams():
    whole = Hashing(idf=True, threads=2).fit(TEXTS)
    stream = Hashing(idf=True).partial_fit(TEXTS[:2]).partial_fit(TEXTS[2:])
    assert whole.document_frequencies_.tolist() == stream.document_frequencies_.tolist()
    assert whole.n_documents_ == stream.n_documents_ == 5
    assert (whole.transform(TEXTS) != stream.transform(TEXTS)).nnz == 0
    plain = Hashing(words=(1, 1), idf=False, norm=None, signed=False)
    weighted = Hashing(words=(1, 1), idf=True, norm=None, signed=False).fit(TEXTS)
    (column,) = plain.transform_one("water")[0].tolist()
    assert weighted.document_frequencies_[column] == 3
    np.testing.assert_allclose(weighted.transform_one("water")[1], np.log(6 / 4) + 1, rtol=1e-6)


def test_fit_forgets():
    hashing = Hashing(idf=True).fit(TEXTS).fit(TEXTS[:2])
    assert hashing.n_documents_ == 2


def test_before_fit():
    with pytest.raises(NotFittedError, match="call fit first"):
        Hashing(idf=True).transform(TEXTS)


@pytest.mark.parametrize("n_features", [0, -1, 2**31, 1.5, True, "many"])
def test_number_of_columns(n_features):
    with pytest.raises(InputError, match=r"n_features is .* at least 1 and at most 2147483647"):
        Hashing(n_features=n_features).transform(TEXTS)


def test_texts_that_are_none():
    for call in (Hashing().fit, Hashing().transform, Hashing().fit_transform):
        with pytest.raises(InputError, match="wrap it"):
            call("water")


@pytest.mark.parametrize("idf", [False, True])
def test_state(idf):
    hashing = Hashing(n_features=500, words=None, characters=(2, 4), idf=idf, signed=False).fit(TEXTS)
    config, arrays = hashing.to_state()
    opened = Hashing.from_state(json.loads(json.dumps(config)), arrays)
    X = hashing.transform(TEXTS)
    for twin in (opened, pickle.loads(pickle.dumps(hashing)), clone(hashing).fit(TEXTS)):
        assert (twin.transform(TEXTS) != X).nnz == 0
    assert opened.get_params() == hashing.get_params()
