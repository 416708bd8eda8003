"""The short form of ``long_run.py``: some hundred damaged models and command lines, each answered or refused."""

from pathlib import Path

import pytest
from command_lines import command_line
from long_run import run_cases
from model_mutations import mutated
from stored_models import build_models

from ramify.store import MANIFEST


@pytest.mark.parametrize(("kind", "count"), [("directories", 132), ("commands", 60), ("files", 60), ("calls", 120)])
def test_no_surprise(kind, count, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    tally = run_cases(kind, 1, count, tmp_path)
    assert tally.surprises == []
    assert tally.tried == count
    assert tally.refused
    assert tally.works
    assert list(here.iterdir()) == []


def test_a_seed_makes_the_same_cases(tmp_path: Path):
    [model] = build_models(tmp_path, ("tagger-xr-linear",))
    for seed in range(20):
        first = mutated(model, tmp_path / "first", seed)
        assert mutated(model, tmp_path / "second", seed) == first
        assert (tmp_path / "first" / MANIFEST).read_bytes() == (tmp_path / "second" / MANIFEST).read_bytes()
        assert command_line(seed) == command_line(seed)


def test_a_worker_that_dies_is_a_surprise_and_the_rest_goes_on(tmp_path, monkeypatch):
    (tmp_path / "cases.py").write_text(
        "import json, os, sys\n"
        "first, count = int(sys.argv[3]), int(sys.argv[4])\n"
        "for case in range(first, first + count):\n"
        "    print(json.dumps({'case': case, 'name': ''}), flush=True)\n"
        "    if case == 1: os.abort()\n"
        "    print(json.dumps({'case': case, 'name': '', 'outcome': 'works', 'what': ''}), flush=True)\n"
    )
    monkeypatch.setattr("long_run.HERE", tmp_path)
    tally = run_cases("directories", 0, 4, tmp_path)
    assert (tally.tried, tally.works) == (4, 3)
    assert [line["outcome"] for line in tally.surprises] == ["the process ends with -6"]
