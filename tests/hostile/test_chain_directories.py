"""A model directory of chains that was tampered with is refused, or answers; the process never dies."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra torch")

from ramify import CompositeChain, LabelChain, ModelFileError, ReinforcedChain
from ramify.errors import RamifyError
from ramify.testing.values import planted_clusters

PROBLEM = planted_clusters(2, 2)
SMALL = {"embedding": 3, "hidden": 4, "epochs": 1, "batch_size": 64, "held_out": 0.0, "threads": 1}
CHAIN = LabelChain(**SMALL)
KINDS = {
    "chain": CHAIN,
    "reinforced": ReinforcedChain(CHAIN, epochs=1, samples=1, threads=1),
    "composite": CompositeChain(CHAIN, ReinforcedChain(CHAIN, epochs=1, samples=1), threads=1),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["LabelChain", "ReinforcedChain", "XRLinear", "os", "random"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def state(request):
    model = KINDS[request.param].fit(PROBLEM.X, PROBLEM.Y)
    return type(model), *model.to_state()


def paths(value, path=()):
    """Every place of nested settings."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from paths(part, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_settings_that_make_no_sense(state, data):
    kind, config, arrays = state
    path = data.draw(st.sampled_from(sorted(paths(config), key=repr)[1:]))
    try:
        model = kind.from_state(replaced(config, path, data.draw(JSON)), arrays)
    except ModelFileError as error:
        assert "\n" not in str(error)
        return
    if getattr(model, "threads", 1) in (1, None):
        with suppress(RamifyError):
            assert not np.isnan(model.predict_topk(PROBLEM.X_test[:3], 2).scores).any()


def test_a_name_with_a_line_break_is_refused_in_one_line(state):
    kind, config, arrays = state
    if "sizes" not in config:
        pytest.skip("its members have the sizes")
    with pytest.raises(ModelFileError) as caught:
        kind.from_state({**config, "sizes": {"\n": None}}, arrays)
    assert "\n" not in str(caught.value)


def test_arrays_missing_turned_or_cut(state):
    kind, config, arrays = state
    for name, array in arrays.items():
        without = {other: part for other, part in arrays.items() if other != name}
        bad = [array[:-1], array[None], array.astype(np.float16)]
        for damaged in (without, *({**without, name: wrong} for wrong in bad)):
            with pytest.raises(ModelFileError) as caught:
                kind.from_state(config, damaged)
            assert "\n" not in str(caught.value)
