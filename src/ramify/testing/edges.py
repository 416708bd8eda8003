"""Small and odd problems that real data bring: a model must learn what there is, and never fall over."""

from __future__ import annotations

import numpy as np

from ramify.testing.values import Factory, checkerboard, precision
from ramify.values import Bool, Float32, as_csr


def check_one_label(factory: Factory) -> None:
    """A label space of one."""
    X = as_csr(np.eye(4, dtype=np.float32))
    top = factory().fit(X, as_csr([[1], [0], [1], [0]])).predict_topk(X, 1)
    assert (top.labels[[0, 2]] == 0).all(), "the only label is not predicted where it belongs"


def check_one_instance(factory: Factory) -> None:
    """A single instance to learn from."""
    X, Y = as_csr([[0.6, 0.0, 0.8]]), as_csr([[0, 1, 1, 0]])
    top = factory().fit(X, Y).predict_topk(X, 2)
    assert set(top.labels[0].tolist()) == {1, 2}, f"the labels of the only instance are 1, 2, not {top.labels[0]}"


def check_a_label_of_all(factory: Factory) -> None:
    """A label that every instance has comes first or near it everywhere."""
    problem = checkerboard()
    Y = problem.Y.toarray()
    Y[:, 3] = 1
    top = factory().fit(problem.X, Y).predict_topk(problem.X_test, 6)
    missing = (top.labels != 3).all(axis=1).mean()
    assert missing <= 0.1, f"a label that every instance has is not among the first 6 for {missing:.0%} of instances"


def check_unused_labels(factory: Factory) -> None:
    """Labels without any instance do no harm; column numbers stay."""
    problem = checkerboard()
    Y = np.zeros((problem.Y.shape[0], 31), np.float32)
    Y[:, 1:31:3] = problem.Y.toarray()
    top = factory().fit(problem.X, Y).predict_topk(problem.X_test, 3)
    assert (top.labels >= 0).all(), "labels are missing beside unused ones"
    wanted = np.zeros((problem.Y_test.shape[0], 31), np.float32)
    wanted[:, 1:31:3] = (np.arange(len(wanted))[:, None] + np.arange(10)) % 2 == 0
    assert precision(top, as_csr(wanted), 3) >= 0.95, "unused labels between the others lead the model astray"


def check_empty_rows(factory: Factory) -> None:
    """Instances without features or without labels, while learning and while asking."""
    problem = checkerboard()
    X, Y = problem.X.toarray(), problem.Y.toarray()
    X[::7] = 0
    Y[3::7] = 0
    model = factory().fit(X, Y)
    asked = problem.X_test.toarray()
    asked[0] = 0
    top = model.predict_topk(asked, 4)
    assert not np.isnan(top.scores).any(), "an empty instance gives scores that are NaN"
    assert precision(model.predict_topk(X[1::7], 3), as_csr(_parity(len(X))[1::7]), 3) >= 0.9, (
        "empty instances lead the model astray"
    )


def _parity(n: int) -> Float32:
    board: Bool = (np.arange(n)[:, None] + np.arange(10)) % 2 == 0
    return board.astype(np.float32)


def check_repeated_instances(factory: Factory) -> None:
    """The same instance many times, with other labels each time."""
    X = as_csr(np.tile(np.array([[1, 0, 0.5], [0, 1, 0.5]], np.float32), (30, 1)))
    Y = np.zeros((60, 6), np.float32)
    Y[np.arange(60), np.arange(60) % 6] = 1
    top = factory().fit(X, Y).predict_topk(X[:2], 3)
    for row in (0, 1):
        assert set(top.labels[row].tolist()) == {row, row + 2, row + 4}, "repeated instances lead the model astray"


def check_huge_and_tiny_features(factory: Factory) -> None:
    """Features far from 1 in size, also much larger when asked than when learnt: scores stay numbers."""
    problem = checkerboard()
    for size in (1e-6, 1e4):
        model = factory().fit(problem.X * np.float32(size), problem.Y)
        for asked in (1e-30, 1.0, 1e30):
            top = model.predict_topk(problem.X_test * np.float32(asked), 3)
            assert not np.isnan(top.scores).any(), f"features of size {asked:g} give scores that are NaN"


EDGE_CHECKS = (
    check_one_label,
    check_one_instance,
    check_a_label_of_all,
    check_unused_labels,
    check_empty_rows,
    check_repeated_instances,
    check_huge_and_tiny_features,
)
