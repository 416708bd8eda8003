"""A model directory is written all or not at all, and what was there stays loadable whatever fails."""

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from store_tools import arrays_of, check_equal, is_tidy, made_model, names_in, put_litter

from ramify import store
from ramify.errors import InputError, ModelFileError
from ramify.store import MANIFEST, StoredModel, open_model, save_model
from ramify.store.folder import Folder

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
def test_round_trip(tmp_path, verify, mapped):
    model = made_model(5, name="Wäßer \ud800", nested={"list": [1, None, True, 0.5]})
    save_model(tmp_path / "new" / "model", model)
    stored = open_model(str(tmp_path / "new" / "model"), verify=verify, mapped=mapped)
    check_equal(stored, model)
    assert not any(array.flags.writeable for array in stored.arrays.values())
    assert is_tidy(tmp_path / "new" / "model")


def test_the_files_have_the_documented_form(tmp_path):
    save_model(tmp_path / "model", made_model())
    body = json.loads((tmp_path / "model" / MANIFEST).read_text("utf-8"))
    assert body["class"] == "Kind"
    assert body["format"] == store.FORMAT
    path = arrays_of(tmp_path / "model")
    entry = body["files"][path.name]
    assert entry["bytes"] == path.stat().st_size
    assert path.name == f"arrays-{entry['sha256'][:16]}.safetensors"
    read = load_file(path)
    for name, array in made_model().arrays.items():
        np.testing.assert_array_equal(read[name], array)


def test_a_model_is_replaced(tmp_path):
    save_model(tmp_path / "model", made_model(1))
    opened = open_model(tmp_path / "model")
    for value in (2, 2, 1):
        save_model(tmp_path / "model", made_model(value))
        check_equal(open_model(tmp_path / "model"), made_model(value))
        assert is_tidy(tmp_path / "model")
    check_equal(opened, made_model(1))  # an opened model keeps its arrays


def test_an_empty_directory_is_taken_and_a_link_followed(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        link = tmp_path / f"link to {name}"
        link.symlink_to(tmp_path / name)
        for value in (1, 2):
            save_model(link, made_model(value))
            assert link.is_symlink()
            check_equal(open_model(tmp_path / name), made_model(value))


# Everything that can fail while a model is written, by the name under which it is reached.
STEPS = [
    (os, "mkdir"), (os, "open"), (os, "fdopen"), (os, "fsync"), (os, "replace"), (os, "fstat"), (os, "fchmod"),
    (Path, "iterdir"), (Folder, "create"), (store.saving, "write_arrays"), (store.saving, "encode_manifest"),
    (store.saving.secrets, "token_hex"),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name"), STEPS)
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"),
                                   KeyboardInterrupt()])  # fmt: skip
def test_a_failure_at_any_step_leaves_the_old_model_or_the_new(tmp_path, monkeypatch, owner, name, nth, old, error):
    target = tmp_path / "model"
    if old:
        save_model(target, made_model(1))
    real, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == nth:
            raise error
        return real(*args, **kwargs)

    failed = False
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        try:
            save_model(target, made_model(2))
        except (ModelFileError, KeyboardInterrupt) as caught:
            failed = True
            if isinstance(caught, ModelFileError):
                assert error.strerror in str(caught)
    replaced = target.exists() and json.loads((target / MANIFEST).read_text("utf-8"))["config"]["value"] == 2
    assert replaced != failed or (failed and isinstance(error, KeyboardInterrupt))  # interrupted after the last step
    if replaced:
        check_equal(open_model(target), made_model(2))
        assert len(names_in(target)) == 2 or calls[nth - 1 :]  # the old arrays may be left where cleaning failed
    elif old:
        check_equal(open_model(target), made_model(1))
        assert is_tidy(target)
    else:
        assert names_in(tmp_path) == []
    save_model(target, made_model(3))
    check_equal(open_model(target), made_model(3))
    assert is_tidy(target)


def test_missing_parents_are_made_and_removed_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        save_model(tmp_path / "a" / "b" / "model", made_model())
    assert names_in(tmp_path) == []


def test_a_directory_that_another_save_removes_is_made_again(tmp_path, monkeypatch):
    real, removed = Folder._lock, []

    def late(self, shared):
        if len(removed) < 3:
            self.path.rmdir()  # as a save that failed does, before it gives the lock to this one
            removed.append(self.path)
        return real(self, shared)

    monkeypatch.setattr(Folder, "_lock", late)
    save_model(tmp_path / "model", made_model())
    check_equal(open_model(tmp_path / "model"), made_model())


def test_the_next_save_removes_what_killed_saves_left(tmp_path):
    (tmp_path / "new").mkdir()
    put_litter(tmp_path / "new")
    save_model(tmp_path / "new", made_model(1))
    assert is_tidy(tmp_path / "new")
    put_litter(tmp_path / "new")
    (tmp_path / "new" / "arrays.safetensors").write_text("of format 1")
    save_model(tmp_path / "new", made_model(2))
    assert is_tidy(tmp_path / "new")


def test_without_locks_only_the_old_model_is_removed(tmp_path, monkeypatch):
    """What looks stale may belong to a save that runs at the same time."""
    monkeypatch.setattr(Folder, "_lock", lambda *_: False)
    save_model(tmp_path / "model", made_model(1))
    names = put_litter(tmp_path / "model")
    save_model(tmp_path / "model", made_model(2))
    check_equal(open_model(tmp_path / "model"), made_model(2))
    assert len(names_in(tmp_path / "model")) == 2 + len(names)


def test_without_handles_of_directories(tmp_path, monkeypatch):
    monkeypatch.setattr("ramify.store.folder._HANDLES", False)
    for value in (1, 2):
        save_model(tmp_path / "model", made_model(value))
        check_equal(open_model(tmp_path / "model"), made_model(value))
        assert is_tidy(tmp_path / "model")
    with pytest.raises(ModelFileError, match="does not exist"):
        open_model(tmp_path / "none")


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "directory", "file"), [(0o077, 0o700, 0o600), (0o022, 0o755, 0o644),
                                                          (0o002, 0o775, 0o664)])  # fmt: skip
def test_new_directories_follow_the_umask(tmp_path, umask, directory, file):
    before = os.umask(umask)
    try:
        save_model(tmp_path / "model", made_model())
    finally:
        os.umask(before)
    assert _mode(tmp_path / "model") == directory
    assert {_mode(path) for path in (tmp_path / "model").iterdir()} == {file}


@pytest.mark.parametrize(("directory", "file"), [(0o2770, 0o660), (0o700, 0o600), (0o755, 0o444)])
def test_modes_and_groups_of_an_old_model_stay(tmp_path, directory, file):
    target = tmp_path / "model"
    save_model(target, made_model(1))
    group = 4321 if ROOT else os.getgid()
    for path, mode in ((target, directory), *((path, file) for path in target.iterdir())):
        os.chown(path, -1, group)
        path.chmod(mode)
    number = target.stat().st_ino
    save_model(target, made_model(2))
    check_equal(open_model(target), made_model(2))
    assert _mode(target) == directory
    assert target.stat().st_ino == number
    for path in (target, *target.iterdir()):
        assert path.stat().st_gid == group
        assert path == target or _mode(path) == file


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_no_permission(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ModelFileError, match="permission"):
        save_model(tmp_path / "locked" / "model", made_model())


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelFileError, match="cannot save"):
        save_model(tmp_path / "file" / "model", made_model())


@pytest.mark.parametrize("value", [object(), {1, 2}, np.float32(1), b"bytes", {(1, 2): 3}])
def test_settings_that_json_cannot_hold(tmp_path, value):
    with pytest.raises(InputError, match="JSON"):
        save_model(tmp_path / "model", made_model(1, setting=value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["text"]), np.ones(2, np.complex64)])
def test_arrays_that_cannot_be_saved(tmp_path, array):
    with pytest.raises(InputError, match="'odd' has the type"):
        save_model(tmp_path / "model", StoredModel("Kind", {}, {"odd": array}, "9.9"))
    assert list(tmp_path.iterdir()) == []


def test_format_1_is_read_and_replaced(tmp_path):
    target = tmp_path / "model"
    save_model(target, made_model(1))
    path = arrays_of(target).rename(target / "arrays.safetensors")
    body = json.loads((target / MANIFEST).read_text("utf-8"))
    body |= {"format": 1, "files": {path.name: next(iter(body["files"].values()))}}
    body["sha256"] = store.format._body_digest(body)
    (target / MANIFEST).write_text(json.dumps(body), "utf-8")
    opened = open_model(target)
    save_model(target, made_model(2))
    check_equal(opened, made_model(1))
    check_equal(open_model(target), made_model(2))
    assert json.loads((target / MANIFEST).read_text("utf-8"))["format"] == store.FORMAT
    assert is_tidy(target)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    contents = []
    for name in ("a", "b"):
        save_model(tmp_path / name, made_model(4))
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
