"""A model directory is written all or not at all, and what was there stays loadable whatever fails."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ramify import store
from ramify.errors import InputError, ModelFileError
from ramify.store import ARRAYS, MANIFEST, StoredModel, check_target, open_model, save_model


def _model(value=1, **config):
    arrays = {
        "a": np.arange(value, dtype=np.int64), "b": np.ones((2, 3), np.float32), "c": np.empty(0, np.uint8),
        "d": np.array([True, False]), "e": np.full((value, 0, 2), 1, np.uint16),
    }  # fmt: skip
    return StoredModel("Kind", {"value": value, **config}, arrays, "9.9")


def _equal(stored, model):
    assert (stored.kind, stored.config, stored.version) == (model.kind, model.config, model.version)
    assert stored.arrays.keys() == model.arrays.keys()
    for name, array in model.arrays.items():
        assert stored.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(stored.arrays[name], array)


def _leftovers(directory):
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("verify", [True, False])
def test_round_trip(tmp_path, verify):
    model = _model(5, name="Wäßer \ud800", nested={"list": [1, None, True, 0.5]})
    save_model(tmp_path / "new" / "model", model)
    stored = open_model(str(tmp_path / "new" / "model"), verify=verify)
    _equal(stored, model)
    assert not stored.arrays["a"].flags.writeable
    assert _leftovers(tmp_path / "new") == []


def test_the_manifest_tells_what_it_holds(tmp_path):
    save_model(tmp_path / "model", _model())
    body = json.loads((tmp_path / "model" / MANIFEST).read_text("utf-8"))
    assert body["class"] == "Kind"
    assert body["format"] == store.FORMAT
    assert body["files"][ARRAYS]["bytes"] == (tmp_path / "model" / ARRAYS).stat().st_size


def test_a_model_is_replaced(tmp_path):
    save_model(tmp_path / "model", _model(1))
    opened = open_model(tmp_path / "model")
    save_model(tmp_path / "model", _model(2))
    _equal(open_model(tmp_path / "model"), _model(2))
    _equal(opened, _model(1))  # an opened model keeps its arrays
    assert _leftovers(tmp_path) == []


def test_an_empty_directory_is_taken_and_a_link_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for value in (1, 2):
        save_model(tmp_path / "link", _model(value))
        assert (tmp_path / "link").is_symlink()
        _equal(open_model(tmp_path / "real"), _model(value))


@pytest.mark.parametrize("kind", ["file", "foreign", "nul"])
def test_other_things_are_not_overwritten(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("mine")
    elif kind == "foreign":
        target.mkdir()
        (target / "thesis.txt").write_text("mine")
    else:
        target = Path(f"{target}\0")
    for call in (check_target, lambda path: save_model(path, _model())):
        with pytest.raises(InputError, match="directory"):
            call(target)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"] * (kind != "nul")


# Everything that can fail while a model is written, by the name under which the store reaches it.
STEPS = [
    (store.tempfile, "mkdtemp"), (safetensors.numpy, "save_file"), (store, "_file_digest"), (Path, "write_text"),
    (Path, "chmod"), (store.os, "fsync"), (Path, "rename"), (Path, "stat"),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name"), STEPS)
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"),
                                   KeyboardInterrupt()])  # fmt: skip
def test_a_failure_at_any_step_leaves_the_old_model(tmp_path, monkeypatch, owner, name, nth, error):
    save_model(tmp_path / "model", _model(1))
    real, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == nth:
            raise error
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ModelFileError
        try:
            save_model(tmp_path / "model", _model(2))
            failed = False
        except expected as caught:
            failed = True
            if expected is ModelFileError:
                assert error.strerror in str(caught)
    _equal(open_model(tmp_path / "model"), _model(1 if failed else 2))
    assert failed == (len(calls) >= nth)
    assert _leftovers(tmp_path) == []


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(*_args):
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(ModelFileError, match="No space left"):
        save_model(tmp_path / "model", _model())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ModelFileError, match="Permission"):
        save_model(tmp_path / "locked" / "model", _model())


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelFileError, match="cannot save"):
        save_model(tmp_path / "file" / "model", _model())


@pytest.mark.parametrize("value", [object(), {1, 2}, np.float32(1), b"bytes", {(1, 2): 3}])
def test_settings_that_json_cannot_hold(tmp_path, value):
    with pytest.raises(InputError, match="JSON"):
        save_model(tmp_path / "model", _model(1, setting=value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["missing", "file", "empty", "no-arrays"])
def test_what_is_no_model_is_said(tmp_path, what):
    path = tmp_path / "model"
    if what == "file":
        path.write_text("no model")
    elif what == "empty":
        path.mkdir()
    elif what == "no-arrays":
        save_model(path, _model())
        (path / ARRAYS).unlink()
    reason = {"missing": "does not exist", "file": "no directory", "empty": "holds no", "no-arrays": "is missing"}
    with pytest.raises(ModelFileError, match=reason[what]):
        open_model(path)


@pytest.mark.parametrize("name", [MANIFEST, ARRAYS])
def test_a_file_that_cannot_be_read_is_said(tmp_path, monkeypatch, name):
    save_model(tmp_path / "model", _model())
    real = Path.open

    def locked(self, *args, **kwargs):
        if self.name == name:
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ModelFileError, match="Permission denied"):
        open_model(tmp_path / "model")
