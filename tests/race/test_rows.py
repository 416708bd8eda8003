"""A race that was cut goes on where it was, and quiet runs speak before busy ones."""

import pytest
from race_tools import failed_row, run_row

from racing.rows import add_row, counted, current, is_due, read_rows


def test_rows_come_back_in_order(tmp_path):
    path = tmp_path / "results" / "race.jsonl"
    assert read_rows(path) == []
    rows = [run_row("ramify"), run_row("libpecos", failed="wäre \u2028 \x85 \r")]
    for row in rows:
        add_row(path, row)
    assert read_rows(path) == rows


@pytest.mark.parametrize(
    "change",
    [
        {"run": 2},
        {"threads": 1},
        {"identity": "new"},
        {"matrices": "new"},
        {"dataset": "delicious"},
        {"system": "b"},
        {"machine": "another"},
    ],
)
def test_only_the_very_same_run_is_skipped(change):
    known = [run_row("a")]
    assert not is_due(known, run_row("a"))
    assert is_due(known, run_row("a") | change)


def test_quiet_only_repeats_runs_that_were_always_busy():
    known = [run_row("a", 1, busy=True), run_row("a", 2, busy=True), run_row("a", 2)]
    assert is_due(known, run_row("a", 1), quiet_only=True)
    assert not is_due(known, run_row("a", 1))
    assert not is_due(known, run_row("a", 2), quiet_only=True)


def test_a_failure_stands_for_all_runs_until_it_is_retried():
    known = [failed_row("a", "too slow")]
    assert not is_due(known, run_row("a", 3))
    assert not is_due(known, run_row("a", 3), quiet_only=True)
    assert is_due(known, run_row("a", 1), retry_failed=True)
    assert not is_due([*known, run_row("a")], run_row("a"), retry_failed=True)


def test_a_failure_stands_no_longer_where_a_limit_has_risen():
    known = [failed_row("a", "not finished after 60 s", limit_s=60, limit_gb=20)]
    assert not is_due(known, run_row("a", limit_s=60, limit_gb=10))
    assert is_due(known, run_row("a", limit_s=61, limit_gb=10))
    assert is_due(known, run_row("a", limit_s=1, limit_gb=30))


def test_the_edition_measured_last_is_current():
    old, new = run_row("a", identity="old"), run_row("a", identity="new")
    other = run_row("b")
    assert current([old, other, new], "run", threads=2) == [other, new]
    assert current([new, other, old], "run", threads=2) == [other, old]
    assert current([old], "run", threads=1) == []


def test_other_matrices_are_not_mixed_in():
    first, second = run_row("a", matrices="old"), run_row("b", matrices="new")
    assert current([first, second], "run", threads=2) == [second]


def test_costs_of_two_machines_do_not_meet():
    here, there = run_row("a", machine="here"), run_row("b", machine="there")
    untouched = run_row("a", machine="here", dataset="delicious")
    assert current([here, untouched, there], "run", threads=2) == [untouched, there]


def test_a_failure_on_another_machine_does_not_count_here():
    assert is_due([failed_row("a", "too slow", machine="there")], run_row("a"))


def test_quiet_runs_count_before_busy_ones():
    busy, quiet = run_row("a", 1, busy=True), run_row("a", 2)
    assert counted([busy, quiet]) == ([quiet], False)
    assert counted([busy]) == ([busy], True)
    assert counted([busy, run_row("a", 1, factor=2)]) == ([run_row("a", 1, factor=2)], False)
    assert counted([failed_row("a", "no")]) == ([], False)
