"""The tables of the studies say what their rows say, the latest of each."""

import json

import pytest
import race_tools  # noqa: F401 - puts the race on the path

import racing.studies
from racing.studies import SIX, ZERO, study_sections


def _copies(copies, seed, value, **rest):
    fixed = {"kind": "copies", "dataset": "toy", "settings": {}, "folds": 3, "positives": "all", "merge": "max"}
    costs = {"first_cpu_s": 2.0, "batch_cpu_us": 10.0, "leaves": 5000}
    return fixed | costs | {"copies": copies, "seed": seed, "measures": {name: [value, 0, 0] for name in SIX}} | rest


ROWS = [
    _copies(1, 0, 10.0, reassign_cpu_s=1.0, again_cpu_s=3.0, recall_after=0.5),
    _copies(1, 0, 40.0, reassign_cpu_s=1.0, again_cpu_s=3.0, recall_after=0.5),  # measured anew
    _copies(1, 1, 42.0, reassign_cpu_s=1.0, again_cpu_s=5.0, recall_after=0.7),
    _copies(2, 0, 43.0, reassign_cpu_s=1.0, again_cpu_s=5.0, recall_after=0.7),
    _copies(2, 2, 0.0, kind="copies against 1")
    | {"differences": {name: [1.0, 0.5, 1.5, 0.01 if name == "P@1" else 0.3] for name in SIX}},
    {"kind": "senses", "dataset": "toy", "positives": "company", "folds": 3, "seed": 0, "pairs": 7}
    | {"variation_of_information": 0.25, "random_split": 1.5, "standard_error": 0.01},
]
NAMED = [
    {"kind": "test", "dataset": "toy", "way": "mixed", "seed": 0, "beam": 20, "share": 0.2, "train_cpu_s": 3.0}
    | {"batch_cpu_us": 7.0, "measures": {name: [12.34, 0, 0] for name in ZERO}}
]


@pytest.fixture
def page(tmp_path, monkeypatch):
    for name, rows in (("DISENTANGLE", ROWS), ("ZERO_SHOT", NAMED)):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        monkeypatch.setattr(racing.studies, name, path)
    return study_sections()


def test_means_over_seeds_of_the_rows_measured_last(page):
    assert "| 1 | – | 41.00 |" in page
    assert "| 4.00 | 10.0 | 5,000 | 60.0 | 2 |" in page


def test_a_significant_difference_is_marked(page):
    assert "| 2 | max | **43.00** | 43.00 |" in page


def test_senses_and_names(page):
    assert "| toy | company | 0.250 | 1.500 | 0.010 | 7 | 1 |" in page
    assert "| toy | mixed | 20 | 0.2 | 12.3 |" in page


def test_no_rows_no_sections(tmp_path, monkeypatch):
    for name in ("DISENTANGLE", "ZERO_SHOT"):
        monkeypatch.setattr(racing.studies, name, tmp_path / "missing")
    assert study_sections() == ""
