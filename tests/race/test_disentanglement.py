"""The study of disentanglement: what it measures on a small data set, and that known rows are not measured again."""

import argparse

import numpy as np
import pytest
import scipy.sparse as sp

import disentanglement
from disentanglement import compared, copies, sampled, senses, systems
from racing import senses as parts
from racing.copies_tables import System
from racing.matrices import Matrices
from racing.rows import add_row, read_rows


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A data set of 24 labels with two words each, and the options of the command."""
    rng = np.random.default_rng(0)
    for name, n in (("", 300), ("_test", 60)):
        Y = (rng.random((n, 24)) < 0.08).astype(np.float32)
        Y[np.arange(n), rng.integers(24, size=n)] = 1
        X = sp.csr_matrix(
            sp.hstack([sp.csr_matrix(Y), sp.csr_matrix(Y), sp.random(n, 20, 0.1, "csr", np.float32, rng)]),
            dtype=np.float32,
        )
        sp.save_npz(tmp_path / f"X{name}.npz", X)
        sp.save_npz(tmp_path / f"Y{name}.npz", sp.csr_matrix(Y))
    monkeypatch.setattr(disentanglement, "RESULTS", tmp_path / "rows.jsonl")
    monkeypatch.setattr(disentanglement, "CACHE", tmp_path)
    settings = {"branching": 2, "max_leaf": 4, "beam": 2}
    options = {
        "folds": 2,
        "positives": "all",
        "warm_start": False,
        "threads": 1,
        "copies": [2],
        "merge": ["max", "sum"],
    }
    return argparse.Namespace(settings=settings, seeds=2, pairs=3, **options), Matrices("small", tmp_path, "print", {})


def test_copies_writes_one_row_for_each_system_and_seed_and_compares_them(small):
    chosen, matrices = small
    for seed in range(2):
        rows = list(copies(chosen, matrices, seed))
        assert [System.of(row) for row in rows] == systems(chosen)
        assert all(row["measures"]["P@1"] > 50 and row["batch_cpu_us"] > 0 for row in rows)
        by_system = {System.of(row): row for row in rows}
        assert by_system[System()]["leaves"] == by_system[System(copies=1)]["leaves"] == 24
        assert by_system[System(copies=2)]["leaves"] > 24
        assert "again_cpu_s" in by_system[System(copies=2)]
        for row in rows:
            add_row(disentanglement.RESULTS, row)
        assert not list(copies(chosen, matrices, seed))
    found = list(compared(chosen, matrices))
    assert all(row["seeds"] == [0, 1] for row in found)
    moved, plain = (
        [row["measures"]["P@5"] for row in read_rows(disentanglement.RESULTS) if System.of(row) == one]
        for one in (System(copies=1), System())
    )
    row = next(row for row in found if (System.of(row), System.of(row["peer"])) == (System(copies=1), System()))
    assert row["differences"]["P@5"][0] == pytest.approx(np.mean(moved) - np.mean(plain), abs=0.002)


def test_a_sample_has_no_labels_or_test_documents_that_it_cannot_learn(small):
    _, matrices = small
    sample = sampled(matrices, 8, 20)
    assert sample.X.shape[0] == sample.Y.shape[0] == 8
    assert (np.bincount(sample.Y.indices, minlength=sample.Y.shape[1]) > 0).all()
    assert sample.Y.shape[1] == sample.Y_test.shape[1] < 24
    assert sample.X_test.shape[0] == 20
    assert (np.diff(sample.Y_test.indptr) > 0).all()
    assert sampled(matrices, None, None) is matrices


def test_senses_has_a_figure_for_each_merged_label_with_two_copies(small, monkeypatch):
    chosen, matrices = small
    monkeypatch.setattr(parts, "LEAST", 5)
    (row,) = senses(chosen, matrices, 0)
    assert 0 < len(row["smaller"]) <= 3
    assert {len(row[name]) for name in parts.SPLITS} == {len(row["smaller"])}
    assert min(row["smaller"]) >= 1
