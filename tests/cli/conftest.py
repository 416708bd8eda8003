from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ramify.cli.entry import run

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}


def write_documents(path: Path, n: int = 60) -> Path:
    """Documents whose labels are plain from their words."""
    topics = list(TOPICS.items())
    lines = []
    for number in range(n):
        (name, words), (other, more) = topics[number % 3], topics[(number // 3) % 3]
        text = f"{words} {more.split()[number % 4]}"
        lines.append(json.dumps({"id": number, "text": text, "labels": sorted({name, f"{name} {other}"})}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("documents") / "all.jsonl")


@pytest.fixture(scope="session")
def model(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "model"
    assert run(["train", str(documents), "--out", str(directory), "--threads", "1", "-q", "--json"]) == 0
    return directory


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimpleNamespace]:
    """Run a command line in this process: code, out, err."""

    def call(*arguments: object, stdin: str = "") -> SimpleNamespace:
        stream = SimpleNamespace(buffer=io.BytesIO(stdin.encode()), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def refused(call: Callable[..., SimpleNamespace]) -> Callable[..., str]:
    """Run a command line that must be refused: exit 2, one sentence on stderr, nothing on stdout."""

    def refused(*arguments: object, stdin: str = "") -> str:
        done = call(*arguments, stdin=stdin)
        assert done.code == 2
        assert done.out == ""
        lines = done.err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("ramify: ")
        assert "Traceback" not in done.err
        return lines[0]

    return refused
