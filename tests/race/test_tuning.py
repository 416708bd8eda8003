"""Settings are compared on held-out instances that no setting was trained on."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

import tuning
from racing.matrices import Matrices
from racing.rows import read_rows
from tuning import split


def _random_labels(n=200, n_labels=10):
    """One word per instance of its own, and labels that depend on nothing: only a known instance can be ranked."""
    rng = np.random.default_rng(0)
    Y = sp.csr_matrix(np.eye(n_labels, dtype=np.float32)[rng.integers(n_labels, size=n)])
    words = sp.csr_matrix((rng.random((n, 30)) < 0.2).astype(np.float32))
    return sp.csr_matrix(sp.hstack([sp.eye(n, format="csr", dtype=np.float32), words])), Y


@pytest.mark.parametrize("number", range(3))
def test_a_split_holds_out_a_fifth_and_trains_on_the_others(number):
    X, Y = _random_labels()
    X_rest, Y_rest, X_held, Y_held = split(X, Y, number)
    rows = [part[:, :200].indices for part in (X_rest, X_held)]
    assert sorted(np.concatenate(rows)) == list(range(200))
    assert len(rows[1]) == 40
    np.testing.assert_array_equal(Y_rest.toarray(), Y[rows[0]].toarray())
    np.testing.assert_array_equal(Y_held.toarray(), Y[rows[1]].toarray())
    again, other = split(X, Y, number)[2], split(X, Y, number + 3)[2]
    assert (again != X_held).nnz == 0
    assert set(other[:, :200].indices) != set(rows[1])


def test_labels_without_a_training_instance_are_left_out():
    X, _ = _random_labels()
    label = np.arange(200) // 2 % 100
    label[:10] = np.arange(100, 110)  # once each
    Y = sp.csr_matrix(np.eye(110, dtype=np.float32)[label])
    X_rest, Y_rest, X_held, Y_held = split(X, Y, 0)
    rest, held = (part[:, :200].indices for part in (X_rest, X_held))
    seen = np.unique(label[rest])
    np.testing.assert_array_equal(Y_rest.toarray(), Y[rest][:, seen].toarray())
    np.testing.assert_array_equal(Y_held.toarray(), Y[held][:, seen].toarray())
    assert (np.diff(Y_held.indptr) > 0).all()
    gone = np.setdiff1d(np.arange(200), np.concatenate([rest, held]))
    assert len(gone) > 0
    assert not set(label[gone]) & set(seen)


@pytest.mark.parametrize("model", ["nearest-instances", "xr-linear"])
def test_random_labels_are_not_ranked_better_than_at_random(tmp_path, monkeypatch, model):
    X, Y = _random_labels()
    for name, matrix in (("X", X), ("Y", Y), ("X_test", X), ("Y_test", Y)):
        sp.save_npz(tmp_path / f"{name}.npz", matrix)
    monkeypatch.setattr(tuning, "prepare", lambda name, data: Matrices(name, tmp_path, "print", {"documents": 200}))
    monkeypatch.setattr(tuning, "RESULTS", tmp_path / "tuning.jsonl")
    arguments = ["--sets", "noise", "--model", model, "--splits", "2", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["tuning.py", *arguments])
    tuning.main()
    (row,) = read_rows(tmp_path / "tuning.jsonl")
    assert (row["dataset"], row["model"], row["runs"]) == ("noise", model, 2)
    assert row["measures"]["P@1"] < 30  # 10 labels; 100 with a model that has seen the instances
