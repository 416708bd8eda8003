"""Checks of indexers: every used label has a leaf, similar labels share parents, and results are reproducible."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ramify.label_vectors import PIFA
from ramify.testing.values import Factory, NotApplicableError, planted_clusters, run_check
from ramify.values import CSR, LabelTree, as_csr


def _problem(n_clusters: int = 8, labels_each: int = 4) -> tuple[Any, CSR]:
    problem = planted_clusters(n_clusters, labels_each)
    return PIFA().represent(problem.X, problem.Y), problem.Y


def _equal(first: LabelTree, second: LabelTree) -> bool:
    return (
        len(first.parents) == len(second.parents)
        and all(np.array_equal(a, b) for a, b in zip(first.parents, second.parents, strict=True))
        and np.array_equal(first.leaf_labels, second.leaf_labels)
    )


def check_every_used_label_has_a_leaf(factory: Factory) -> None:
    """Every label with instances has a leaf, and the tree covers the whole label space."""
    Z, Y = _problem()
    tree = factory().build(Z, Y)
    assert isinstance(tree, LabelTree), f"build returned a {type(tree).__name__}, but must return a LabelTree"
    assert tree.n_labels == Y.shape[1], f"the tree has {tree.n_labels} labels, but Y has {Y.shape[1]}"
    missing = set(Y.indices.tolist()) - set(tree.leaf_labels.tolist())
    assert not missing, f"labels {sorted(missing)} have instances, but no leaf"


def check_same_seed_same_tree(factory: Factory) -> None:
    """The same seed gives the same tree for any number of threads."""
    Z, Y = _problem()
    first = factory().build(Z, Y, seed=3, threads=1)
    for threads in (1, 2, 3):
        assert _equal(factory().build(Z, Y, seed=3, threads=threads), first), (
            f"the tree with {threads} thread(s) differs from the first"
        )


def check_inputs_stay(factory: Factory) -> None:
    """``build`` modifies neither Z nor Y."""
    Z, Y = _problem()
    before = [array.copy() for matrix in (Z, Y) for array in (matrix.data, matrix.indices, matrix.indptr)]
    factory().build(Z, Y)
    after = [array for matrix in (Z, Y) for array in (matrix.data, matrix.indices, matrix.indptr)]
    same = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert same, "build modifies the caller's matrices"


def check_similar_labels_share_parents(factory: Factory) -> None:
    """Labels of the same planted cluster share a parent more often than other labels."""
    Z, Y = _problem()
    tree = factory().build(Z, Y)
    if tree.depth < 2 or tree.overlapping or len(tree.parents[-1]) == tree.level_sizes[-2]:
        raise NotApplicableError("the tree has no clusters of several labels each")
    parent = tree.parents[-1][np.argsort(tree.leaf_labels)]
    together = parent[:, None] == parent
    cluster = np.sort(tree.leaf_labels) // 4
    planted = cluster[:, None] == cluster
    others = ~np.eye(len(cluster), dtype=bool)
    inside, outside = together[planted & others].mean(), together[~planted].mean()
    assert inside > outside, f"{inside:.0%} of similar labels share a parent, but {outside:.0%} of dissimilar ones"


def check_odd_label_sets(factory: Factory) -> None:
    """A tree is built for one label, equal labels, labels without a vector and labels without instances."""
    cases: list[tuple[str, Any, Any]] = [
        ("one label", as_csr([[1.0, 0.0]]), as_csr(np.ones((3, 1)))),
        ("equal labels", as_csr(np.ones((9, 2))), as_csr(np.ones((3, 9)))),
        ("labels without a vector", as_csr(np.vstack([np.zeros((5, 2)), np.eye(2)])), as_csr(np.ones((3, 7)))),
        ("unused labels", as_csr(np.eye(6)), as_csr(np.tile([1, 0, 1, 0, 1, 0], (3, 1)))),
    ]
    for what, Z, Y in cases:
        tree = factory().build(Z, Y)
        missing = set(Y.indices.tolist()) - set(tree.leaf_labels.tolist())
        assert not missing, f"case {what}: labels {sorted(missing)} have no leaf"


INDEXER_CHECKS = (
    check_every_used_label_has_a_leaf,
    check_same_seed_same_tree,
    check_inputs_stay,
    check_similar_labels_share_parents,
    check_odd_label_sets,
)


def check_indexer(factory: Factory, *, lacks: Collection[str] = ()) -> None:
    """Run every check of ``INDEXER_CHECKS``.

    Parameters
    ----------
    factory : callable
        Returns an indexer: an object with ``build(Z, Y, *, seed, threads)`` that returns a LabelTree. The checks use up
        to 32 labels.
    lacks : collection of str, optional
        Names of the checks that do not apply.

    Raises
    ------
    AssertionError
        A check fails, or a check does not apply and is not in ``lacks``.
    """
    for check in INDEXER_CHECKS:
        run_check(check, factory, lacks)
