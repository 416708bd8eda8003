"""``ramify predict --memory``: the answers of the whole model, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ramify.scale import divided


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model with clusters, and its documents."""
    from ramify.cli.entry import run

    folder = tmp_path_factory.mktemp("clusters")
    documents = [
        {"id": number, "text": f"word{number % 150} more{number % 7}", "labels": [f"label {number % 150}"]}
        for number in range(450)
    ]
    (folder / "many.jsonl").write_text("\n".join(map(json.dumps, documents)), "utf-8")
    words = ["train", folder / "many.jsonl", "--out", folder / "model", "-q", "--max-leaf", 4, "--set", "branching=4"]
    assert run([str(word) for word in words]) == 0
    return folder / "model", folder / "many.jsonl"


@pytest.mark.parametrize(
    "options",
    [(), ("-k", 30, "--beam", 3, "--batch", 50), ("--decide", "micro-f1"), ("--why", "--batch", 450)],
    ids=str,
)
def test_the_answers_are_those_of_the_whole_model(call, trained, monkeypatch, options):
    model, documents = trained
    whole = call("predict", model, documents, *options)
    assert whole.code == 0 and whole.out
    monkeypatch.setattr(divided, "used_memory", lambda: 0)  # otherwise the limit is too small
    monkeypatch.setattr(divided, "batch_bytes", lambda *_, **__: 0)
    small = sum(file.stat().st_size for file in model.iterdir())  # half of the leaves at a time
    parts = call("predict", model, documents, "--memory", f"{small / 1000:.3f}KB", *options)
    assert parts.code == 0, parts.err
    assert parts.out == whole.out
    assert "the weights are read in " in parts.err and "a larger --batch reads them less often" in parts.err


def test_a_model_that_fits_is_read_as_a_whole(call, trained):
    model, documents = trained
    done = call("predict", model, documents, "--memory", "100GB")
    assert done.code == 0 and done.out == call("predict", model, documents).out
    assert "parts" not in done.err


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("much", "--memory is 'much', but must be a size such as 4GB or 500MB"),
        ("0GB", "--memory is '0GB', but must be a size"),
        ("1MB", "the limit of memory (--memory) is 1 MB, but the model needs about"),
    ],
)
def test_bad_limits(refused, trained, size, words):
    model, documents = trained
    assert words in refused("predict", model, documents, "--memory", size)


def test_a_batch_that_exceeds_the_limit_is_named(refused, trained):
    model, documents = trained
    sentence = refused("predict", model, documents, "--memory", "1GB", "--batch", 100_000, "-k", 100)
    assert "raise the limit (7,030 MB for a batch), or use a smaller --batch or -k" in sentence
    sentence = refused("predict", model, documents, "--memory", "1GB", "--why")
    assert "or use a smaller --batch or -k" in sentence
