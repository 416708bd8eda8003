"""Checks that invalid input raises InputError with a one-line message that names the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.models.base.adapter import as_model
from ramify.testing.values import Factory, checkerboard


def _refuses(call: Callable[[], Any], what: str, *names: str) -> None:
    try:
        call()
    except InputError as error:
        text = str(error)
        assert "\n" not in text, f"the error for {what} has several lines: {text}"
        missing = [name for name in names if name.lower() not in text.lower()]
        assert not missing, f"the error for {what} does not name {missing}: {text}"
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__} ({error}), but must raise InputError") from error
    raise AssertionError(f"{what} is accepted, but must raise InputError")


def _spoilt(matrix: Any, value: Any) -> Any:
    dense = matrix.toarray().astype(np.result_type(matrix.dtype, type(value)))
    dense[3, 1] = value
    return dense


def check_refuses_bad_features(factory: Factory) -> None:
    """X with NaN, infinity, strings, objects or complex numbers, or of a wrong shape, raises InputError."""
    problem = checkerboard()
    X, Y = problem.X, problem.Y
    cases = [
        ("NaN in X", _spoilt(X, np.nan), ("X", "NaN", "row 3")),
        ("infinity in X", _spoilt(X, np.inf), ("X", "infinite", "row 3")),
        ("NaN in a sparse X", sp.csr_matrix(_spoilt(X, np.nan)), ("X", "NaN")),
        ("float64 values beyond float32", X.toarray().astype(float) * 1e300, ("X", "infinite")),
        ("sparse float64 values beyond float32", X.astype(np.float64) * 1e300, ("X", "infinite")),
        ("complex X", X.toarray().astype(complex), ("complex",)),
        ("sparse complex X", X.astype(complex), ("X", "complex")),
        ("strings in X", np.full(X.shape, "word"), ("X",)),
        ("objects in X", np.full(X.shape, object()), ("X",)),
        ("X of ragged lists", [[1.0], [1.0, 2.0]], ("X",)),
        ("X of one dimension", np.ones(X.shape[0]), ("X", "dimension")),
        ("X of three dimensions", np.ones((2, 2, 2)), ("X", "dimension")),
        ("X without rows", np.ones((0, 3)), ("X",)),
        ("X without columns", np.ones((X.shape[0], 0)), ("X",)),
        ("no X", None, ("X",)),
        ("a string as X", "text", ("X",)),
    ]
    for what, bad, names in cases:
        _refuses(lambda bad=bad: factory().fit(bad, Y), what, *names)  # type: ignore[misc]
    model = factory().fit(X, Y)
    for what, bad, names in cases:
        _refuses(lambda bad=bad: model.predict_topk(bad, 2), f"prediction with {what}", *names)  # type: ignore[misc]
    _refuses(lambda: model.predict_topk(X[:, :5], 2), "X with a wrong number of columns", "X", "5", str(X.shape[1]))


def check_refuses_bad_labels(factory: Factory) -> None:
    """Y of a wrong shape, with negative values, NaN or strings, or without positive entries, raises InputError."""
    problem = checkerboard()
    X, Y = problem.X, problem.Y
    cases = [
        ("Y with fewer rows than X", Y[:-1], (str(X.shape[0]), str(X.shape[0] - 1))),
        ("negative values in Y", _spoilt(Y, -1.0), ("Y", "-1")),
        ("NaN in Y", _spoilt(Y, np.nan), ("Y", "NaN")),
        ("complex Y", Y.toarray().astype(complex), ("complex",)),
        ("strings in Y", np.full(Y.shape, "label"), ("Y",)),
        ("Y of one dimension", np.ones(X.shape[0]), ("Y", "dimension")),
        ("Y of lists of ids", [[1, 2], [3]] * (X.shape[0] // 2), ("Y",)),
        ("Y without any label", np.zeros(Y.shape), ("Y", "nothing to learn")),
        ("Y without columns", np.zeros((X.shape[0], 0)), ("Y",)),
        ("no Y", None, ("Y",)),
    ]
    for what, bad, names in cases:
        _refuses(lambda bad=bad: factory().fit(X, bad), what, *names)  # type: ignore[misc]


def check_refuses_bad_numbers(factory: Factory) -> None:
    """A k, beam, threads or seed that is out of range or of a wrong type raises InputError."""
    problem = checkerboard()
    model = factory().fit(problem.X, problem.Y)
    for k in (0, -1, 11, 1.5, "3", True):
        _refuses(lambda k=k: model.predict_topk(problem.X_test, k), f"k = {k!r}", "k is", str(k))  # type: ignore[misc]
    beams = (0, -2, 1.5, "3") if "beam" in as_model(model).abilities else (3,)
    for beam in beams:
        call = lambda beam=beam: model.predict_topk(problem.X_test, 2, beam=beam)  # noqa: E731
        _refuses(call, f"beam = {beam!r}", "beam", str(beam))
    for name, values in (("threads", (0, -1, 1.5, "2")), ("seed", (-1, 0.5, "a", None))):
        if name not in factory().get_params():
            continue
        for value in values:
            bad = factory().set_params(**{name: value})
            _refuses(lambda bad=bad: bad.fit(problem.X, problem.Y), f"{name} = {value!r}", name, str(value))  # type: ignore[misc]


def check_refuses_bad_restrictions(factory: Factory) -> None:
    """Unknown allowed or forbidden labels, or matrices of a wrong shape, raise InputError."""
    problem = checkerboard()
    model = factory().fit(problem.X, problem.Y)
    X = problem.X_test[:4]
    for name in ("allowed", "forbidden"):
        for what, bad in [
            ("an id too large", [10]),
            ("a negative id", [-1]),
            ("names instead of ids", ["red"]),
            ("fractions instead of ids", [0.5]),
            ("a number instead of a list", 3),
            ("a string", "label"),
            ("a mask of another length", np.ones(9, bool)),
            ("a matrix of another shape", np.ones((4, 9))),
            ("a matrix with other rows", sp.csr_matrix(np.ones((3, 10)))),
            ("NaN in a matrix", np.full((4, 10), np.nan)),
        ]:
            given = {name: bad}
            _refuses(lambda given=given: model.predict_topk(X, 2, **given), f"{what} in {name}", name)  # type: ignore[misc]


def check_refuses_to_answer_unfitted(factory: Factory) -> None:
    """Methods of an unfitted model raise scikit-learn's NotFittedError."""
    from sklearn.exceptions import NotFittedError

    model, X = factory(), checkerboard().X_test
    for name in ("predict_topk", "predict", "decision_function", "to_state"):
        if not hasattr(model, name):
            continue
        try:
            getattr(model, name)(*(() if name == "to_state" else (X,)))
        except NotFittedError:
            continue
        raise AssertionError(f"{name} of an unfitted model does not raise NotFittedError")


REFUSAL_CHECKS = (
    check_refuses_bad_features,
    check_refuses_bad_labels,
    check_refuses_bad_numbers,
    check_refuses_bad_restrictions,
    check_refuses_to_answer_unfitted,
)
