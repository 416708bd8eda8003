"""Rows of the tuning: the standard error is that of a sample, and a single run has none."""

import argparse

import numpy as np
import pytest

import tuning
from racing.rows import read_rows


def test_the_standard_error_is_that_of_a_sample():
    differences = np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    assert tuning.standard_error(differences) == [round(np.sqrt(7.0 / 3), 2), 0.0]


def test_a_single_run_has_no_standard_error(tmp_path, monkeypatch):
    assert tuning.standard_error(np.array([[1.0, 2.0]])) is None
    monkeypatch.setattr(tuning, "RESULTS", tmp_path / "tuning.jsonl")
    chosen = argparse.Namespace(model="xr-linear", threads=1, splits=1, seeds=1)
    tuning.record(chosen, "bibtex:0.2", {}, (np.ones((1, 6)), np.zeros((1, 6)), 1.0))
    (row,) = read_rows(tmp_path / "tuning.jsonl")
    assert row["standard_error"] is None
    assert (row["dataset"], row["splits"], row["seeds"]) == ("bibtex:0.2", 1, 1)


@pytest.mark.parametrize("name", ["bibtex:", "bibtex:much"])
def test_an_amount_that_is_no_number_is_one_sentence(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tuning.py", "--sets", name])
    with pytest.raises(SystemExit) as stopped:
        tuning.main()
    assert stopped.value.code == 2
    assert "the amount after the colon" in capsys.readouterr().err
