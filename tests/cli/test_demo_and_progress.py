"""The demo on small data; progress and conversation on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from cli_tools import SOURCE, Terminal, demo_script, ramify_process

import ramify.demo
from ramify import read
from ramify.cli.stages import Stages
from ramify.data import split_label_aware
from ramify.demo.contest import one_vs_rest


@pytest.fixture
def small_demo(documents, monkeypatch):
    parts = split_label_aware(read(documents), 0.3)
    monkeypatch.setattr(ramify.demo, "demo_dataset", lambda **_: parts)
    return parts


def test_demo_measures_three_methods_shows_documents_and_answers(call, small_demo, tmp_path):
    done = call("demo", "--ask", "river lake", "--ask", "zzz", "--show", 2, "--out", tmp_path / "m", "-k", 2)
    assert done.code == 0
    for words in ("most popular labels", "one-vs-rest LinearSVC", "ramify", "predicted", "ask> river lake"):
        assert words in done.out
    assert done.out.count("predicted") == 2
    assert "stopped" not in done.out
    assert "no word of this is known" in done.out
    assert call("predict", tmp_path / "m", "--plain", "-k", 1, stdin="river lake\n").code == 0


def test_demo_as_json(call, small_demo):
    done = call("demo", "--json", "--ask", "smoke heat", "--rival-seconds", 0)
    found = json.loads(done.out)
    names = [method["name"] for method in found["methods"]]
    assert names == ["most popular labels", "ramify"]
    popular, own = (method["values"]["P@1"] for method in found["methods"])
    assert own > popular
    assert found["answers"]["smoke heat"][0][0].startswith("fire")
    assert done.err == ""


def test_one_vs_rest_is_scikit_learns_and_obeys_its_time(documents):
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    from ramify import Tfidf

    data = read(documents)
    X = Tfidf(threads=1).fit_transform(data.texts)
    scores, order, _ = one_vs_rest(X, data.Y, X, 60.0, Stages(quiet=True))
    truth = OneVsRestClassifier(LinearSVC(random_state=0)).fit(X, data.Y[:, order]).decision_function(X)
    np.testing.assert_allclose(scores, truth, rtol=1e-4, atol=1e-5)
    counts = np.asarray(data.Y.sum(axis=0)).ravel()[order]
    assert (np.diff(counts) <= 0).all()
    assert one_vs_rest(X, data.Y, X, 1e-9, Stages(quiet=True))[0].shape[1] == 1


def on_a_terminal(arguments, cwd):
    """What a user sees: output and error of a process whose streams are a terminal."""
    terminal = Terminal()
    process = ramify_process(arguments, cwd, stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave)
    terminal.close_slave()
    seen = terminal.read_until(None)
    assert process.wait(timeout=10) == 0
    return seen


def test_progress_is_shown_on_a_terminal_unless_quiet(documents, tmp_path):
    seen = on_a_terminal(["train", documents, "--out", "m"], tmp_path)
    assert "features" in seen
    assert "100%" in seen
    assert "saved in m" in seen
    seen = on_a_terminal(["train", documents, "--out", "m", "-q"], tmp_path)
    assert "100%" not in seen
    assert "saved in m" in seen


def test_the_demo_converses_until_an_empty_line(documents, tmp_path):
    script = demo_script(tmp_path, documents)
    terminal = Terminal()
    os.write(terminal.master, b"river lake\nsmoke burn\n\n")
    process = subprocess.run(
        [sys.executable, str(script)],
        stdin=terminal.slave,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.count("ask> ") == 3
    assert process.stdout.index("  water") < process.stdout.index("  fire")
