"""Wrong arguments of functions and methods give one sentence; matrices of other kinds are converted or give one."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from test_settings import LONGEST, WRONG, X, Y, sentence_of

import ramify
from ramify.data import split_label_aware, split_random
from ramify.errors import InputError
from ramify.label_vectors import PIFA, PII
from ramify.models import XRLinear

SMALL = ramify.Dataset(Y=Y, label_names=list("abcdef"), X=X)


@pytest.mark.parametrize("label", WRONG)
@pytest.mark.parametrize("split", [split_random, split_label_aware])
def test_splits(split, label):
    for name in ("test_size", "seed"):
        message = sentence_of(lambda name=name: split(SMALL, **{name: WRONG[label]}))
        if message is not None:
            assert "\n" not in message
            assert len(message) < LONGEST


@pytest.mark.parametrize("label", WRONG)
def test_arguments_of_trees(label):
    model = XRLinear(threads=1, branching=2, max_leaf=2).fit(X, Y)
    for call in (
        lambda: model.subtree(WRONG[label], 0),
        lambda: model.subtree(0, WRONG[label]),
        lambda: model.predict_topk(X, 3, beam=WRONG[label]),
        lambda: model.predict_topk(X, WRONG[label]),
        lambda: ramify.preset(WRONG[label]),
    ):
        message = sentence_of(call)
        if message is not None:
            assert "\n" not in message
            assert len(message) < LONGEST


def test_a_flat_tree_has_no_subtree():
    with pytest.raises(InputError, match="the tree has no clusters"):
        XRLinear(threads=1).fit(X, Y).subtree(0, 0)


def test_label_vectors_of_dense_matrices():
    for representation in (PII(), PIFA()):
        dense, sparse = (representation.represent(*given) for given in ((X.toarray(), Y.toarray()), (X, Y)))
        assert (dense != sparse).nnz == 0


MATRICES = {
    "rows": np.ones((3, 6)),
    "columns": np.ones((X.shape[0], 7)),
    "negative": -np.ones((X.shape[0], 6)),
    "NaN": np.full((X.shape[0], 6), np.nan),
    "strings": np.full((X.shape[0], 6), "a"),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("name", ["relevance", "own_negatives", "visits", "allowed", "forbidden", "pairs"])
def test_an_error_names_the_matrix(name, matrix):
    model = XRLinear(threads=1, branching=2, max_leaf=1).fit(X, Y)
    calls = {
        "pairs": lambda: model.score_pairs(X, matrix),
        "allowed": lambda: model.predict_topk(X, 2, allowed=matrix),
        "forbidden": lambda: model.predict_topk(X, 2, forbidden=matrix),
    }
    with pytest.raises(InputError, match=f"^(X has {X.shape[0]} rows, but )?{name} (has|holds|contains) "):
        calls.get(name, lambda: clone(model).fit(X, Y, **{name: matrix}))()


def _spoilt(**arrays: Any) -> Any:
    matrix = X.copy()
    for name, array in arrays.items():
        setattr(matrix, name, array)
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        _spoilt(data=X.data.reshape(1, -1)),
        _spoilt(indices=X.indices.astype(np.float64)),
        _spoilt(indptr=X.indptr.astype(np.float64)),
        _spoilt(indices=X.indices.reshape(1, -1)),
    ],
)
def test_sparse_matrices_with_arrays_of_another_kind(matrix):
    with pytest.raises(InputError, match="whose arrays have the wrong type or shape: rebuild it"):
        XRLinear(threads=1).fit(matrix, Y)
