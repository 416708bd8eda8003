"""Checks of scikit-learn's conventions, seeds, threads, saving and matrix formats."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.testing.values import (
    Factory,
    NotApplicableError,
    checkerboard,
    need_method,
    planted_clusters,
    precision,
    same,
    with_settings,
)


def check_settings(factory: Factory) -> None:
    """get_params, set_params and clone work; fit returns the model itself and changes no setting."""
    from sklearn.base import clone

    model, problem = factory(), checkerboard()
    before = dict(model.get_params(deep=False))
    copy = clone(model)
    assert copy is not model, "clone returns the model itself"
    copied = copy.get_params(deep=False)
    plain = {name: value for name, value in before.items() if isinstance(value, str | int | float | None)}
    assert copied.keys() == before.keys(), "a clone has other settings than the model"
    assert all(copied[name] == value for name, value in plain.items()), "the settings of a clone have other values"
    assert model.set_params(**before) is model, "set_params does not return the model"
    assert model.fit(problem.X, problem.Y) is model, "fit does not return the model"
    after = model.get_params(deep=False)
    assert all(after[name] is value for name, value in before.items()), "fit changes settings"


def check_same_seed_same_model(factory: Factory) -> None:
    """The same seed gives bitwise equal arrays for any number of threads."""
    problem = planted_clusters()
    need_method(factory(), "to_state")
    states = []
    for threads in (1, 2, 3, 1):
        model = with_settings(factory, threads=threads, seed=7).fit(problem.X, problem.Y)
        states.append(model.to_state()[1])
        states[-1] |= {"top": model.predict_topk(problem.X_test, 5).scores}
    for state in states[1:]:
        assert state.keys() == states[0].keys(), "a second fit has other arrays"
        for name, array in state.items():
            assert np.array_equal(array, states[0][name]), (
                f"array {name} depends on the number of threads or is not deterministic"
            )


def check_survives_saving(factory: Factory) -> None:
    """A loaded model gives bitwise equal predictions, with or without verification and memory mapping."""
    from ramify.models import load

    model, problem = factory(), planted_clusters(6, 3)
    need_method(model, "save")
    model.fit(problem.X, problem.Y)
    top = model.predict_topk(problem.X_test, 4)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model"
        model.save(path)
        for way in ({}, {"verify": False}, {"mapped": False}):
            loaded = load(path, parts=[type(model)], **way)
            assert type(loaded) is type(model), f"load returned a {type(loaded).__name__}"
            assert same(loaded.predict_topk(problem.X_test, 4), top), "a loaded model predicts differently"
            assert loaded.n_labels_ == model.n_labels_, "a loaded model has another number of labels"
            again = Path(directory) / "again"
            loaded.save(again)
            assert same(load(again, parts=[type(model)]).predict_topk(problem.X_test, 4), top), (
                "a model that was loaded and saved again predicts differently"
            )


def check_pickles(factory: Factory) -> None:
    """A pickled model gives bitwise equal predictions."""
    model, problem = factory(), checkerboard()
    top = model.fit(problem.X, problem.Y).predict_topk(problem.X_test, 3)
    again = pickle.loads(pickle.dumps(model))
    assert same(again.predict_topk(problem.X_test, 3), top), "a pickled model predicts differently"


def check_pipeline(factory: Factory) -> None:
    """The model works as the last step of a Pipeline."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import Normalizer

    problem = planted_clusters(4, 3)
    pipeline = Pipeline([("unit", Normalizer()), ("model", factory())]).fit(problem.X, problem.Y)
    found = pipeline.predict(problem.X_test)
    assert found.shape == problem.Y_test.shape, f"predict in a pipeline returned shape {found.shape}"
    assert pipeline.score(problem.X_test, problem.Y_test) >= 0.8, "score in a pipeline is below 0.8 on planted clusters"


def check_grid_search(factory: Factory) -> None:
    """The model works in GridSearchCV."""
    from sklearn.model_selection import GridSearchCV, KFold

    problem = planted_clusters(4, 3)
    if "seed" not in factory().get_params():
        raise NotApplicableError("the model has no setting seed, which the grid uses")
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(factory(), {"seed": [0, 1]}, cv=folds, error_score="raise").fit(problem.X, problem.Y)
    assert precision(search.best_estimator_.predict_topk(problem.X_test, 1), problem.Y_test) >= 0.8, (
        "the best model of a grid search has P@1 below 0.8 on planted clusters"
    )


def _forms(matrix: Any) -> Iterator[tuple[str, Any]]:
    yield "dense", matrix.toarray()
    yield "Fortran order", np.asfortranarray(matrix.toarray())
    yield "float64", matrix.astype(np.float64)
    yield "lists", matrix.toarray().tolist()
    yield "sparse array", sp.csr_array(matrix)
    for form in ("csc", "coo", "lil", "bsr"):
        yield form, matrix.asformat(form)
    repeated = sp.coo_matrix(matrix)
    entries = (np.tile(repeated.data / 2, 2), (np.tile(repeated.row, 2), np.tile(repeated.col, 2)))
    yield "entries in two halves", sp.coo_matrix(entries, shape=matrix.shape)
    shuffled = matrix.copy()
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        shuffled.indices[part], shuffled.data[part] = matrix.indices[part][::-1], matrix.data[part][::-1]
    shuffled.has_sorted_indices = False
    yield "unsorted rows", shuffled


def check_matrix_forms(factory: Factory) -> None:
    """X and Y in any format give the same model and predictions; the caller's matrices are not modified."""
    problem = checkerboard()
    X, Y = problem.X, problem.Y
    wanted = factory().fit(X, Y).predict_topk(problem.X_test, 4)
    for name, form in _forms(X):
        kept = pickle.dumps(form)
        model = factory().fit(form, Y)
        assert same(model.predict_topk(problem.X_test, 4), wanted), f"X as {name} gives another model"
        assert pickle.dumps(form) == kept, f"fit modifies the caller's X ({name})"
    for name, form in [*_forms(Y), ("bool", Y.astype(bool)), ("int8", Y.astype(np.int8).toarray())]:
        top = factory().fit(X, form).predict_topk(problem.X_test, 4)
        assert same(top, wanted), f"Y as {name} gives another model"
    model = factory().fit(X, Y)
    for name, form in _forms(problem.X_test):
        assert same(model.predict_topk(form, 4), wanted), f"the predictions for X as {name} differ"


def check_whole_numbers_as_features(factory: Factory) -> None:
    """Features may be integers or booleans."""
    problem = checkerboard()
    wanted = factory().fit(problem.X, problem.Y).predict_topk(problem.X_test, 4)
    for dtype in (np.int64, np.uint8, bool):
        top = factory().fit(problem.X.astype(dtype), problem.Y).predict_topk(problem.X_test.astype(dtype), 4)
        assert same(top, wanted), f"X of {np.dtype(dtype).name} gives another model"


CONVENTION_CHECKS = (
    check_settings,
    check_same_seed_same_model,
    check_survives_saving,
    check_pickles,
    check_pipeline,
    check_grid_search,
    check_matrix_forms,
    check_whole_numbers_as_features,
)
