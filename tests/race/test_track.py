"""A run is measured, kept and skipped the next time; a contestant that fails or hangs costs the race one row."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from race_tools import BENCHMARKS

from racing import quality, runner, track
from racing.environments import Environment
from racing.matrices import Matrices
from racing.rows import read_rows
from racing.runner import Limits, watch
from racing.systems import System
from racing.track import Race, run_race

CONTESTANT = f"""
import sys, time
sys.path.insert(0, {str(BENCHMARKS / "contestants")!r})
import numpy as np
import contest
contest.LEAST_S = 0

class Fake:
    def data(self, setup): return setup.matrix("X"), setup.matrix("Y")
    def train(self, data, setup):
        if setup.settings.get("broken"): raise ValueError("no luck today")
        time.sleep(setup.settings.get("hangs", 0))
        return np.ones(4_000_000)
    def save(self, model, setup): setup.model.mkdir(); (setup.model / "m").write_bytes(b"12345")
    def load(self, setup): return (setup.model / "m").read_bytes()
    def batch(self, model, X, setup): return lambda: [[(0, .5), (1, .7)]] * X.shape[0]
    def top(self, answer, n): return contest.ranked(answer, n)
    def singles(self, model, X, setup): return {{"single": lambda row: X[row]}}

contest.main(Fake())
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A race over one small data set: ``start(settings, **changes)`` returns the rows after it."""
    cache, script, rows = tmp_path / "cache", tmp_path / "fake.py", tmp_path / "race.jsonl"
    folder = cache / "small"
    folder.mkdir(parents=True)
    Y = sp.csr_matrix(np.eye(12, dtype=np.float32))
    for name in ("X", "Y", "X_test", "Y_test"):
        sp.save_npz(folder / f"{name}.npz", Y)
    script.write_text(CONTESTANT)
    small = Matrices("small", folder, "print", {"documents": 12})
    monkeypatch.setattr(track, "CACHE", cache)
    monkeypatch.setattr(quality, "RESAMPLES", 20)
    monkeypatch.setattr(track, "prepare", lambda dataset, data: small)

    def run(settings=(), *, name="ramify-fake", seconds=60.0, environment=None, **changes):
        race = Race(data=tmp_path, threads=1, limits=Limits(seconds, 1 << 40), rows=rows, **{"runs": 1} | changes)
        run_race(race, ["small"], [System(name, str(script), "1", environment, dict(settings))])
        assert not list(cache.glob("run-*"))  # what a run needed is gone
        return read_rows(rows)

    return run


def test_a_run_leaves_a_row_and_is_skipped_next_time(start):
    (row,) = start()
    assert row["system"] == "ramify-fake"
    assert row["model_bytes"] == 5
    assert row["peak_above_bytes"] > 25e6  # the array that training made
    assert row["train_cpu_s"] < row["own_cpu_s"]
    assert row["single_p50_us"] <= row["single_p99_us"]
    assert row["measures"]["P@1"][0] == pytest.approx(100 / 12, abs=0.01)  # everyone gets label 1
    assert row["measures"]["P@3"][0] == pytest.approx(200 / 36, abs=0.01)
    assert start() == [row]
    assert [one["run"] for one in start(runs=2)] == [1, 2]


def test_a_run_without_answers_is_measured_again_on_request(start, tmp_path):
    (row,) = start()
    assert start(missing_answers=True) == [row]
    for path in tmp_path.rglob("top/*.npz"):
        path.unlink()
    assert start() == [row]
    assert len(start(missing_answers=True)) == 2
    assert len(start(missing_answers=True)) == 2
    failed = start({"broken": True})
    assert start({"broken": True}, missing_answers=True) == failed


def test_another_version_or_setting_is_another_system(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text("main()")
    peer = System("peer", str(script), "1", Environment("peer"))
    others = [replace(peer, version="2"), replace(peer, settings={"trees": 3}), replace(peer, environment=None)]
    assert len({one.identity() for one in (peer, *others)}) == 4
    before = peer.identity()
    script.write_text("# a remark\nmain( )")
    assert peer.identity() == before
    script.write_text("main(2)")
    assert peer.identity() != before


def test_a_failure_is_told_by_its_last_words(start):
    (row,) = start({"broken": True})
    assert row["failed"] == "train: exit status 1: ValueError: no luck today"
    assert start({"broken": True}, runs=3) == [row]


def test_a_run_that_hangs_is_ended(start):
    began = time.monotonic()
    (row,) = start({"hangs": 60}, seconds=1.5)
    assert row["failed"] == "train: not finished after 2 s"
    assert time.monotonic() - began < 20


def test_an_environment_that_cannot_be_made_is_a_failure(start, monkeypatch):
    monkeypatch.setattr(Environment, "folder", property(lambda self: BENCHMARKS / "race.py" / "no folder"))
    (row,) = start(name="peer", environment=Environment("peer", requirements=("nothing",)))
    assert row["failed"].startswith("cannot be installed: ")


def test_ours_are_compared_with_peers(start, monkeypatch):
    monkeypatch.setattr(System, "python", lambda self: sys.executable)
    start()
    rows = start(name="peer", environment=Environment("peer"))
    (pair,) = [row for row in rows if row["kind"] == "paired"]
    assert (pair["system"], pair["peer"]) == ("ramify-fake", "peer")
    assert pair["measures"]["P@1"] == [0.0, 0.0, 0.0, 1.0]
    assert start() == rows


def test_a_limit_ends_the_whole_group(tmp_path):
    pid_file = tmp_path / "pid"
    program = f"sleep 60 & echo $! > {pid_file}; wait"
    outcome = watch(["bash", "-c", program], dict(os.environ), tmp_path / "log", Limits(1.0, 1 << 40))
    assert outcome.failed == "not finished after 1 s"
    assert _is_gone(int(pid_file.read_text()))


def test_an_interrupt_ends_the_whole_group(tmp_path, monkeypatch):
    pid_file = tmp_path / "pid"

    def interrupt(pid, elapsed, limits):
        if pid_file.exists() and pid_file.read_text().endswith("\n"):
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_beyond", interrupt)
    program = f"sleep 60 & echo $! > {pid_file}; wait"
    with pytest.raises(KeyboardInterrupt):
        watch(["bash", "-c", program], dict(os.environ), tmp_path / "log", Limits(1.0, 1 << 40))
    assert _is_gone(int(pid_file.read_text()))


def test_a_limit_of_memory(tmp_path):
    program = "import time; data = bytearray(300_000_000); time.sleep(60)"
    outcome = watch([sys.executable, "-c", program], dict(os.environ), tmp_path / "log", Limits(30.0, 200_000_000))
    assert outcome.failed == "needs more than 0.2 GB of memory"


def test_own_and_others_cpu_are_told_apart(tmp_path):
    program = "import time\nwhile time.process_time() < 0.5: pass"
    outcome = watch([sys.executable, "-c", program], dict(os.environ), tmp_path / "log", Limits(30.0, 1 << 40))
    assert outcome.failed is None
    assert 0.5 <= outcome.own_cpu_s < 1.5
    assert outcome.others_cpu_s >= 0


def _is_gone(pid: int) -> bool:
    """Whether a process ended, within five seconds; a zombie that its new parent has not yet buried counts."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
