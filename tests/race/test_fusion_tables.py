"""The section of fusions has the latest rows, the differences to ``best``, and what the members add."""

import json

import pytest

from racing import fusion_tables
from racing.fusion_tables import MEASURES, ZERO_SHOT, fusion_section

HEAD = {"kind": "test", "dataset": "toy", "labels": "every", "documents": 1000, "tests": 200, "n_labels": 50, "seed": 0}
COST = {"train_cpu_s": 12.0, "document_cpu_ms": 0.125, "threads": 2}


def row(way, value, **more):
    return HEAD | COST | {"way": way, "measures": dict.fromkeys(MEASURES, value) | {ZERO_SHOT: value / 2}} | more


def member(name, value):
    quality = dict(zip(("alone", "added", "low", "high"), value, strict=True))
    return {"name": name, "weight": 0.75, "exponent": 1.5} | quality


FUSED = {"members": [member("xr-linear", (0.5, 0.0123, 0.01, 0.0146)), member("lexical", (None,) * 4)]}
OVER = {"over_best": {"nDCG@10": [1.5, 0.01], "microF1@5": [-0.25, 0.3]}}
ROWS = [
    {"kind": "annif", "dataset": "toy", "system": "ramify"},
    row("best", 99.0),
    row("best", 40.0),
    row("default + lexical", 41.5, fusion=FUSED, **OVER),
    row("tree", 77.0) | {"kind": "held-out"},
]


@pytest.fixture
def section(tmp_path, monkeypatch):
    place = tmp_path / "fusion.jsonl"
    monkeypatch.setattr(fusion_tables, "FUSION_ROWS", place)
    assert fusion_section() == ""
    place.write_text("".join(json.dumps(one) + "\n" for one in ROWS), "utf-8")
    return fusion_section()


def test_the_latest_row_of_each_way_counts(section):
    assert "99.00" not in section and "77.00" not in section
    assert "| best | 40.00 | 40.00 | 40.00 | 40.00 | 40.00 | 40.00 | 20.00 | – | – | 12.0 | 0.125 |" in section
    assert "1,000 training and 200 test documents, 50 labels." in section


def test_the_best_value_is_bold_and_differences_are_marked(section):
    cells = "| ".join(["**41.50** "] * len(MEASURES))
    assert f"| default + lexical | {cells}| **20.75** | +1.50 \\* | -0.25 | 12.0 | 0.125 |" in section


def test_members_have_what_they_add(section):
    assert "| default + lexical | xr-linear | 0.750 | 1.50 | 50.00 | +1.23 | +1.00 to +1.46 |" in section
    assert "| default + lexical | lexical | 0.750 | 1.50 | – | – | – |" in section


def test_tables_have_one_width(section):
    tables = [block.splitlines() for block in section.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    assert all(len({line.count("|") for line in lines}) == 1 for lines in tables)
