"""Damaged states of Tfidf and Hashing: a ModelFileError, or at worst wrong features; never a crash."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.errors import ModelFileError
from ramify.features import Hashing, Tfidf

TEXTS = ["water pollution control", "Water rights", "tax on water", "tax credit İ", "tax water rights"]


def _state() -> tuple[dict, dict]:
    return Tfidf(min_df=1, threads=1).fit(TEXTS).to_state()


@pytest.mark.parametrize("name", ["names", "name_offsets", "hashes", "slots", "idf"])
@pytest.mark.parametrize("harm", ["missing", "short", "empty", "type", "square", "none"])
def test_arrays(name, harm):
    config, arrays = _state()
    array = arrays[name]
    harmed = {
        "missing": None,
        "short": array[:-1],
        "empty": array[:0],
        "type": array.astype(np.float64),
        "square": array.reshape(1, -1),
        "none": None,
    }
    arrays = {key: value for key, value in arrays.items() if key != name or harm != "missing"}
    if harm != "missing":
        arrays[name] = harmed[harm]
    with pytest.raises(ModelFileError, match="damaged"):
        Tfidf.from_state(config, arrays)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slots", -2),
        ("slots", 10_000),
        ("idf", np.nan),
        ("idf", np.inf),
        ("idf", 0),
        ("idf", -1),
        ("idf", 1e30),
        ("name_offsets", 99),
    ],
)
def test_values(name, value):
    config, arrays = _state()
    arrays[name] = arrays[name].copy()
    arrays[name][1] = value
    with pytest.raises(ModelFileError, match="damaged"):
        Tfidf.from_state(config, arrays)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("words", [0, 3]),
        ("words", "ab"),
        ("within_words", "yes"),
        ("norm", "l3"),
        ("n_words", 10_000),
        ("n_words", "many"),
        ("n_documents", None),
        ("n_documents", -1),
        ("min_df", "x"),
        ("max_df", 2.5),
        ("max_features", 0),
    ],
)
def test_settings_of_tfidf(key, value):
    config, arrays = _state()
    changed, without = copy.deepcopy(config), copy.deepcopy(config)
    where = (changed if key in config else changed["settings"], without if key in config else without["settings"])
    where[0][key] = value
    del where[1][key]
    for damaged in (changed, without):
        with pytest.raises(ModelFileError, match="damaged"):
            Tfidf.from_state(damaged, arrays)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_tampered_table_is_harmless(data):
    config, arrays = _state()
    slots, hashes = arrays["slots"].copy(), arrays["hashes"].copy()
    size = len(hashes)
    slots[:] = data.draw(st.lists(st.integers(-1, size - 1), min_size=len(slots), max_size=len(slots)))
    if data.draw(st.booleans()):
        hashes[:] = hashes[data.draw(st.integers(0, size - 1))]
    opened = Tfidf.from_state(config, arrays | {"slots": slots, "hashes": hashes})
    X = opened.transform(TEXTS)
    assert X.shape == (len(TEXTS), size)
    assert X.nnz == 0 or 0 <= X.indices.min() <= X.indices.max() < size
    for row, text in enumerate(TEXTS):
        indices, values = opened.transform_one(text)
        assert (np.diff(indices) > 0).all()
        assert values.tobytes() == X[row].data.tobytes()


@pytest.mark.parametrize(
    ("config", "arrays"),
    [
        ({"settings": {"n_features": 0}}, {}),
        ({"settings": {"n_features": "many"}}, {}),
        ({"settings": {"signed": None}}, {}),
        ({"settings": {"signed": 7}}, {}),
        ({"settings": {"idf": 7}}, {}),
        ({"settings": {"unknown": 7}}, {}),
        ({"n_documents": 1}, {}),
        ({"n_documents": 2**70}, {}),
        ({"n_documents": "x"}, {}),
        ({}, {"document_frequencies": np.zeros(63, np.int64)}),
        ({}, {"document_frequencies": np.zeros(64, np.float32)}),
        ({}, {"document_frequencies": np.full(64, -1)}),
        ({}, {"document_frequencies": None}),
    ],
)
def test_hashing(config, arrays):
    good_config, good_arrays = Hashing(n_features=64, idf=True).fit(TEXTS).to_state()
    settings = good_config["settings"] | config.get("settings", {})
    with pytest.raises(ModelFileError, match="damaged"):
        Hashing.from_state(good_config | config | {"settings": settings}, good_arrays | arrays)
