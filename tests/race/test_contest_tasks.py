"""Tasks of a contestant's script: train, predict with every opening measured, answer under other scoring settings."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from race_tools import BENCHMARKS

sys.path.insert(0, str(BENCHMARKS / "contestants"))
import contest


class Fake:
    """Its answer is the name that it was saved, or set, with."""

    def data(self, setup):
        return setup.matrix("X")

    def train(self, data, setup):
        return setup.settings["name"]

    def save(self, model, setup):
        setup.model.write_text(model)

    def load(self, setup):
        return setup.model.read_text()

    def batch(self, model, X, setup):
        return lambda: [[(len(model), 1.0)]] * X.shape[0]

    def top(self, answer, n):
        return contest.ranked(answer, n)

    def singles(self, model, X, setup):
        return {"single": lambda row: X[row]}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """``call(task, settings)`` runs a task as the command line does and returns its costs."""
    import json

    for name in ("X", "X_test"):
        sp.save_npz(tmp_path / f"{name}.npz", sp.csr_matrix(np.eye(3, dtype=np.float32)))
    monkeypatch.setattr(contest, "LEAST_S", 0)
    opened = []

    def set_scoring(setup):
        setup.model.write_text(setup.settings["name"])

    def load_fast(setup):
        opened.append(setup.model.read_text())

    def run(task, name):
        words = ["run.py", task, str(tmp_path), str(tmp_path), "1", "0", json.dumps({"name": name})]
        monkeypatch.setattr(sys, "argv", words)
        contest.main(Fake(), other_openings={"load_fast": load_fast}, set_scoring=set_scoring)
        return json.loads((tmp_path / "costs.json").read_text())

    run.opened, run.label = opened, lambda: int(np.load(tmp_path / "top.npz")["labels"][0, 0])
    return run


def test_every_opening_is_measured(call):
    assert {"train_cpu_s", "peak_above_bytes"} <= set(call("train", "abc"))
    costs = call("predict", "other settings do not count")
    assert {"load_ms", "load_first_ms", "load_fast_ms", "load_fast_first_ms"} <= set(costs)
    assert call.opened == ["abc"] * contest.LOADS
    assert call.label() == 3


def test_answers_follow_the_scoring_settings(call):
    call("train", "abc")
    assert call("answer", "abcde") == {}
    assert call.label() == 5
