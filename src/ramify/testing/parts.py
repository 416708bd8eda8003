"""What every matcher and every ranker of ``Partitioned`` must do."""

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
    """Clusters in range, each once, scores in 0..1, the best first; as many as are asked for where it can."""
    problem, _, targets = _clusters()
    matcher = factory()
    matcher.fit(problem.X, targets)
    for k in (1, 3, targets.shape[1]):
        top = matcher.predict_topk(problem.X_test, k)
        shape = (problem.X_test.shape[0], k)
        assert top.labels.shape == shape, f"predict_topk gives labels of shape {top.labels.shape}, not {shape}"
        given = top.labels >= 0
        assert (top.labels < targets.shape[1]).all(), "predict_topk names clusters that do not exist"
        scores = top.scores[given]
        assert ((scores >= 0) & (scores <= 1)).all(), "the scores of clusters must lie in 0..1"
        assert (top.scores[:, :-1] >= top.scores[:, 1:]).all(), "the best cluster must come first"
        for row, found in zip(top.labels, given, strict=True):
            assert len(set(row[found])) == found.sum(), "a cluster is named twice"


def check_matcher_is_steady(factory: Factory) -> None:
    """The same training gives the same answers, and so does asking for instances one by one."""
    problem, _, targets = _clusters()
    first, second = factory(), factory()
    for matcher in (first, second):
        matcher.fit(problem.X, targets)
    X = problem.X_test[:40]
    whole = first.predict_topk(X, 3)
    assert same(whole, second.predict_topk(X, 3)), "the same training gives other answers"
    for row in range(5):
        one = first.predict_topk(X[[row]], 3)
        assert np.array_equal(one.labels[0], whole.labels[row]), "an instance alone gets other clusters than in a batch"


def _fitted(factory: Factory) -> tuple[Any, Problem]:
    problem, tree, targets = _clusters()
    vectors = PIFA().represent(problem.X, problem.Y)
    ranker = factory()
    ranker.fit(RankingProblem(problem.X, problem.Y, tree, targets, vectors), seed=0, threads=1)
    return ranker, problem


def _candidates(Y: CSR, seed: int = 0) -> CSR:
    """The labels of each instance and as many others; the first instance has none."""
    rng = np.random.default_rng(seed)
    asked = (rng.random(Y.shape) < 0.2) | (Y.toarray() > 0)
    asked[0] = False
    return sp.csr_matrix(asked.astype(np.float32))


def check_ranker_scores_what_it_is_asked(factory: Factory) -> None:
    """The same entries as the candidates, scores in 0..1; nothing for no candidate."""
    ranker, problem = _fitted(factory)
    candidates = _candidates(problem.Y_test)
    scored = ranker.rank(problem.X_test, candidates, threads=1)
    alike = np.array_equal(scored.indptr, candidates.indptr) and np.array_equal(scored.indices, candidates.indices)
    assert alike, "rank must give the stored entries of the candidates, no others, in their order"
    assert ((scored.data >= 0) & (scored.data <= 1)).all(), "the scores of labels must lie in 0..1"
    nothing = empty_csr(*candidates.shape)
    assert ranker.rank(problem.X_test, nothing, threads=1).nnz == 0, "rank gives scores where there is no candidate"


def check_ranker_is_steady(factory: Factory) -> None:
    """The same scores for an instance alone, in a batch, and among other candidates; the caller's matrices stay."""
    ranker, problem = _fitted(factory)
    candidates = _candidates(problem.Y_test)
    before = candidates.copy()
    whole = ranker.rank(problem.X_test, candidates, threads=1)
    assert (candidates - before).nnz == 0, "rank changes the caller's candidates"
    for row in (1, 2, 3):
        one = ranker.rank(problem.X_test[[row]], candidates[[row]], threads=1)
        assert np.allclose(one.data, whole[row].data, rtol=1e-5), "an instance alone gets other scores than in a batch"


def check_ranker_ranks(factory: Factory) -> None:
    """Of two candidates the right one mostly has the higher score, where each label has a word of its own."""
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
    assert share >= 0.8, f"the right label has the higher score in {share:.1%} of pairs, where 80% is easy"


MATCHER_CHECKS = (check_matcher_answers, check_matcher_is_steady)
RANKER_CHECKS = (check_ranker_scores_what_it_is_asked, check_ranker_is_steady, check_ranker_ranks)


def check_matcher(factory: Factory) -> None:
    """Run every check of ``MATCHER_CHECKS``.

    Parameters
    ----------
    factory : callable
        Makes an unfitted matcher: an object with ``fit(X, Y)`` over clusters and ``predict_topk(X, k)``. It need not
        be good: ``check_model`` tells whether it learns.

    Raises
    ------
    AssertionError
        The first check that it does not pass.
    """
    for check in MATCHER_CHECKS:
        check(factory)


def check_ranker(factory: Factory) -> None:
    """Run every check of ``RANKER_CHECKS``.

    Parameters
    ----------
    factory : callable
        Makes an unfitted ranker: an object with ``fit(problem, seed, threads)`` and ``rank(X, candidates, threads)``.

    Raises
    ------
    AssertionError
        The first check that it does not pass.
    """
    for check in RANKER_CHECKS:
        check(factory)
