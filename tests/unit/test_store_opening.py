"""Opening a model directory: what is no model, and what other processes change meanwhile."""

import os
import shutil
from pathlib import Path

import pytest
from store_tools import FORMAT_1, arrays_of, check_equal, is_tidy, made_model, put_litter

import ramify
from ramify.errors import ModelFileError
from ramify.store import MANIFEST, open_model, save_model
from ramify.store.folder import Folder


@pytest.mark.parametrize("what", ["missing", "nul", "file", "below a file", "empty", "no-arrays", "unfinished", "fifo"])
def test_what_is_no_model_is_refused(tmp_path, what):
    path = tmp_path / "model"
    if what in ("file", "below a file"):
        path.write_text("no model")
        path = path / "model" if what == "below a file" else path
    elif what == "nul":
        path = Path("model\0")
    elif what in ("empty", "unfinished"):
        path.mkdir()
        _ = what == "empty" or put_litter(path)
    elif what != "missing":
        save_model(path, made_model())
        arrays_of(path).unlink()
        if what == "fifo":
            (path / MANIFEST).unlink()
            os.mkfifo(path / MANIFEST)
    reason = {
        "missing": "does not exist", "nul": "no path", "file": "is no directory", "below a file": "does not exist",
        "empty": "holds no", "no-arrays": "is missing", "unfinished": "unfinished save", "fifo": "not a regular",
    }  # fmt: skip
    with pytest.raises(ModelFileError, match=reason[what]):
        open_model(path)


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_the_hidden_model_of_an_earlier_version_is_named(tmp_path, what):
    save_model(tmp_path / ".model.old.abcdefgh", made_model())
    (tmp_path / ".model.old.without").mkdir()
    if what == "empty":
        (tmp_path / "model").mkdir()
    with pytest.raises(ModelFileError, match=r"\.model\.old\.abcdefgh holds its earlier model: rename"):
        open_model(tmp_path / "model")
    with pytest.raises(ModelFileError, match="does not exist: give"):
        open_model(tmp_path / "other")


@pytest.mark.parametrize("name", [MANIFEST, "arrays"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, name):
    save_model(tmp_path / "model", made_model())
    real = os.open

    def locked(path, *args, **kwargs):
        if str(path).startswith(name):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", locked)
    with pytest.raises(ModelFileError, match=f"model/{name}.*Permission denied"):
        open_model(tmp_path / "model")


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_model_that_is_replaced_while_it_is_opened(tmp_path, monkeypatch, times, mapped):
    """Each of the first attempts to open the arrays finds that another save has removed them."""
    target = tmp_path / "model"
    save_model(target, made_model(1))
    real, opened = Folder.open, []

    def beaten(self, name):
        if name == MANIFEST or len(opened) == times:
            return real(self, name)
        opened.append(name)
        with monkeypatch.context() as patch:
            patch.setattr(Folder, "open", real)
            save_model(target, made_model(2))
            try:
                return real(self, name)
            finally:
                save_model(target, made_model(1))  # the manifest is the same as before

    monkeypatch.setattr(Folder, "open", beaten)
    stored = open_model(target, mapped=mapped)
    assert len(opened) == times
    check_equal(stored, made_model(1))


def test_a_directory_that_is_exchanged_while_it_is_opened(tmp_path, monkeypatch):
    for name, value in (("model", 1), ("other", 2)):
        save_model(tmp_path / name, made_model(value))
    real = Folder.open

    def exchanging(self, name):
        if name != MANIFEST:
            (tmp_path / "model").rename(tmp_path / "away")
            (tmp_path / "other").rename(tmp_path / "model")
        return real(self, name)

    monkeypatch.setattr(Folder, "open", exchanging)
    check_equal(open_model(tmp_path / "model"), made_model(1))


def test_arrays_in_memory_are_independent_of_the_file(tmp_path):
    shutil.copytree(FORMAT_1 / "model", tmp_path / "model")
    tagger = ramify.load(tmp_path / "model", mapped=False)
    before = tagger.tag(["water rights of farms"])
    os.truncate(arrays_of(tmp_path / "model"), 0)
    assert tagger.tag(["water rights of farms"]) == before
    assert all(array.ctypes.data % array.itemsize == 0 for array in tagger.to_state()[1].values())


def test_files_copied_over_a_model_do_not_change_an_open_one(tmp_path):
    for name, value in (("model", 1), ("new", 2)):
        save_model(tmp_path / name, made_model(value))
    opened = open_model(tmp_path / "model")
    for path in (tmp_path / "new").iterdir():
        shutil.copyfile(path, tmp_path / "model" / path.name)  # into the same file, as cp does
    check_equal(opened, made_model(1))
    check_equal(open_model(tmp_path / "model"), made_model(2))
    save_model(tmp_path / "model", made_model(3))
    assert is_tidy(tmp_path / "model")


def test_a_directory_that_cannot_be_listed(tmp_path, monkeypatch):
    def locked(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(ModelFileError, match="cannot be read: Permission denied"):
        open_model(tmp_path)
