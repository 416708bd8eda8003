"""Where a model may be saved: nothing that ramify did not write is replaced or removed, and no training is lost."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

import ramify
from ramify.cli import demo, train
from ramify.errors import InputError, ModelFileError
from ramify.store import check_target

XGBOOST = '{"learner": {"gradient_booster": {}}, "version": [2, 1, 0]}'


def _thesis(place, model):
    place.mkdir()
    (place / "thesis.md").write_text("months")


def _thesis_beside_a_foreign_manifest(place, model):
    _thesis(place, model)
    (place / "model.json").write_text(XGBOOST)


def _foreign_manifest(place, model):
    place.mkdir()
    (place / "model.json").write_text(XGBOOST)


def _no_json(place, model):
    place.mkdir()
    (place / "model.json").write_bytes(b"\xff\x00 no JSON")


def _manifest_that_is_a_folder(place, model):
    (place / "model.json").mkdir(parents=True)


def _manifest_that_is_a_fifo(place, model):
    place.mkdir()
    os.mkfifo(place / "model.json")


def _repository(place, model):
    shutil.copytree(model, place)
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main")


def _model_card(place, model):
    shutil.copytree(model, place)
    (place / "README.md").write_text("# Card")


def _model_in_a_model(place, model):
    shutil.copytree(model, place)
    shutil.copytree(model, place / "earlier")


def _models_in_a_folder(place, model):
    shutil.copytree(model, place / "one")


def _foreign_arrays(place, model):
    place.mkdir()
    (place / "arrays.safetensors").write_bytes(b"weights of another program")


def _folder_of_our_name(place, model):
    (place / "arrays-0123456789abcdef.safetensors").mkdir(parents=True)


def _long_and_odd_names(place, model):
    place.mkdir()
    for name in ("x" * 250, "two\nlines", "c", "d", "e"):
        (place / name).write_text("mine")


def _file(place, model):
    place.write_text("mine")


def _fifo(place, model):
    os.mkfifo(place)


def _socket(place, model):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(place.parent)  # the path of a socket must be short
        server.bind(place.name)
        os.chdir(here)


def _device(place, model):
    place.symlink_to("/dev/null")


FOREIGN = {
    _thesis: "'thesis.md'",
    _thesis_beside_a_foreign_manifest: "'model.json' of another program, 'thesis.md'",
    _foreign_manifest: "'model.json' of another program",
    _no_json: "'model.json' of another program",
    _manifest_that_is_a_folder: "'model.json' of another program",
    _manifest_that_is_a_fifo: "'model.json' of another program",
    _repository: "'.git'",
    _model_card: "'README.md'",
    _model_in_a_model: "'earlier'",
    _models_in_a_folder: "'one'",
    _foreign_arrays: "'arrays.safetensors'",
    _folder_of_our_name: "'arrays-0123456789abcdef.safetensors'",
    _long_and_odd_names: "'c', 'd', 'e' and 2 more",
    _file: "is a file",
    _fifo: "is a FIFO",
    _socket: "is a socket",
    _device: "is a device",
}


def _tree(place):
    """Every entry with its kind and content."""
    return {
        str(path.relative_to(place)): (path.lstat().st_mode, path.lstat().st_ino, path.is_file() and path.read_bytes())
        for path in place.rglob("*")
    }


@pytest.fixture
def untrained(monkeypatch):
    """Any training fails the test."""
    monkeypatch.setattr(train, "_train", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(demo, "_data", lambda *_: pytest.fail("trained"))


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("build", FOREIGN, ids=lambda build: build.__name__[1:])
def test_what_is_not_a_model_alone_is_refused(build, refused, documents, model, tmp_path, monkeypatch):
    place = tmp_path / "place"
    build(place, model)
    before = _tree(tmp_path)
    tagger = ramify.load(model)
    sentences = [refused("train", documents, "--out", place), refused("demo", "--out", place)]
    for call in (check_target, tagger.save):
        with pytest.raises(InputError) as caught:
            call(place)
        sentences.append(f"ramify: {caught.value}")
    assert len(set(sentences)) == 1
    assert FOREIGN[build] in sentences[0]
    assert "\n" not in sentences[0]
    assert "name a" in sentences[0]
    if place.is_dir():
        monkeypatch.chdir(place)
        assert refused("train", documents, "--out", ".") == sentences[0].replace(str(place), ".")
    assert _tree(tmp_path) == before


@pytest.mark.usefixtures("untrained")
def test_the_standard_output_is_no_place_for_a_model(refused, documents):
    assert "name a directory" in refused("train", documents, "--out", "/dev/stdout")


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("exists", [True, False])
def test_no_permission_is_noticed_before_training(exists, refused, documents, tmp_path, monkeypatch):
    target = tmp_path / "new" / "m"
    if exists:
        target.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)  # as for others than root
    sentence = refused("train", documents, "--out", target)
    assert f"{target if exists else tmp_path}: no permission" in sentence


@pytest.mark.usefixtures("untrained")
def test_a_nul_in_the_path(tmp_path):
    with pytest.raises(InputError, match="is no path"):
        check_target(f"{tmp_path}/m\0")


def test_a_model_in_a_parent_that_cannot_be_written(call, documents, model, tmp_path, monkeypatch):
    shutil.copytree(model, tmp_path / "m")
    before = _tree(tmp_path)
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and real(path, mode))
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("the parent cannot be written"))
    assert call("train", documents, "--out", tmp_path / "m", "--max-leaf", 2, "--threads", 1, "-q").code == 0
    assert _tree(tmp_path) != before
    assert len(list((tmp_path / "m").iterdir())) == 2
    ramify.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["lost+found", ".nfs000000000000002a00000001", ".fuse_hidden0000002a00000001"])
def test_entries_of_the_file_system_are_left(name, call, documents, tmp_path):
    (tmp_path / "volume" / name).mkdir(parents=True)
    for _ in range(2):
        assert call("train", documents, "--out", tmp_path / "volume", "--threads", 1, "-q").code == 0
        assert len(list((tmp_path / "volume").iterdir())) == 3
    ramify.load(tmp_path / "volume")


@pytest.fixture
def mount_point(tmp_path):
    place = tmp_path / "mounted"
    place.mkdir()
    command = [shutil.which("mount") or "false", "-t", "tmpfs", "tmpfs", place]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_mount_point_holds_a_model(mount_point, call, documents):
    for leaf in (2, 3):
        done = call("train", documents, "--out", mount_point, "--max-leaf", leaf, "--threads", 1, "-q")
        assert done.code == 0, done.err
        ramify.load(mount_point, mapped=False)
        assert len(list(mount_point.iterdir())) == 2


def test_a_full_volume_keeps_the_old_model(mount_point, model, tmp_path):
    subprocess.run(["mount", "-o", "remount,size=256k", mount_point], check=True)
    ramify.load(model).save(mount_point / "m")
    before = _tree(mount_point)
    (mount_point / "ballast").write_bytes(bytes(4096))
    with pytest.raises(OSError, match="No space"), (mount_point / "ballast").open("wb") as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(ModelFileError, match="No space left on device; what was there is untouched"):
        ramify.load(model).save(mount_point / "m")
    (mount_point / "ballast").unlink()
    assert _tree(mount_point) == before
    ramify.load(mount_point / "m", mapped=False)
