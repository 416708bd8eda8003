"""Damaged states of parts are refused with one sentence, or the part answers; the process never dies."""

from contextlib import suppress
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.errors import ModelFileError
from ramify.index import tree_from_assignment
from ramify.label_vectors import PIFA
from ramify.models import CosineRanker, DenseNeighbours, PopularLabels
from ramify.protocols import RankingProblem
from ramify.testing.values import planted_clusters

PROBLEM = planted_clusters(4, 3)


def _ranker():
    tree = tree_from_assignment(np.arange(12) // 3)
    vectors = PIFA().represent(PROBLEM.X, PROBLEM.Y)
    return CosineRanker().fit(RankingProblem(PROBLEM.X, PROBLEM.Y, tree, PROBLEM.Y[:, :4], vectors))


FITTED = {"popular": PopularLabels().fit(PROBLEM.X, PROBLEM.Y), "cosine": _ranker()}
if find_spec("usearch"):
    FITTED["dense"] = DenseNeighbours(dimensions=8, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    FITTED["dense as it is"] = DenseNeighbours(among="labels", threads=1).fit(PROBLEM.X, PROBLEM.Y)
STATES = {name: part.to_state() for name, part in FITTED.items()}
ARRAYS = [(name, array) for name, (_, arrays) in STATES.items() for array in sorted(arrays)]
ODD = [-(2**31), -1, 0, 1, 2, 11, 12, 13, 2**31 - 1, 2**40, 1e30, np.inf, -np.inf, np.nan]


def _answers(name, config, arrays):
    """What the part says from this state: finite scores of labels that exist."""
    part = type(FITTED[name]).from_state(config, arrays)
    if name == "cosine":
        scores = part.rank(PROBLEM.X_test, PROBLEM.Y_test).data
        assert ((scores >= 0) & (scores <= 1)).all()
        return scores
    top = part.predict_topk(PROBLEM.X_test, 4)
    assert (top.labels < 12).all()
    assert not np.isnan(top.scores).any()
    return top.scores


def _refused(name, config, arrays):
    with pytest.raises(ModelFileError) as caught:
        type(FITTED[name]).from_state(config, arrays)
    assert "\n" not in str(caught.value)
    assert "restore the model directory" in str(caught.value)


@pytest.mark.parametrize("name", STATES)
def test_a_whole_state_answers_as_before(name):
    config, arrays = STATES[name]
    np.testing.assert_array_equal(_answers(name, config, arrays), _answers(name, *FITTED[name].to_state()))


@settings(max_examples=300, deadline=None)
@given(which=st.sampled_from(ARRAYS), place=st.integers(0, 2**20), value=st.sampled_from(ODD))
def test_any_changed_entry(which, place, value):
    name, changed = which
    config, arrays = STATES[name]
    array = arrays[changed].copy()
    with suppress(OverflowError, ValueError):
        array.reshape(-1)[place % array.size] = value
    with suppress(ModelFileError):
        _answers(name, config, {**arrays, changed: array})


@pytest.mark.parametrize(("name", "changed"), ARRAYS)
def test_any_array_missing_cut_turned_or_of_another_type(name, changed):
    config, arrays = STATES[name]
    array, rest = arrays[changed], {other: part for other, part in arrays.items() if other != changed}
    if changed not in ("components", "shares"):  # without components the points' width is another than X's
        _refused(name, config, {**arrays, changed: array[:-1]})
    _refused(name, config, rest)
    for bad in (array[:0], array[None], array.astype(np.float16), np.repeat(array, 2, axis=0)[::2], "text", None):
        _refused(name, config, {**arrays, changed: bad})


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("value", [None, "x", -1, 0, 2**70, 1.5, True, [], {}, [1, 2, 3]])
def test_any_setting_or_size_of_another_kind(name, value):
    config, arrays = STATES[name]
    for key, inner in config.items():
        _refused(name, {other: part for other, part in config.items() if other != key}, arrays)
        if key == "settings":
            _refused(name, {**config, key: {"settings": value}}, arrays)
        else:
            _refused(name, {**config, key: value}, arrays)
        if key == "sizes":
            for size in inner:
                _refused(name, {**config, key: {**inner, size: value}}, arrays)


@pytest.mark.parametrize(
    "odd", [{"among": "words"}, {"effort": 0}, {"neighbours": "3"}, {"power": None}, {"seed": -1}, {"threads": 0}]
)
def test_settings_of_dense_neighbours_out_of_range(odd):
    pytest.importorskip("usearch", reason="needs the extra ann")
    config, arrays = STATES["dense"]
    _refused("dense", {**config, "settings": config["settings"] | odd}, arrays)
