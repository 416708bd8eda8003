"""Settings of all tests."""

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
