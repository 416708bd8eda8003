"""What the hub, the network and the disk refuse: one sentence each, from ``ramify.hub``."""

from __future__ import annotations

import errno
import os
import socket
import time

import pytest

pytest.importorskip("huggingface_hub", reason="needs the extra hub")
pytest.importorskip("jinja2", reason="needs the extra hub")

from hub_server import READ_TOKEN
from ramify import HubError, InputError, ModelFileError, Tagger
from ramify.hub import Place, pull

TEXTS = ["river lake rain", "flame smoke heat", "soil stone clay"] * 6
QUIET = {"progress": False}


@pytest.fixture(scope="module")
def tagger():
    return Tagger().fit(TEXTS, [["water"], ["fire"], ["earth", "ground"]] * 6)


@pytest.fixture
def pushed(hub, tagger):
    tagger.push_to_hub("ann/bills", **QUIET)
    return hub.repositories["ann/bills"]


@pytest.fixture
def impatient(monkeypatch):
    """Retries follow at once."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def sentence(action) -> str:
    """The message of the HubError that an action raises: one line, without a token."""
    with pytest.raises(HubError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    assert "hf_" not in text.replace("hf_hub", "")
    return text


def loading(name="ann/bills", **settings):
    return lambda: Tagger.from_pretrained(name, **settings, **QUIET)


def test_downloads_that_the_hub_refuses(hub, pushed, tmp_path, impatient):
    hub.add("ann/bert", {"config.json": b"{}"})
    hub.add("ann/gated", gated=True)
    cache = {"cache_dir": tmp_path / "cache"}
    for get in (
        lambda name, revision=None, token=None: loading(name, revision=revision, token=token, **cache),
        lambda name, revision=None, token=None: (
            lambda: pull(Place(name, revision, token), tmp_path / "new", progress=False)
        ),
    ):
        assert "has no repository ann/none that this token may read" in sentence(get("ann/none"))
        assert "ann/bills has no revision 'v9'" in sentence(get("ann/bills", "v9"))
        assert "ann/bert holds no ramify model at 'main'" in sentence(get("ann/bert"))
        assert "access to ann/gated must be granted first" in sentence(get("ann/gated"))
        assert "has refused the access token" in sentence(get("ann/bills", None, "hf_wrong"))
        hub.failures.append(("/(api/models|resolve)/", 500))
        hub.failures.append(("/ann/bills/resolve/", 500))
        assert "out of order (status 500): try again later" in sentence(get("ann/bills"))
        hub.failures.clear()
    assert not (tmp_path / "new").exists()


def test_uploads_that_the_hub_refuses(hub, pushed, tagger, monkeypatch):
    def pushing(name="ann/bills", **settings):
        return lambda: tagger.push_to_hub(name, **settings, **QUIET)

    assert "does not permit the access to ann/bills" in sentence(pushing(token=READ_TOKEN, message="m", card="changed"))
    assert "has refused the access token" in sentence(pushing(token="hf_wrong"))
    refused = sentence(pushing(license="own"))
    assert '"license" must be one of [apache-2.0' in refused
    assert refused.endswith("check license and card")
    hub.failures.append(("commit/main", 400))
    assert "has refused the request for ann/bills" in sentence(pushing(card="# New"))
    hub.failures.clear()
    hub.add("ann/gated", gated=True)
    assert "access to ann/gated must be granted first" in sentence(pushing("ann/gated"))
    monkeypatch.delenv("HF_TOKEN")
    assert "access token" in sentence(pushing("bills"))
    assert "has refused the access token, or none was given" in sentence(pushing("ann/new"))
    assert len(pushed.commits) == 2


def test_no_network(hub, pushed, tagger, tmp_path, monkeypatch, impatient):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET)
    monkeypatch.setenv("HF_ENDPOINT", address + "/")
    for action in (
        loading(cache_dir=tmp_path / "empty"),
        lambda: pull(Place("ann/bills"), tmp_path / "new", progress=False),
        lambda: tagger.push_to_hub("ann/bills", **QUIET),
    ):
        assert f"{address} cannot be reached" in sentence(action)
    cached = Tagger.from_pretrained("ann/bills", cache_dir=tmp_path / "cache", **QUIET)
    assert cached.tag(TEXTS) == tagger.tag(TEXTS)


def test_a_server_that_is_no_hub(hub, pushed, tmp_path, monkeypatch, impatient):
    hub.is_hub = False
    for action in (
        loading(cache_dir=tmp_path / "cache"),
        lambda: pull(Place("ann/bills"), tmp_path / "new", progress=False),
    ):
        assert f"{hub.url} does not answer as a hub" in sentence(action)
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/elsewhere")
    assert "has refused the request for ann/bills" in sentence(loading(cache_dir=tmp_path / "cache"))


def test_malformed_arguments(tagger, tmp_path):
    for name in ("", "a/b/c", "ann/b c", "-x", "ann/x--y", "a" * 97, "ann/x.git", 7, None):
        with pytest.raises(InputError, match="the repository id is"):
            Place(name)
    for revision in ("", "a b", "a\n", 3):
        with pytest.raises(InputError, match="the revision is"):
            Place("ann/bills", revision)
    for token in ("", "hf_a\nb", "hf_\u00e9", 3):
        with pytest.raises(InputError, match="the token is empty or has characters") as caught:
            Place("ann/bills", token=token)
        assert "hf_" not in str(caught.value)
    assert "hf_secret" not in repr(Place("ann/bills", token="hf_secret"))
    for wrong, words in (
        ({"card": 3}, "card is 3"),
        ({"message": " "}, "message is ' '"),
        ({"license": ""}, "license is ''"),
        ({"report": {}}, "report is {}"),
        ({"test_data": 3}, "test_data is 3"),
    ):
        with pytest.raises(InputError, match=words):
            tagger.push_to_hub("ann/bills", **wrong)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_cannot_be_written(hub, pushed, tmp_path, monkeypatch, code):
    from huggingface_hub import HfApi

    def fails(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(HfApi, "hf_hub_download", fails)
    for action in (lambda: pull(Place("ann/bills"), tmp_path / "new", progress=False), loading()):
        with pytest.raises(ModelFileError, match=f"cannot save the model to .*: {os.strerror(code)}"):
            action()
    assert not (tmp_path / "new").exists()
