"""Tagger.push_to_hub, Tagger.from_pretrained and ramify.hub, against a local server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("huggingface_hub", reason="needs the extra hub")
pytest.importorskip("jinja2", reason="needs the extra hub")

import ramify
from ramify import HubError, InputError, ModelFileError, Tagger, XRLinear
from ramify.hub import Place, pull, push

TEXTS = ["river lake rain", "flame smoke heat", "soil stone clay"] * 6
LABELS = [["water"], ["fire"], ["earth", "ground"]] * 6
QUIET = {"progress": False}


class OwnVectorizer:
    """Lengths of the words of a text."""

    def fit_transform(self, texts):
        return self.transform(texts)

    def transform(self, texts):
        return sp.csr_matrix([[len(word) for word in text.split()] for text in texts], dtype=np.float32)

    def to_state(self):
        return {}, {}

    @classmethod
    def from_state(cls, config, arrays):
        return cls()


@pytest.fixture(scope="module")
def tagger():
    return Tagger().fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def other():
    return Tagger().fit(TEXTS, [["liquid"], ["plasma"], ["solid"]] * 6)


@pytest.fixture
def saved(tagger, tmp_path):
    tagger.save(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def pushed(hub, tagger):
    tagger.push_to_hub("ann/bills", **QUIET)
    hub.requests.clear()
    return hub.repositories["ann/bills"]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_pushed_model_is_loaded_with_the_same_answers(hub, tagger, saved, tmp_path):
    done = tagger.push_to_hub("bills", private=True, message="First", **QUIET)
    repository = hub.repositories["ann/bills"]
    assert (done.repo_id, done.url) == ("ann/bills", f"{hub.url}/ann/bills")
    assert done.commit == repository.branches["main"]
    assert done.bytes == sum(map(len, contents(saved).values()))
    assert repository.private
    assert repository.messages == ["initial commit", "First"]
    files = dict(repository.files())
    assert {name: files[name] for name in contents(saved)} == contents(saved)
    assert {*files} - {*contents(saved)} == {".gitattributes", "README.md"}
    assert {*done.files} == {*files} - {".gitattributes"}
    loaded = Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET)
    assert loaded.tag(TEXTS) == tagger.tag(TEXTS)
    assert type(loaded) is Tagger


def test_only_the_two_files_of_the_model_are_pushed(hub, saved):
    (saved / ".env").write_text("secret")
    (saved / "train.log").write_text("log")
    (saved / "arrays-0000000000000000.safetensors").write_bytes(b"of an unfinished save")
    done = push(saved, Place("ann/bills"), progress=False)
    manifest = json.loads((saved / "model.json").read_text())
    assert {*done.files} == {"model.json", "README.md", *manifest["files"]}
    assert {*hub.repositories["ann/bills"].files()} == {".gitattributes", *done.files}


def test_a_second_push_is_one_commit_that_removes_the_old_arrays(hub, pushed, tagger, other):
    files = dict(pushed.files()) | {"notes.txt": b"of the owner", "arrays.safetensors": b"of format 1"}
    pushed.commit("main", files)
    n_commits = len(pushed.commits)
    other.push_to_hub("ann/bills", **QUIET)
    assert len(pushed.commits) == n_commits + 1
    names = {*pushed.files()}
    assert "notes.txt" in names
    listed = json.loads(pushed.files()["model.json"])["files"]
    assert {name for name in names if name.startswith("arrays")} == {*listed}
    again = other.push_to_hub("ann/bills", **QUIET)
    assert len(pushed.commits) == n_commits + 1
    assert again.commit == pushed.branches["main"]


def test_a_token_without_the_right_to_create_is_enough_for_an_existing_repository(hub, tagger):
    hub.add("club/bills")
    assert tagger.push_to_hub("club/bills", **QUIET).repo_id == "club/bills"
    assert "/api/repos/create" not in hub.paths("POST")
    with pytest.raises(HubError, match="does not permit the access to club/other"):
        tagger.push_to_hub("club/other", **QUIET)


def test_private_refuses_a_public_repository(hub, pushed, tagger):
    with pytest.raises(HubError, match="ann/bills is public, but private is True"):
        tagger.push_to_hub("ann/bills", private=True, **QUIET)
    assert len(pushed.commits) == 2
    hub.add("ann/secret", private=True)
    assert tagger.push_to_hub("ann/secret", private=True, **QUIET).files


def test_revisions(hub, pushed, tagger, other, tmp_path):
    done = other.push_to_hub("ann/bills", revision="next", **QUIET)
    other.push_to_hub("ann/bills", revision="next", message="again", **QUIET)
    assert pushed.branches["next"] == done.commit != pushed.branches["main"]
    for revision, owner in (("next", other), (done.commit, other), ("main", tagger), (None, tagger)):
        settings = {"cache_dir": tmp_path / "cache", "revision": revision}
        assert Tagger.from_pretrained("ann/bills", **settings, **QUIET).tag(TEXTS[:2]) == owner.tag(TEXTS[:2])
    pull(Place("ann/bills", "next"), tmp_path / "out", progress=False)
    assert Tagger.load(tmp_path / "out").tag(TEXTS[:2]) == other.tag(TEXTS[:2])


def test_the_card_of_the_repository_can_stay(hub, pushed, tagger, other):
    pushed.commit("main", {**pushed.files(), "README.md": b"mine"})
    done = other.push_to_hub("ann/bills", card=False, **QUIET)
    assert pushed.files()["README.md"] == b"mine"
    assert "README.md" not in done.files
    tagger.push_to_hub("ann/bills", card="# Ours\n", **QUIET)
    assert pushed.files()["README.md"] == b"# Ours\n"


def test_an_invalid_model_is_refused_without_a_request(hub, saved):
    arrays = next(saved.glob("arrays-*"))
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"\0")
    for directory in (saved, saved / "no", saved.parent):
        with pytest.raises(ModelFileError):
            push(directory, Place("ann/bills"), progress=False)
    assert hub.requests == []


def test_the_cache_is_used_without_requests(hub, pushed, tagger, tmp_path):
    cache = tmp_path / "cache"
    with pytest.raises(HubError, match="ann/bills is not in the local cache"):
        Tagger.from_pretrained("ann/bills", cache_dir=cache, local_files_only=True, **QUIET)
    assert hub.requests == []
    Tagger.from_pretrained("ann/bills", cache_dir=cache, **QUIET)
    assert len([path for path in hub.paths("GET") if "/cdn/" in path]) == 1
    Tagger.from_pretrained("ann/bills", cache_dir=cache, **QUIET)
    assert len([path for path in hub.paths("GET") if "/cdn/" in path]) == 1
    hub.requests.clear()
    loaded = Tagger.from_pretrained("ann/bills", cache_dir=cache, local_files_only=True, **QUIET)
    assert hub.requests == []
    assert loaded.tag(TEXTS) == tagger.tag(TEXTS)


def test_a_directory_has_priority(hub, saved, tagger, monkeypatch):
    monkeypatch.chdir(saved.parent)
    for given in (saved, str(saved), "saved"):
        assert Tagger.from_pretrained(given).tag(TEXTS) == tagger.tag(TEXTS)
    assert hub.requests == []
    with pytest.raises(InputError, match="revision is 'v1', but saved is a directory"):
        Tagger.from_pretrained("saved", revision="v1")
    for given in (Path("ann/bills"), "a/b/c", "no such--model"):
        with pytest.raises(InputError, match="neither a directory nor a repository id"):
            Tagger.from_pretrained(given)
    with pytest.raises(ModelFileError, match=r"holds no model\.json"):
        Tagger.from_pretrained(".")


def test_another_class_of_model_is_refused(hub, tmp_path):
    X, Y = np.eye(6, dtype=np.float32), np.eye(6, dtype=np.float32)
    XRLinear().fit(X, Y).save(tmp_path / "bare")
    push(tmp_path / "bare", Place("ann/bare"), progress=False)
    with pytest.raises(ModelFileError, match="contains a XRLinear, not a Tagger"):
        Tagger.from_pretrained("ann/bare", cache_dir=tmp_path / "cache", **QUIET)
    card = hub.repositories["ann/bare"].files()["README.md"].decode()
    assert "Tagger.from_pretrained" not in card
    assert "ramify pull ann/bare --out model" in card


def test_a_pull_writes_the_two_files(hub, pushed, saved, tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "new", tmp_path / "a" / "b", tmp_path / "empty"):
        assert pull(Place("ann/bills"), out, progress=False) == out
        assert contents(out) == contents(saved)
        assert out.stat().st_mode == saved.stat().st_mode
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_existing_target_is_kept_without_force(hub, pushed, tagger, other, tmp_path):
    out = tmp_path / "out"
    other.save(out)
    before = contents(out)
    with pytest.raises(InputError, match="holds a model: choose another directory, or replace it with --force"):
        pull(Place("ann/bills"), out)
    assert contents(out) == before
    assert hub.requests == []
    pull(Place("ann/bills"), out, force=True, progress=False)
    assert Tagger.load(out).tag(TEXTS) == tagger.tag(TEXTS)
    assert len(contents(out)) == 2
    (out / "notes.txt").write_text("mine")
    hub.requests.clear()
    with pytest.raises(InputError, match=r"other files \('notes.txt'\)"):
        pull(Place("ann/bills"), out, force=True)
    assert hub.requests == []


@pytest.mark.parametrize("pulls", [False, True])
def test_both_files_come_from_one_commit(hub, pushed, tagger, other, saved, tmp_path, pulls):
    other.save(tmp_path / "other")

    def push_meanwhile():  # the manifest is downloaded, the arrays are not
        hub.before_content = lambda: None
        pushed.commit("main", contents(tmp_path / "other"))

    hub.before_content = push_meanwhile
    if pulls:
        pull(Place("ann/bills"), tmp_path / "out", progress=False)
        assert contents(tmp_path / "out") == contents(saved)
    else:
        loaded = Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET)
        assert loaded.tag(TEXTS) == tagger.tag(TEXTS)


def damaged(repository, change):
    files = dict(repository.files())
    name = next(name for name in files if name.startswith("arrays"))
    repository.commit("main", files | change(name, files))


def test_damaged_files_are_not_put_in_place(hub, pushed, other, tmp_path):
    other.save(tmp_path / "out")
    before = contents(tmp_path / "out")
    damaged(pushed, lambda name, files: {name: files[name][:-1] + b"\0"})
    for out in (tmp_path / "new", tmp_path / "out"):
        with pytest.raises(HubError, match="the files of ann/bills do not match the checksums"):
            pull(Place("ann/bills"), out, force=True, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert contents(tmp_path / "out") == before
    with pytest.raises(ModelFileError, match="was changed after it was saved"):
        Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET)


def test_a_newer_format_is_refused_before_the_arrays_are_downloaded(hub, pushed, tmp_path):
    def newer(name, files):
        return {"model.json": json.dumps(json.loads(files["model.json"]) | {"format": 999}).encode()}

    damaged(pushed, newer)
    for load in (
        lambda: pull(Place("ann/bills"), tmp_path / "new", progress=False),
        lambda: Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET),
    ):
        with pytest.raises(ModelFileError, match=r"ann/bills/model.json has model format 999, .*: upgrade ramify"):
            load()
    assert not any("cdn" in path for path in hub.paths("GET"))
    assert not (tmp_path / "new").exists()


def test_a_manifest_cannot_name_another_file(hub, pushed, tmp_path):
    def elsewhere(name, files):
        body = json.loads(files["model.json"])
        return {"model.json": json.dumps(body | {"files": {"../../x": body["files"][name]}}).encode()}

    damaged(pushed, elsewhere)
    with pytest.raises(ModelFileError):
        pull(Place("ann/bills"), tmp_path / "new", progress=False)
    assert not any("cdn" in path for path in hub.paths("GET"))


def test_classes_of_the_user(hub, tmp_path):
    tagger = Tagger(vectorizer=OwnVectorizer()).fit(TEXTS, LABELS)
    tagger.push_to_hub("ann/own", **QUIET)
    settings = {"cache_dir": tmp_path / "cache", **QUIET}
    assert Tagger.from_pretrained("ann/own", parts=[OwnVectorizer], **settings).tag(TEXTS) == tagger.tag(TEXTS)
    with pytest.raises(ModelFileError, match="OwnVectorizer"):
        Tagger.from_pretrained("ann/own", **settings)
    pull(Place("ann/own"), tmp_path / "out", progress=False)
    with pytest.raises(ModelFileError, match="OwnVectorizer"):
        push(tmp_path / "out", Place("ann/own"), progress=False)
    push(tmp_path / "out", Place("ann/own"), card=False, progress=False)


def test_import_ramify_leaves_the_hub_out_and_a_missing_extra_is_named(tmp_path):
    code = (
        "import sys, ramify\n"
        "from ramify import Tagger\n"
        "assert not {'huggingface_hub', 'ramify.hub'} & sys.modules.keys()\n"
        "sys.modules['huggingface_hub'] = None\n"
        "try:\n    Tagger.from_pretrained('ann/bills')\n"
        "except ramify.MissingExtraError as error:\n    print(error)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(ramify.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == 'models on a hub need an optional dependency: pip install "ramify[hub]"\n'
