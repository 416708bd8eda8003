"""Settings of all tests."""

import socket

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine must not make a test fail
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """Directory of a small encoder with random weights."""
    from tiny_encoder import save_tiny_encoder

    words = "river lake rain flood flame smoke heat burn soil stone clay sand water fire earth a bill to the"
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny", [words])


@pytest.fixture(scope="session")
def fruit_model(tmp_path_factory):
    """Directory of a generator that proposes the labels in ``fruit_documents.LEFT_OUT``."""
    pytest.importorskip("torch", reason="needs the extra torch")
    from fruit_documents import save_fruit_model

    return save_fruit_model(tmp_path_factory.mktemp("fruit"))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A local hub, to which all requests of ``ramify.hub`` go, with the token of its user "ann"."""
    pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    pytest.importorskip("jinja2", reason="needs the extra hub")
    from huggingface_hub import constants, file_download

    from hub_server import WRITE_TOKEN, Hub

    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub home"))  # of processes that a test starts
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        # These have the environment at the time of the import.
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub cache"))
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server has LFS uploads only
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
        for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(proxy, raising=False)
        resolve = socket.getaddrinfo

        def local(host, *arguments, **settings):
            if host not in ("127.0.0.1", "localhost", b"127.0.0.1", b"localhost"):
                pytest.fail(f"a test asks the network for {host!r}")  # no Exception, so that nothing retries
            return resolve(host, *arguments, **settings)

        monkeypatch.setattr(socket, "getaddrinfo", local)
        yield server
