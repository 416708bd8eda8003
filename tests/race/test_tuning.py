"""Settings are compared on held-out instances that no setting was trained on."""

import json
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import tuning
from racing.matrices import Matrices
from racing.rows import read_rows
from ramify import XRLinear, evaluate
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


@pytest.fixture
def tune(tmp_path, monkeypatch):
    """Run the command on two matrices: ``tune(X, Y, *arguments)`` returns its rows."""

    def run(X, Y, *arguments):
        for name, matrix in (("X", X), ("Y", Y), ("X_test", X), ("Y_test", Y)):
            sp.save_npz(tmp_path / f"{name}.npz", matrix)
        monkeypatch.setattr(tuning, "prepare", lambda name, data: Matrices(name, tmp_path, "print", {"documents": 200}))
        monkeypatch.setattr(tuning, "RESULTS", tmp_path / "tuning.jsonl")
        monkeypatch.setattr(sys, "argv", ["tuning.py", "--sets", "noise", "--threads", "1", *arguments])
        tuning.main()
        return read_rows(tmp_path / "tuning.jsonl")

    return run


@pytest.mark.parametrize("model", ["nearest-instances", "xr-linear"])
def test_random_labels_are_not_ranked_better_than_at_random(tune, model):
    (row,) = tune(*_random_labels(), "--model", model, "--splits", "2")
    assert (row["dataset"], row["model"], row["runs"], row["settings"]) == ("noise", model, 2, {})
    assert row["measures"]["P@1"] < 30  # 10 labels; 100 with a model that has seen the instances


def test_settings_are_compared_with_the_defaults_on_the_same_splits_and_seeds(tune):
    rng = np.random.default_rng(0)
    topic = rng.integers(12, size=300)
    words = rng.random((300, 60)) < np.where(np.arange(60) % 12 == topic[:, None], 0.3, 0.1)
    Y = rng.random((300, 12)) < np.where(np.arange(12) == topic[:, None], 0.9, 0.1)
    X, Y = (sp.csr_matrix(matrix.astype(np.float32)) for matrix in (words, Y))
    settings = {"cost_positive": 20.0, "cost_negative": 20.0}
    plain, varied = tune(X, Y, "--splits", "2", "--seeds", "2", "--vary", json.dumps(settings))
    assert (plain["runs"], plain["settings"], varied["settings"]) == (4, {}, settings)
    assert not any(plain["difference"])
    report = np.zeros(6)
    for number in range(2):
        X_rest, Y_rest, X_held, Y_held = split(X, Y, number)
        for seed in range(2):
            model = XRLinear(seed=seed, threads=1, **settings).fit(X_rest, Y_rest)
            found = evaluate(Y_held, model.predict_topk(X_held, 10), Y_train=Y_rest)
            report += [100 * float(found[f"{family}@{k}"]) / 4 for family in ("P", "PSP") for k in (1, 3, 5)]
    np.testing.assert_allclose(list(varied["measures"].values()), report, atol=0.006)
    expected = np.subtract(list(varied["measures"].values()), list(plain["measures"].values()))
    np.testing.assert_allclose(varied["difference"], expected, atol=0.015)
    assert abs(expected).max() > 1


def test_settings_with_a_row_of_the_same_sources_are_skipped(tune, monkeypatch):
    X, Y = _random_labels()
    (first,) = tune(X, Y)
    assert tune(X, Y) == [first]
    rows = tune(X, Y, "--vary", '{"tail_cost": 0.0}')
    assert [row["settings"] for row in rows] == [{}, {"tail_cost": 0.0}]
    assert tune(X, Y, "--splits", "2")[2:] != []
    monkeypatch.setattr(tuning, "source_hash", lambda module: "changed")
    assert [row["sources"] for row in tune(X, Y)[3:]] == ["changed"]
