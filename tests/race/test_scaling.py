"""The study of many workers: which trainings are due, faults after some tasks, equal models, the section."""

import json
import sys
from dataclasses import replace

import pytest

import scaling
from contestants.run_scaling import FAULT_AFTER, Faulty
from racing import scale_tables
from racing.matrices import Matrices
from racing.runner import Outcome
from racing.scale_tables import scale_section
from ramify.scale import SerialExecutor

MATRICES = Matrices("toy", None, "print", {"labels": 4, "documents": 9, "positives": 12})
FOUND = {"start_s": 0.5, "fit_s": 1.5, "driver_cpu_s": 0.1, "model": "same"}
DONE = Outcome(None, 2.0, 0.0, 2.0)


@pytest.fixture
def rows(tmp_path, monkeypatch):
    path = tmp_path / "scale.jsonl"
    monkeypatch.setattr(scaling, "SCALE", path)
    monkeypatch.setattr(scale_tables, "SCALE", path)
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def study(rows, monkeypatch):
    """Call the command with trainings that are not run; the specification of each."""
    calls = []

    def process(matrices, work, asked, limits):
        calls.append((asked["system"], asked["workers"], asked["fault"]))
        (work / "costs.json").write_text(json.dumps(FOUND))
        return study.outcome

    def study(*words):
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["scaling.py", *words, "--sets", "toy"])
        scaling.main()
        return list(calls)

    study.outcome = DONE
    monkeypatch.setattr(scaling, "_process", process)
    monkeypatch.setattr(scaling, "prepare", lambda name, data: MATRICES)
    return study


def test_trainings_that_are_there_are_skipped(study, rows):
    assert study("run", "--systems", "threads", "ray", "--workers", "1", "2") == [
        (system, workers, None) for system in ("threads", "ray") for workers in (1, 2)
    ]
    assert study("run", "--systems", "threads", "--workers", "1", "2", "4") == [("threads", 4, None)]
    assert len(rows()) == 5


def test_failed_trainings_and_with_quiet_only_busy_ones_are_due_again(study, rows):
    study.outcome = replace(DONE, failed="not finished after 1 s")
    study("plan")
    study.outcome = replace(DONE, others_cpu_s=2.0)
    assert study("plan") == [("plan", 1, None)]
    assert study("plan") == []
    assert study("plan", "--quiet-only") == [("plan", 1, None)]
    assert [row.get("failed") for row in rows()] == ["not finished after 1 s", None, None]


def test_a_killed_driver_begins_a_second_time(study, rows):
    assert study("faults", "--systems", "processes") == [
        ("processes", 2, "worker-killed"),
        *[("processes", 2, "driver-killed")] * 2,
    ]
    assert rows()[-1]["own_cpu_s"] == 4.0


def test_a_fault_happens_once_after_some_tasks():
    faults = []
    executor = Faulty(SerialExecutor(), faults.append)
    tasks = [executor.submit(abs, -number) for number in range(3 * FAULT_AFTER)]
    found = []
    for task in executor.as_completed(tasks):
        assert len(faults) == (len(found) + 1 >= FAULT_AFTER)
        found.append(task.result())
    assert sorted(found) == list(range(3 * FAULT_AFTER))
    assert faults == [executor.executor]


def test_the_section_compares_times_with_threads_and_models_with_one_thread(rows, tmp_path):
    assert scale_section() == ""
    head = {"dataset": "toy", "fault": None, "shape": MATRICES.shape}
    more = {"tasks": 16, "resumed": 0, "worker_peak_mb": 150.0}
    plan = {"bytes_per_machine": 2e6, "bytes_moved": 3e6, "memory_per_machine": 4e6, "hours": 0.01}
    known = [
        head | {"kind": "scale", "system": "threads", "workers": 1} | FOUND,
        head | {"kind": "scale", "system": "threads", "workers": 2} | FOUND,
        head | {"kind": "scale", "system": "ray", "workers": 2} | FOUND | more | {"fit_s": 2.5, "busy": True},
        head | {"kind": "scale", "system": "ray", "workers": 4, "failed": "too slow"},
        head
        | {"kind": "scale-fault", "system": "ray", "workers": 2, "fault": "machine-removed"}
        | FOUND
        | more
        | {"model": "other"},
        head | {"kind": "plan", "system": "plan", "workers": 1} | plan,
        {"kind": "memory-limit", "dataset": "toy", "limit": 4e9, "equal": True}
        | {"limited": {"seconds": 5.0, "peak_mb": {"start": 1, "train": 2000}}}
        | {"in_memory": {"seconds": 4.0, "peak_mb": {"train": 7000}}},
        {"kind": "tfidf-shards", "dataset": "toy", "shards": 8, "shape": [9, 5], "equal": True}
        | {"seconds": {"whole": 1.0, "shards": 2.0}},
    ]
    (tmp_path / "scale.jsonl").write_text("".join(json.dumps(row) + "\n" for row in known))
    section = scale_section()
    assert "| toy | 2 | ray \\* | 0.500 | 2.50 | 1.50 | 16 | 150 | yes |" in section
    assert "ray: too slow" in section
    assert "| toy | ray | machine removed | 1.50 | 16 | 0 | NO |" in section
    assert "| toy | 4 | 9 | 12 | 2.00 | 3.00 | 4.00 | 36.0 | 1.50 |" in section
    assert "| toy | 4,000 | 2,000 | 7,000 | 5.00 | 4.00 | yes |" in section
    assert "| toy | 8 | 9 | 5 | 1.00 | 2.00 | yes |" in section
