"""Checks on small and unusual training data."""

from __future__ import annotations

import numpy as np

from ramify.testing.values import Factory, checkerboard, precision
from ramify.values import Bool, Float32, as_csr


def check_one_label(factory: Factory) -> None:
    """A label space of one label is trained and predicted."""
    X = as_csr(np.eye(4, dtype=np.float32))
    top = factory().fit(X, as_csr([[1], [0], [1], [0]])).predict_topk(X, 1)
    assert (top.labels[[0, 2]] == 0).all(), "the only label is not predicted for its instances"


def check_one_instance(factory: Factory) -> None:
    """A single training instance is enough."""
    X, Y = as_csr([[0.6, 0.0, 0.8]]), as_csr([[0, 1, 1, 0]])
    top = factory().fit(X, Y).predict_topk(X, 2)
    assert set(top.labels[0].tolist()) == {1, 2}, (
        f"the labels of the only instance are 1 and 2, but {top.labels[0]} are predicted"
    )


def check_a_label_of_all(factory: Factory) -> None:
    """A label of every instance is among the first 6 labels of at least 90% of instances."""
    problem = checkerboard()
    Y = problem.Y.toarray()
    Y[:, 3] = 1
    top = factory().fit(problem.X, Y).predict_topk(problem.X_test, 6)
    missing = (top.labels != 3).all(axis=1).mean()
    assert missing <= 0.1, f"a label of every instance is not among the first 6 labels of {missing:.0%} of instances"


def check_unused_labels(factory: Factory) -> None:
    """Labels without instances do not change the predictions or the label ids of other labels."""
    problem = checkerboard()
    Y = np.zeros((problem.Y.shape[0], 31), np.float32)
    Y[:, 1:31:3] = problem.Y.toarray()
    top = factory().fit(problem.X, Y).predict_topk(problem.X_test, 3)
    assert (top.labels >= 0).all(), "fewer than 3 labels are predicted if some labels are unused"
    wanted = np.zeros((problem.Y_test.shape[0], 31), np.float32)
    wanted[:, 1:31:3] = (np.arange(len(wanted))[:, None] + np.arange(10)) % 2 == 0
    assert precision(top, as_csr(wanted), 3) >= 0.95, "P@3 is below 0.95 if some labels are unused"


def check_empty_rows(factory: Factory) -> None:
    """Instances without features or labels are allowed in training and prediction."""
    problem = checkerboard()
    X, Y = problem.X.toarray(), problem.Y.toarray()
    X[::7] = 0
    Y[3::7] = 0
    model = factory().fit(X, Y)
    queries = problem.X_test.toarray()
    queries[0] = 0
    top = model.predict_topk(queries, 4)
    assert not np.isnan(top.scores).any(), "the scores of an instance without features are NaN"
    assert precision(model.predict_topk(X[1::7], 3), as_csr(_parity(len(X))[1::7]), 3) >= 0.9, (
        "P@3 is below 0.9 if some training instances have no features or labels"
    )


def _parity(n: int) -> Float32:
    board: Bool = (np.arange(n)[:, None] + np.arange(10)) % 2 == 0
    return board.astype(np.float32)


def check_repeated_instances(factory: Factory) -> None:
    """Equal instances with different labels: all their labels are predicted."""
    X = as_csr(np.tile(np.array([[1, 0, 0.5], [0, 1, 0.5]], np.float32), (30, 1)))
    Y = np.zeros((60, 6), np.float32)
    Y[np.arange(60), np.arange(60) % 6] = 1
    top = factory().fit(X, Y).predict_topk(X[:2], 3)
    for row in (0, 1):
        assert set(top.labels[row].tolist()) == {row, row + 2, row + 4}, (
            "not all labels of repeated instances are predicted"
        )


def check_huge_and_tiny_features(factory: Factory) -> None:
    """Scores are not NaN for features of any magnitude, also if it differs between training and prediction."""
    problem = checkerboard()
    for size in (1e-6, 1e4):
        model = factory().fit(problem.X * np.float32(size), problem.Y)
        for scale in (1e-30, 1.0, 1e30):
            top = model.predict_topk(problem.X_test * np.float32(scale), 3)
            assert not np.isnan(top.scores).any(), f"the scores are NaN for features of magnitude {scale:g}"


EDGE_CHECKS = (
    check_one_label,
    check_one_instance,
    check_a_label_of_all,
    check_unused_labels,
    check_empty_rows,
    check_repeated_instances,
    check_huge_and_tiny_features,
)
