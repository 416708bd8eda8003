"""Every flag with every model: it does something, or one true sentence refuses it."""

from __future__ import annotations

import itertools

import pytest

from ramify import catalogue
from ramify.cli.plan import KINDS, PARTS, SWITCHES
from ramify.cli.settings import part, settings_of
from ramify.models.presets import PRESETS


def _flags(kind: str, name: str) -> dict[str, str]:
    """Flag -> text of a value that is fine."""
    found = {}
    for setting in settings_of(part(kind, name)).values():
        value = setting.default
        text = "none" if value is None else ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found[setting.flag] = text.lower() if isinstance(value, bool) else text
    return found


MODELS, WRAPPERS = catalogue.named(catalogue.MODEL), catalogue.named(catalogue.WRAPPER)
OWN = {name: _flags("model", name) for name in MODELS}
AROUND = {kind: _flags(kind, kind) for kind in WRAPPERS}
EVERY = dict(itertools.chain.from_iterable(flags.items() for flags in (*OWN.values(), *AROUND.values())))


@pytest.mark.parametrize("model", MODELS)
def test_every_flag_with_every_model(call, model):
    vectorizer = _flags("vectorizer", PARTS["vectorizer"])
    for flag, value in (EVERY | OWN[model]).items():
        done = call("train", "--model", model, flag, value, "--show-config")
        if flag in OWN[model] or flag in vectorizer or flag in {f"--{switch}" for switch in SWITCHES.values()}:
            assert done.code == 0, (model, flag, done.err)
            continue
        assert done.code == 2, (model, flag)
        [line] = done.err.splitlines()
        assert flag in line
        if "add --copies 2" in line:
            assert call("train", "--model", model, flag, value, "--copies", 2, "--show-config").code == 0
            assert "indexer" in part("model", model)().get_params(deep=False)
        if "add --trees 2" in line:
            assert call("train", "--model", model, flag, value, "--trees", 2, "--show-config").code == 0


def test_a_model_without_a_beam(refused):
    line = refused("train", "--model", "nearest-instances", "--beam", 3, "--show-config")
    assert "--beam is given, but the model nearest-instances has no such setting: leave it out" in line


@pytest.mark.parametrize(("preset", "model"), list(itertools.product(PRESETS, MODELS)))
def test_a_preset_and_another_model(call, preset, model):
    done = call("train", "--preset", preset, "--model", model, "--show-config")
    if PRESETS[preset].model == model:
        assert done.code == 0
        return
    assert done.code == 2
    [line] = done.err.splitlines()
    wanted = f"--preset {preset} sets up the model {PRESETS[preset].model}, but the model is {model!r}"
    assert wanted in line


def test_a_preset_and_a_settings_file_of_another_model(refused, call, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(call("train", "--model", "label-chain", "--show-config").out, "utf-8")
    assert "leave one of them out" in refused("train", "--preset", "best", "--config", path, "--show-config")
    assert call("train", "--config", path, "--show-config").code == 0


def test_every_kind_is_known():
    assert set(KINDS) == {"model", *WRAPPERS, "vectorizer"}
