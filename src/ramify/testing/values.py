"""Small synthetic data for the contract suite, and helpers of the checks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ramify.exchange import ABILITIES
from ramify.models.base.adapter import as_model
from ramify.values import CSR, Int64, TopK, as_csr

Factory: TypeAlias = Callable[[], Any]
"""Returns a new unfitted part."""


@dataclass(frozen=True)
class Problem:
    """Training and test instances.

    Parameters
    ----------
    X, X_test : csr_matrix, shape (n, d) and (m, d)
        Features.
    Y, Y_test : csr_matrix, shape (n, L) and (m, L)
        0/1 label assignments.
    """

    X: CSR
    Y: CSR
    X_test: CSR
    Y_test: CSR


def planted_clusters(n_clusters: int = 8, labels_each: int = 4, seed: int = 0) -> Problem:
    """Clusters and labels with features of their own; about 18 training instances per label."""
    rng = np.random.default_rng(seed)
    n_labels = n_clusters * labels_each
    n = 24 * n_labels
    X = np.zeros((n, n_clusters * 3 + n_labels + 10), np.float32)
    Y = np.zeros((n, n_labels), np.float32)
    for row in range(n):
        cluster = rng.integers(n_clusters)
        labels = cluster * labels_each + rng.choice(labels_each, rng.integers(1, 3), replace=False)
        Y[row, labels] = 1
        X[row, cluster * 3 + rng.integers(0, 3, 2)] = 1
        X[row, n_clusters * 3 + labels] = rng.uniform(0.8, 1.2, len(labels))
        X[row, n_clusters * 3 + n_labels + rng.integers(0, 10, 2)] = 0.5  # features without information
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    half = n // 2
    return Problem(as_csr(X[:half]), as_csr(Y[:half]), as_csr(X[half:]), as_csr(Y[half:]))


def checkerboard(n_labels: int = 10, n: int = 120, seed: int = 0) -> Problem:
    """Even instances have 3 even features and 3 even labels; odd instances have odd ones."""
    rng = np.random.default_rng(seed)
    X, Y = np.zeros((n, 12), np.float32), np.zeros((n, n_labels), np.float32)
    for row in range(n):
        X[row, row % 2 + 2 * rng.choice(6, 3, replace=False)] = 1
        Y[row, row % 2 + 2 * rng.choice(n_labels // 2, 3, replace=False)] = 1
    half = n // 2
    return Problem(as_csr(X[:half]), as_csr(Y[:half]), as_csr(X[half:]), as_csr(Y[half:]))


def popular(Y: CSR) -> Int64:
    """Labels by frequency, the most frequent first."""
    return np.argsort(-np.bincount(Y.indices, minlength=Y.shape[1]), kind="stable")


def precision(top: TopK, Y: CSR, k: int = 1) -> float:
    """Share of the first k labels that are correct."""
    truth = Y.toarray() > 0
    rows = np.arange(len(top))[:, None]
    labels = top.labels[:, :k]
    return float((truth[rows, np.maximum(labels, 0)] & (labels >= 0)).mean())


def same(first: TopK, second: TopK) -> bool:
    """Whether two rankings are bitwise equal."""
    return np.array_equal(first.labels, second.labels) and np.array_equal(first.scores, second.scores)


class NotApplicableError(Exception):
    """A check needs an ability or a setting that the part does not have."""


def need_ability(model: Any, ability: str) -> None:
    """Raise NotApplicableError if a model lacks an ability, AssertionError if it has an unknown one."""
    abilities = as_model(model).abilities
    unknown = abilities - ABILITIES.keys()
    assert not unknown, (
        f"abilities contains {', '.join(sorted(unknown))}, but must be a subset of {', '.join(ABILITIES)}"
    )
    if ability not in abilities:
        raise NotApplicableError(f"{type(model).__name__} does not have the ability {ability}")


def need_method(model: Any, method: str) -> None:
    """Raise NotApplicableError if a model lacks an optional method."""
    if not hasattr(model, method):
        raise NotApplicableError(f"{type(model).__name__} has no method {method}")


def run_check(check: Callable[[Factory], None], factory: Factory, lacks: Collection[str] = ()) -> None:
    """Run one check; if it is in ``lacks``, check that it does not apply.

    Raises
    ------
    AssertionError
        The check fails, it does not apply and is not in ``lacks``, or it applies and is in ``lacks``.
    """
    name = check.__name__
    try:
        check(factory)
    except NotApplicableError as reason:
        assert name in lacks, f"{name} does not apply ({reason}): add it to lacks, or add the ability"
        return
    assert name not in lacks, f"{name} is in lacks, but applies and passes: remove it from lacks"


def with_settings(factory: Factory, **settings: Any) -> Any:
    """A new part with those settings that it has."""
    part = factory()
    known = part.get_params(deep=False)
    return part.set_params(**{name: value for name, value in settings.items() if name in known})
