"""Checks that a model learns simple problems."""

from __future__ import annotations

import numpy as np

from ramify.testing.values import Factory, checkerboard, planted_clusters, popular, precision, same


def check_learns_planted_clusters(factory: Factory) -> None:
    """P@1 is at least 0.9 if each label has its own feature; the most frequent label has at most 0.1."""
    problem = planted_clusters()
    model = factory().fit(problem.X, problem.Y)
    reached = precision(model.predict_topk(problem.X_test, 3), problem.Y_test)
    baseline = float(np.asarray(problem.Y_test[:, int(popular(problem.Y)[0])].mean()))
    assert reached >= 0.9, (
        f"P@1 is {reached:.3f} on planted clusters, but must be at least 0.9 (most frequent label: {baseline:.3f})"
    )


def check_learns_the_checkerboard(factory: Factory) -> None:
    """At least 90% of the first 5 labels of even instances are even, and of odd instances odd."""
    problem = checkerboard()
    model = factory().fit(problem.X, problem.Y)
    top = model.predict_topk(problem.X_test, 5)
    assert (top.labels >= 0).all(), "fewer than 5 of the 10 labels are predicted"
    right = (top.labels % 2 == (np.arange(len(top)) % 2)[:, None]).mean()
    assert right >= 0.9, f"{1 - right:.1%} of the labels have the wrong parity, but at most 10% may"


def check_fits_again(factory: Factory) -> None:
    """A second fit does not depend on the first."""
    first, second = planted_clusters(seed=1), checkerboard()
    again = factory().fit(first.X, first.Y).fit(second.X, second.Y)
    once = factory().fit(second.X, second.Y)
    assert same(again.predict_topk(second.X_test, 3), once.predict_topk(second.X_test, 3)), (
        "a model that is fitted twice predicts differently from one fitted once"
    )


LEARNING_CHECKS = (check_learns_planted_clusters, check_learns_the_checkerboard, check_fits_again)
