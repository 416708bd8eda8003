"""Data sets cut in several ways, and the table of the costs from its rows."""

import numpy as np
import pytest
import scipy.sparse as sp

import costs
from racing import cost_tables


def _data():
    rng = np.random.default_rng(0)
    Y = sp.csr_matrix((rng.random((1000, 450)) < 0.02).astype(np.float32))
    X = sp.csr_matrix((rng.random((1000, 60)) < 0.5).astype(np.float32))
    return X, Y


@pytest.mark.parametrize("name", costs.CUTS)
def test_cuts_keep_labelled_instances_and_used_labels(name):
    X, Y = costs.CUTS[name](*_data())
    assert X.shape[0] == Y.shape[0]
    if name != "whole":
        assert np.diff(Y.indptr).min() > 0
        assert np.bincount(Y.indices, minlength=Y.shape[1]).min() > 0
    assert Y.shape[1] <= {"few": 370, "short": 370, "hundred": 100, "single": 100}.get(name, 450)
    if name == "single":
        assert set(np.diff(Y.indptr)) == {1}
    if name == "short":
        assert np.diff(X.indptr).max() <= 15
        np.testing.assert_allclose(np.asarray(X.multiply(X).sum(axis=1)).ravel(), 1, rtol=1e-5)


def _row(setting, split, precision, cost=None):
    measures = dict.fromkeys(costs.MEASURES, precision)
    key = {"dataset": "made", "cut": "whole", "split": split, "setting": setting, "sources": "a"}
    return key | measures | {"documents": 1000, "labels": 450, "cost": cost}


def test_the_table_has_differences_to_the_default_over_shared_splits(monkeypatch):
    rows = [_row("default", split, 50.0 + split, 2.0) for split in (0, 1)]
    rows += [_row("former", split, 48.0 + split) for split in (0, 1)]
    rows += [_row("C=1", 0, 50.5), _row("C=2", 0, 50.25), {**_row("default", 0, 1.0), "sources": "old"}][:2]
    monkeypatch.setattr(cost_tables, "read_rows", lambda path: rows)
    line = cost_tables.cost_section().splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["made", "whole", "1,000", "450", "2.00", "50.50", "", "-2.00", "", "C=1", "+0.50"]
