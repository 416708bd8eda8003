"""ramify push and ramify pull, against a local server."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import termios
import threading

import pytest
from cli_tools import Terminal, ramify_process

pytest.importorskip("huggingface_hub", reason="needs the extra hub")
pytest.importorskip("jinja2", reason="needs the extra hub")

from hub_server import READ_TOKEN, WRITE_TOKEN


@pytest.fixture
def pushed(hub, call, model):
    assert call("push", model, "ann/bills", "-q").code == 0
    return hub.repositories["ann/bills"]


def test_push_and_pull(hub, call, model, documents, tmp_path):
    done = call("push", model, "bills", "--private", "--license", "mit", "--message", "First")
    repository = hub.repositories["ann/bills"]
    assert (done.code, done.out) == (0, f"{hub.url}/ann/bills\n")
    assert done.err.startswith("pushed model.json, arrays-")
    assert repository.private
    assert repository.messages[-1] == "First"
    assert "license: mit" in repository.files()["README.md"].decode()
    out = tmp_path / "out"
    done = call("pull", "ann/bills", "--out", out)
    assert (done.code, done.out) == (0, f"{out}\n")
    assert done.err.startswith("pulled ann/bills (")
    query = ("river lake", "-k", 2)
    assert call("predict", out, *query).out == call("predict", model, *query).out


def test_json_and_quiet(hub, call, model, tmp_path):
    done = call("push", model, "ann/bills", "--json", "-q")
    facts = json.loads(done.out)
    assert done.err == ""
    assert facts["url"] == f"{hub.url}/ann/bills"
    assert facts["commit"] == hub.repositories["ann/bills"].branches["main"]
    facts = json.loads(call("pull", "ann/bills", "--out", tmp_path / "out", "--json").out)
    assert facts["directory"] == str(tmp_path / "out")
    assert facts["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())


def test_measures_of_documents_and_of_a_report(hub, call, model, documents, tmp_path):
    assert call("push", model, "ann/a", "--test", documents, "-q").code == 0
    card = hub.repositories["ann/a"].files()["README.md"].decode()
    assert "Measured on 60 documents (all.jsonl)" in card
    assert "95% intervals" in card
    report = tmp_path / "report.json"
    report.write_text(call("evaluate", model, documents, "--bootstrap", 1000, "--json", "-q").out)
    named = ("--report", report, "--data-name", "Topics")
    assert call("push", model, "ann/b", *named, "-q").code == 0
    other = hub.repositories["ann/b"].files()["README.md"].decode()
    assert other == card.replace("ann/a", "ann/b").replace("name: a\n", "name: b\n").replace("# a\n", "# b\n").replace(
        "all.jsonl", "Topics"
    )


def test_no_card_leaves_that_of_the_repository(hub, call, model, pushed):
    pushed.commit("main", {**pushed.files(), "README.md": b"mine"})
    assert call("push", model, "ann/bills", "--no-card", "--revision", "next", "-q").code == 0
    assert pushed.files("next")["README.md"] == b"mine"


def test_the_token_is_read_from_a_file(hub, call, refused, model, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "write").write_text(WRITE_TOKEN + "\n")
    (tmp_path / "read").write_text(READ_TOKEN)
    assert call("push", model, "ann/bills", "--private", "--token-file", tmp_path / "write", "-q").code == 0
    assert "has no repository ann/bills" in refused("pull", "ann/bills", "--out", tmp_path / "out")
    assert call("pull", "ann/bills", "--out", tmp_path / "out", "--token-file", tmp_path / "read", "-q").code == 0
    assert "does not permit" in refused("push", model, "ann/c", "--token-file", tmp_path / "read", "-q")
    assert "no: cannot be read" in refused("push", model, "ann/c", "--token-file", tmp_path / "no")


def test_force_replaces_a_model(hub, call, refused, model, pushed, tmp_path):
    out = tmp_path / "out"
    assert call("pull", "ann/bills", "--out", out, "-q").code == 0
    assert "holds a model" in refused("pull", "ann/bills", "--out", out)
    assert call("pull", "ann/bills", "--out", out, "--force", "-q").code == 0
    assert "holds a model" not in refused("pull", "ann/bills", "--out", tmp_path)
    (tmp_path / "file").write_text("")
    assert "is a file" in refused("pull", "ann/bills", "--out", tmp_path / "file", "--force")


def test_mistakes_get_one_sentence(hub, refused, model, documents, tmp_path):
    report = ("--report", documents)
    assert "is 'a/b/c', but must be" in refused("push", model, "a/b/c")
    assert "is 'a/b/c', but must be" in refused("pull", "a/b/c", "--out", tmp_path / "out")
    assert "--test and --report" in refused("push", model, "ann/b", *report, "--test", documents)
    assert "--report is for the card" in refused("push", model, "ann/b", *report, "--no-card")
    assert "is not JSON" in refused("push", model, "ann/b", *report, "-q")
    assert "does not exist" in refused("push", tmp_path / "no", "ann/b")
    assert "has refused the files" in refused("push", model, "ann/b", "--license", "mine", "-q")
    assert "ann/none" in refused("pull", "ann/none", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_pull_leaves_nothing(hub, pushed, tmp_path, number):
    held, go = threading.Event(), threading.Event()
    hub.before_content = lambda: (held.set(), go.wait(60))
    place = tmp_path / "place"
    place.mkdir()
    process = ramify_process(["pull", "ann/bills", "--out", "out"], place)
    try:
        assert held.wait(60)
        assert [path.name.startswith(".out.pull-") for path in place.iterdir()] == [True]
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        go.set()
        process.kill()
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert "Traceback" not in err
    assert list(place.iterdir()) == []


def test_an_interrupted_push_commits_nothing(hub, model, tmp_path):
    held, go = threading.Event(), threading.Event()
    hub.before_content = lambda: (held.set(), go.wait(60))
    process = ramify_process(["push", model, "ann/bills"], tmp_path)
    try:
        assert held.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        go.set()
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "ramify: interrupted; no partial output is left"
    assert hub.repositories["ann/bills"].messages == ["initial commit"]


def test_progress_is_shown_on_a_terminal(hub, pushed, tmp_path):
    terminal = Terminal()
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = ramify_process(["pull", "ann/bills", "--out", "out"], tmp_path, stderr=terminal.slave)
    terminal.close_slave()
    shown = terminal.read_until(None)
    assert process.wait(60) == 0
    assert "100%" in shown
    os.close(terminal.master)
