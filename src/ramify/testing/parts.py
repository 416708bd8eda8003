"""Checks of matchers and rankers for ``Partitioned``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.index import tree_from_assignment
from ramify.label_vectors import PIFA
from ramify.protocols import RankingProblem
from ramify.testing.values import Factory, Problem, planted_clusters, same
from ramify.values import CSR, LabelTree, empty_csr

LABELS_EACH = 4


def _clusters() -> tuple[Problem, LabelTree, CSR]:
    """Planted clusters, the tree of these clusters, and Y over clusters."""
    problem = planted_clusters(8, LABELS_EACH)
    tree = tree_from_assignment(np.arange(problem.Y.shape[1]) // LABELS_EACH)
    targets = sp.csr_matrix(problem.Y @ tree.leaf_matrix() @ tree.membership(1))
    targets.data[:] = 1
    return problem, tree, targets


def check_matcher_answers(factory: Factory) -> None:
    """Clusters are in range and distinct, scores are in 0..1 and descending, and the shape is (n, k)."""
    problem, _, targets = _clusters()
    matcher = factory()
    matcher.fit(problem.X, targets)
    for k in (1, 3, targets.shape[1]):
        top = matcher.predict_topk(problem.X_test, k)
        shape = (problem.X_test.shape[0], k)
        assert top.labels.shape == shape, (
            f"predict_topk returned labels of shape {top.labels.shape}, but must return {shape}"
        )
        given = top.labels >= 0
        assert (top.labels < targets.shape[1]).all(), "predict_topk returned clusters that do not exist"
        scores = top.scores[given]
        assert ((scores >= 0) & (scores <= 1)).all(), "the scores of clusters must be in 0..1"
        assert (top.scores[:, :-1] >= top.scores[:, 1:]).all(), "the best cluster must come first"
        for row, found in zip(top.labels, given, strict=True):
            assert len(set(row[found])) == found.sum(), "a cluster is returned twice"


def check_matcher_is_deterministic(factory: Factory) -> None:
    """The same training gives the same predictions, and single instances the same as a batch."""
    problem, _, targets = _clusters()
    first, second = factory(), factory()
    for matcher in (first, second):
        matcher.fit(problem.X, targets)
    X = problem.X_test[:40]
    whole = first.predict_topk(X, 3)
    assert same(whole, second.predict_topk(X, 3)), "two equal trainings give different predictions"
    for row in range(5):
        one = first.predict_topk(X[[row]], 3)
        assert np.array_equal(one.labels[0], whole.labels[row]), (
            "the clusters of an instance differ between a single call and a batch"
        )


def _fitted(factory: Factory) -> tuple[Any, Problem]:
    problem, tree, targets = _clusters()
    vectors = PIFA().represent(problem.X, problem.Y)
    ranker = factory()
    ranker.fit(RankingProblem(problem.X, problem.Y, tree, targets, vectors), seed=0, threads=1)
    return ranker, problem


def _candidates(Y: CSR, seed: int = 0) -> CSR:
    """Candidates: the labels of each instance and random others; none for the first instance."""
    rng = np.random.default_rng(seed)
    chosen = (rng.random(Y.shape) < 0.2) | (Y.toarray() > 0)
    chosen[0] = False
    return sp.csr_matrix(chosen.astype(np.float32))


def check_ranker_scores_candidates(factory: Factory) -> None:
    """The result has the entries of the candidates, with scores in 0..1; it is empty without candidates."""
    ranker, problem = _fitted(factory)
    candidates = _candidates(problem.Y_test)
    scored = ranker.rank(problem.X_test, candidates, threads=1)
    alike = np.array_equal(scored.indptr, candidates.indptr) and np.array_equal(scored.indices, candidates.indices)
    assert alike, "rank must return exactly the stored entries of the candidates, in their order"
    assert ((scored.data >= 0) & (scored.data <= 1)).all(), "the scores of labels must be in 0..1"
    nothing = empty_csr(*candidates.shape)
    assert ranker.rank(problem.X_test, nothing, threads=1).nnz == 0, "rank returned scores without candidates"


def check_ranker_is_deterministic(factory: Factory) -> None:
    """Single instances get the same scores as a batch; the caller's matrices are not modified."""
    ranker, problem = _fitted(factory)
    candidates = _candidates(problem.Y_test)
    before = candidates.copy()
    whole = ranker.rank(problem.X_test, candidates, threads=1)
    assert (candidates - before).nnz == 0, "rank modifies the caller's candidates"
    for row in (1, 2, 3):
        one = ranker.rank(problem.X_test[[row]], candidates[[row]], threads=1)
        assert np.allclose(one.data, whole[row].data, rtol=1e-5), (
            "the scores of an instance differ between a single call and a batch"
        )


def check_ranker_ranks(factory: Factory) -> None:
    """A correct candidate has a higher score than a wrong one in at least 80% of pairs, on planted clusters."""
    ranker, problem = _fitted(factory)
    candidates = _candidates(problem.Y_test)
    scores = ranker.rank(problem.X_test, candidates, threads=1).toarray()
    right = problem.Y_test.toarray() > 0
    wrong = (candidates.toarray() > 0) & ~right
    better = [
        (scores[row, right[row]][:, None] > scores[row, wrong[row]]).mean()
        for row in range(1, len(scores))
        if right[row].any() and wrong[row].any()
    ]
    share = float(np.mean(better))
    assert share >= 0.8, f"the correct label has the higher score in {share:.1%} of pairs, but must in at least 80%"


MATCHER_CHECKS = (check_matcher_answers, check_matcher_is_deterministic)
RANKER_CHECKS = (check_ranker_scores_candidates, check_ranker_is_deterministic, check_ranker_ranks)


def check_matcher(factory: Factory) -> None:
    """Run every check of ``MATCHER_CHECKS``.

    Parameters
    ----------
    factory : callable
        Returns an unfitted matcher: an object with ``fit(X, Y)`` over clusters and ``predict_topk(X, k)``. Its
        precision is not checked; ``check_model`` does that.

    Raises
    ------
    AssertionError
        A check fails.
    """
    for check in MATCHER_CHECKS:
        check(factory)


def check_ranker(factory: Factory) -> None:
    """Run every check of ``RANKER_CHECKS``.

    Parameters
    ----------
    factory : callable
        Returns an unfitted ranker: an object with ``fit(problem, seed, threads)`` and ``rank(X, candidates, threads)``.

    Raises
    ------
    AssertionError
        A check fails.
    """
    for check in RANKER_CHECKS:
        check(factory)
