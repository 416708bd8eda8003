"""The table of settings: which rows count, and which differences are marked."""

import json

import pytest

from racing import tuning_tables
from racing.tuning_tables import MEASURES, counted, settings_section
from ramify.models.trees import xr_linear


def _row(settings, value, errors=0.1, runs=4, sources="new", dataset="toy", seconds=2.0):
    row = {"dataset": dataset, "settings": settings, "runs": runs, "model": "xr-linear", "splits": runs, "seeds": 1}
    row |= {"sources": sources, "measures": dict.fromkeys(MEASURES, 40 + value), "difference": [value] * 6}
    return row | {"standard_error": None if runs == 1 else [errors] * 6, "train_cpu_s": seconds}


@pytest.fixture
def page(tmp_path, monkeypatch):
    def write(*rows):
        path = tmp_path / "tuning.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        monkeypatch.setattr(tuning_tables, "TUNING", path)
        return settings_section()

    return write


def test_the_row_with_most_runs_of_the_sources_measured_last_counts():
    changed = {"max_leaf": 50}
    rows = [_row({}, 1.0, sources="old"), _row(changed, 1.0, runs=9, sources="old"), _row({}, 0.0)]
    rows += [_row(changed, 2.0, runs=4), _row(changed, 3.0, runs=4), _row(changed, 4.0, runs=2)]
    rows += [_row({}, 0.0, dataset="other", sources="old")]
    found = counted(rows)
    assert found["toy"] == {"defaults": rows[2], "`max_leaf=50`": rows[4]}
    assert found["other"] == {"defaults": rows[-1]}


@pytest.mark.parametrize(
    ("value", "runs", "shown"),
    [
        (0.4, 4, "**+0.40**"),  # t = 4, quantile 3.18
        (-0.4, 4, "<u>-0.40</u>"),
        (0.3, 4, "+0.30"),  # more than two standard errors
        (0.4, 2, "+0.40"),  # quantile 12.7
        (1.3, 2, "**+1.30**"),
        (9.0, 1, "+9.00"),
    ],
)
def test_differences_are_marked_by_a_t_test(page, value, runs, shown):
    text = page(_row({}, 0.0, runs=runs), _row({"negatives": "tfn"}, value, runs=runs, seconds=1.0))
    assert f'| `negatives="tfn"` | {" / ".join([shown] * 3)} |' in text
    assert "| defaults | 40.00 / 40.00 / 40.00 |" in text
    assert "| defaults | 2.00 s |" in text
    assert '| `negatives="tfn"` | 0.50 |' in text
    assert f"| held-out parts × seeds | {runs} × 1 |" in text


def test_rows_of_other_sources_are_marked_and_rows_without_sources_are_left_out(page):
    present = tuning_tables.source_hash(xr_linear.__name__)
    old = {name: value for name, value in _row({}, 0.0, dataset="former").items() if name != "sources"}
    text = page(old, _row({}, 0.0), _row({}, 0.0, dataset="fresh", sources=present))
    assert "| `xr-linear` | toy † | fresh |" in text
    assert page(old) == ""
