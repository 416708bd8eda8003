"""The tables of label sets: latest rows, the usual number of labels, differences, wanted shares, missing labels."""

import json

import pytest

pytest.importorskip("race_tools")
import race_tools  # noqa: F401 - makes the benchmarks importable

from racing import decision_tables

MEASURES = ("microF1", "macroF1", "F1", "microP", "microR", "R", "exact")


def sets(system, rule, value, k=20, **more):
    measures = {name: [value, value - 1, value + 1] for name in MEASURES}
    row = {"kind": "sets", "dataset": "toy", "system": system, "rule": rule, "k": k, "measures": measures, "size": 2.0}
    return row | more


ROWS = [
    sets("ramify", "micro-f1", 1.0),
    sets("ramify", "micro-f1", 50.0),  # measured again
    sets("ramify", "micro-f1", 70.0, k=200),
    sets("ramify", "precision=0.9", 91.0),
    sets("ramify", "coverage=0.8", 79.5, k=200),
    {"kind": "sets", "dataset": "toy", "system": "ramify", "rule": "coverage=0.9", "k": 20, "failed": "no threshold"},
    {"kind": "sets", "dataset": "toy", "system": "ramify", "rule": "", "k": 20, "held_out": 300,
     "errors": {"all": [6.0, 0.5], "head": [7.0, 0.25]}},
    sets("libpecos", "one-micro-f1", 48.0),
    {"kind": "difference", "dataset": "toy", "peer": "libpecos", "measure": "microF1", "rule": "micro-f1", "k": 20,
     "difference": [2.0, 1.0, 3.0], "p": 0.01},
    *({"kind": "hidden", "dataset": "toy", "share": 0.5, "seed": seed, "way": "plain",
       "measures": {f"{name}@{k}": 30.0 + 2 * seed for name in ("P", "PSP") for k in (1, 3, 5)}} for seed in (0, 1)),
    {"kind": "overhead", "dataset": "toy", "rule": "micro-f1", "threads": 1, "k": 20, "tag_us": 100.0,
     "decide_us": 105.0, "predict_topk_us": 10.0, "predict_us": 11.0},
    {"kind": "reasons", "dataset": "toy", "preset": "default", "reason_ms": 0.4567, "named_ms": 1.1},
]  # fmt: skip


@pytest.fixture
def section(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.setattr(decision_tables, "DECISIONS", path)
    return decision_tables.decision_section()


def test_the_latest_row_with_the_usual_number_of_labels_counts(section):
    assert "| ramify, micro-f1 | 50.00 | 50.00 | 50.00 | 50.00 | 50.00 | 2.0 |" in section
    assert "| ramify, micro-f1 | 1.00" not in section
    assert "| ramify, micro-f1 | 70.00" not in section
    assert "| libpecos, one-micro-f1 | 48.00" in section
    assert "precision=0.9 |" not in section


def test_differences_errors_and_wanted_shares(section):
    assert "| toy | libpecos | +2.00 (+1.00 to +3.00), p 0.010 | – | – |" in section
    assert "| toy | ramify | 300 | 20 | 6.00 → 0.50 | 7.00 → 0.25 | – | – |" in section
    assert "| toy | ramify | 20 | precision ≥ 90% | 91.00 (90.00 to 92.00) | 2.0 |" in section
    assert "| toy | ramify | 200 | coverage ≥ 80% | 79.50 (78.50 to 80.50) | 2.0 |" in section
    assert "| toy | ramify | 20 | coverage ≥ 90% | error | – |" in section


def test_missing_labels_and_overhead(section):
    assert "| toy | 50% | plain | 31.00 ±1.00 |" in section
    assert "| toy | micro-f1 | 20 | 100.0 | 105.0 | 10.0 | 11.0 |" in section
    assert "| toy | 0.46 | 1.10 |" in section


def test_no_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(decision_tables, "DECISIONS", tmp_path / "none.jsonl")
    assert decision_tables.decision_section() == ""
