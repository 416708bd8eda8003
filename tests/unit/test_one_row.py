"""``predict_topk`` of a matrix with one row: the same answers and errors as for the row in a batch."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import XRLinear
from ramify.errors import InputError

K = 4


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = sp.random(120, 40, 0.2, "csr", np.float32, rng)
    Y = sp.csr_matrix((rng.random((120, 30)) < 0.1).astype(np.float32))
    return XRLinear(max_leaf=5, branching=4, threads=1).fit(X, Y)


def _row(seed=1):
    row = sp.random(1, 40, 0.3, "csr", np.float32, np.random.default_rng(seed))
    row.data /= np.linalg.norm(row.data)
    return row


def _batch(model, row):
    """The answer for the row as one of two."""
    rows = sp.csr_matrix(row)
    top = model.predict_topk(sp.vstack([rows, rows], "csr"), K)
    return top.labels[:1], top.scores[:1]


def _reversed(row):
    return sp.csr_matrix((row.data[::-1].copy(), row.indices[::-1].copy(), row.indptr), shape=row.shape)


def _with_zero(row):
    data = row.data.copy()
    data[0] = 0
    return sp.csr_matrix((data, row.indices, row.indptr), shape=row.shape)


def _wide_pointers(row):
    return _with(row, indptr=row.indptr.astype(np.int64))


def _wide_indices(row):
    return _with(row, indices=row.indices.astype(np.int64))


def _longer_arrays(row):
    return _with(row, indices=np.append(row.indices, np.int32(0)), data=np.append(row.data, np.float32(9)))


def _with(row, **arrays):
    changed = row.copy()
    for name, array in arrays.items():
        setattr(changed, name, array)
    return changed


ROWS = {
    "plain": lambda row: row,
    "array": sp.csr_array,
    "empty": lambda row: sp.csr_matrix((1, row.shape[1]), dtype=np.float32),
    "column format": sp.csc_matrix,
    "dense": lambda row: row.toarray(),
    "float64": lambda row: row.astype(np.float64),
    "int64 pointers": _wide_pointers,
    "int64 indices": _wide_indices,
    "descending indices": _reversed,
    "stored zero": _with_zero,
    "unused entries": _longer_arrays,
    "other length": lambda row: row * 3,
}


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("kind", ROWS)
def test_one_row_is_ranked_as_in_a_batch(model, kind, normalize):
    model.set_params(normalize=normalize)
    row = ROWS[kind](_row())
    labels, scores = _batch(model, row)
    top = model.predict_topk(row, K)
    model.set_params(normalize=True)
    np.testing.assert_array_equal(top.labels, labels)
    np.testing.assert_array_equal(top.scores, scores)


def test_changed_settings_are_used(model):
    row = _row(2)
    before = model.predict_topk(row, K).scores
    model.set_params(path_weight=1.0, score_transform="sigmoid")
    try:
        changed = model.predict_topk(row, K).scores
        np.testing.assert_array_equal(changed, _batch(model, row)[1])
    finally:
        model.set_params(path_weight=0.25, score_transform="l3-hinge")
    assert not np.array_equal(before, changed)
    np.testing.assert_array_equal(model.predict_topk(row, K).scores, before)


def test_a_plain_row_needs_no_conversion(model, monkeypatch):
    expected = _batch(model, _row())
    monkeypatch.setattr(XRLinear, "answer", None)
    top = model.predict_topk(_row(), K)
    np.testing.assert_array_equal(top.labels, expected[0])


BROKEN_ROWS = {
    "NaN": (lambda row: _with(row, data=np.full_like(row.data, np.nan)), "NaN"),
    "infinite": (lambda row: _with(row, data=np.full_like(row.data, np.inf)), "infinite"),
    "feature out of range": (lambda row: _with(row, indices=row.indices + np.int32(40)), "outside"),
    "negative feature": (lambda row: _with(row, indices=row.indices - np.int32(40)), "outside"),
    "pointers beyond the arrays": (lambda row: _with(row, indptr=np.array([0, 99], np.int32)), "outside"),
    "width": (lambda row: sp.csr_matrix((1, 41), dtype=np.float32), "41 features"),
}


@pytest.mark.parametrize("kind", BROKEN_ROWS)
def test_a_broken_row_is_an_input_error(model, kind):
    change, message = BROKEN_ROWS[kind]
    with pytest.raises(InputError, match=message):
        model.predict_topk(change(_row()), K)


@pytest.mark.parametrize(("setting", "value"), [("beam", 0), ("threads", 0), ("path_weight", 2.0), ("beam", [1])])
def test_a_setting_out_of_range_is_an_input_error(model, setting, value):
    before = model.get_params()[setting]
    model.set_params(**{setting: value})
    try:
        with pytest.raises(InputError, match=setting):
            model.predict_topk(_row(), K)
    finally:
        model.set_params(**{setting: before})


@pytest.mark.parametrize("k", [0, 31, True, 1.0, "2"])
def test_k_out_of_range_is_an_input_error(model, k):
    model.predict_topk(_row(), 1)
    with pytest.raises(InputError, match="k is"):
        model.predict_topk(_row(), k)
