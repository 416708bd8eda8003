"""Damaged arrays of kept instances are refused with one sentence, or the model answers; the process never dies."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify import NearestInstances
from ramify.errors import ModelFileError
from ramify.models.neighbours.nearest import TYPES
from ramify.testing.values import planted_clusters

PROBLEM = planted_clusters(4, 3)
CONFIG, ARRAYS = NearestInstances(threads=1).fit(PROBLEM.X, PROBLEM.Y).to_state()
ODD = [-(2**31), -1, 0, 1, 11, 12, 143, 144, 2**31 - 1]


def _refused(config, arrays):
    with pytest.raises(ModelFileError) as caught:
        NearestInstances.from_state(config, arrays)
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(TYPES)), place=st.integers(0, 2**20), value=st.sampled_from([*ODD, 2**40, np.nan]))
def test_any_changed_entry(name, place, value):
    array = ARRAYS[name].copy()
    with suppress(OverflowError, ValueError):
        array[place % len(array)] = value
    with suppress(ModelFileError):
        model = NearestInstances.from_state(CONFIG, {**ARRAYS, name: array})
        top = model.predict_topk(PROBLEM.X_test, 4)
        assert (top.labels < 12).all()
        assert not np.isnan(top.scores).any()


@pytest.mark.parametrize("name", sorted(TYPES))
def test_any_array_missing_cut_turned_or_of_another_type(name):
    array = ARRAYS[name]
    _refused(CONFIG, {other: part for other, part in ARRAYS.items() if other != name})
    for bad in (array[:-1], array[:0], array[None], array.astype(np.float64), np.repeat(array, 2)[::2], "text"):
        _refused(CONFIG, {**ARRAYS, name: bad})


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("columns/values", 3, np.nan),
        ("columns/values", 3, np.inf),
        ("columns/values", 3, 1e30),
        ("columns/instances", 3, 144),
        ("columns/instances", 3, -1),
        ("columns/instances", 1, 0),
        ("labels/ids", 5, 12),
        ("labels/indptr", 2, 2**40),
        ("columns/indptr", 1, -1),
    ],
)
def test_entries_that_native_code_could_not_trust(name, place, value):
    array = ARRAYS[name].copy()
    array[place] = value
    if name == "columns/instances" and value == 0:
        array[0] = 0
    _refused(CONFIG, {**ARRAYS, name: array})


@pytest.mark.parametrize("size", ["n_instances", "n_features", "n_labels"])
@pytest.mark.parametrize("value", [0, -1, 5, 2**31, 2**70, 1.5, "12", None, True])
def test_other_sizes(size, value):
    _refused({**CONFIG, "sizes": {**CONFIG["sizes"], size: value}}, ARRAYS)


@pytest.mark.parametrize(
    "settings_", [{"neighbours": 0}, {"neighbours": "10"}, {"power": None}, {"threads": -1}, {"beam": 3}, []]
)
def test_other_settings(settings_):
    kept = CONFIG["settings"] | settings_ if isinstance(settings_, dict) else settings_
    _refused({**CONFIG, "settings": kept}, ARRAYS)
    _refused({"sizes": CONFIG["sizes"]}, ARRAYS)
