"""Matchers that are given the whole tree, and that hand features to the ranker."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import LinearRanker, Partitioned, TopK
from ramify.index import KMeansIndexer
from ramify.models.parts.matching import ModelMatcher, as_matcher, cluster_targets
from ramify.testing.values import planted_clusters, precision
from ramify.values import LabelTree

PROBLEM = planted_clusters(8, 4)
TREE = LabelTree(
    (np.array([0, 0], np.int32), np.array([0, 0, 1], np.int32), np.array([0, 0, 1, 2, 2], np.int32)),
    np.array([3, 1, 0, 2, 1], np.int32),
    4,
)


class LevelWise:
    """Records its problem, and matches by the means of the clusters' instances; labels of the tree are its features."""

    def __init__(self, n_embedded=0):
        self.n_embedded = n_embedded

    def fit_matching(self, problem):
        self.problem = problem
        targets = problem.targets[-1]
        self.means = np.asarray((targets.T @ problem.training.X).todense())
        self.hidden = np.asarray((problem.training.Y.T @ problem.training.X).todense())

    def match(self, request):
        scores = np.asarray(request.X @ self.means.T, np.float32)
        scores /= scores.max(axis=1, keepdims=True) + 1
        labels = np.argsort(-scores, axis=1, kind="stable")[:, : request.k].astype(np.int32)
        embedded = np.asarray(request.X @ self.hidden.T, np.float32) if self.n_embedded else None
        return TopK(labels, np.take_along_axis(scores, labels, axis=1)), embedded


class Recorder:
    """A ranker that keeps the width of its features."""

    def fit(self, problem, *, seed=0, threads=1):
        self.width = problem.X.shape[1]

    def rank(self, X, candidates, *, threads=1):
        assert X.shape[1] == self.width
        return sp.csr_matrix((np.ones_like(candidates.data), candidates.indices, candidates.indptr), candidates.shape)


def test_targets_of_every_level_are_the_nodes_above_the_labels():
    Y = sp.csr_matrix(np.eye(4, dtype=np.float32)[[0, 1, 3]])
    top, clusters = cluster_targets(Y, TREE)
    assert clusters.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [1, 0, 0]]
    assert top.toarray().tolist() == [[1, 0], [1, 1], [1, 0]]


def test_a_matcher_of_levels_gets_the_whole_tree():
    indexer = KMeansIndexer(branching=2, max_leaf=4)
    model = Partitioned(indexer=indexer, matcher=LevelWise(), beam=2, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    problem = model.matcher_.problem
    assert problem.tree.depth > 2
    assert [one.shape[1] for one in problem.targets] == list(problem.tree.level_sizes[:-1])
    assert model.tree_.depth == 2
    assert model.tree_.level_sizes[0] == problem.tree.level_sizes[-2]
    assert precision(model.predict_topk(PROBLEM.X_test, 1), PROBLEM.Y_test) > 0.8


@pytest.mark.parametrize(("n_embedded", "width"), [(0, 0), (1, PROBLEM.Y.shape[1])])
def test_features_of_the_matcher_reach_the_ranker(n_embedded, width):
    matcher = LevelWise(n_embedded)
    model = Partitioned(matcher=matcher, ranker=Recorder(), max_leaf=4, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    assert model.ranker_.width == PROBLEM.X.shape[1] + width
    model.predict_topk(PROBLEM.X_test, 3)


def test_a_linear_ranker_learns_from_the_features_of_the_matcher():
    """X of the ranker alone names clusters only; the matcher's features name labels."""
    X = PROBLEM.X.copy()

    class Oracle(LevelWise):
        def match(self, request):
            top, _ = super().match(request)
            return top, np.asarray(request.X @ self.hidden.T > 0, np.float32)

    plain, embedded = (
        Partitioned(matcher=matcher, ranker=LinearRanker(), max_leaf=4, threads=1, path_weight=0.0).fit(X, PROBLEM.Y)
        for matcher in (LevelWise(), Oracle())
    )
    assert embedded.ranker_.search_.n_features == plain.ranker_.search_.n_features + PROBLEM.Y.shape[1]
    assert precision(embedded.predict_topk(PROBLEM.X_test, 1), PROBLEM.Y_test) > 0.8


def test_models_serve_as_matchers():
    assert isinstance(as_matcher(object()), ModelMatcher)
    own = LevelWise()
    assert as_matcher(own) is own
