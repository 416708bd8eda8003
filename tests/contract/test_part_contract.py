"""Every matcher and ranker passes the public contract suite, and the suite rejects wrong ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Ensemble, NearestInstances, XRLinear
from ramify.models import CosineRanker, LinearRanker, MixedRanker, PopularLabels
from ramify.models.neighbours.dense import DenseNeighbours
from ramify.testing import MATCHER_CHECKS, RANKER_CHECKS, check_matcher, check_ranker
from ramify.values import TopK

MATCHERS = {
    "linear": lambda: XRLinear(threads=1),
    "nearest": lambda: NearestInstances(threads=1),
    "dense": lambda: DenseNeighbours(dimensions=8, threads=1),
    "dense-labels": lambda: DenseNeighbours(among="labels", threads=1),
    "popular": PopularLabels,
    "ensemble": lambda: Ensemble(XRLinear(branching=2, max_leaf=2), trees=2, threads=1),
}
RANKERS = {
    "linear": LinearRanker,
    "linear-tfn": lambda: LinearRanker(negatives="tfn", score_transform="sigmoid", precision="bf16"),
    "cosine": CosineRanker,
    "mixed": lambda: MixedRanker(share=0.5),
}


@pytest.mark.parametrize("check", MATCHER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_matcher_"))
@pytest.mark.parametrize("name", MATCHERS)
def test_matchers(name, check):
    if name.startswith("dense"):
        pytest.importorskip("usearch", reason="needs the extra ann")
    check(MATCHERS[name])


@pytest.mark.parametrize("check", RANKER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_ranker_"))
@pytest.mark.parametrize("name", RANKERS)
def test_rankers(name, check):
    check(RANKERS[name])


def test_the_suite_rejects_a_matcher_that_repeats_clusters():
    class Echo(PopularLabels):
        def predict_topk(self, X, k=None):
            top = super().predict_topk(X, k)
            return TopK(np.repeat(top.labels[:, :1], k, axis=1), np.repeat(top.scores[:, :1], k, axis=1))

    with pytest.raises(AssertionError, match="twice"):
        check_matcher(Echo)


def test_the_suite_rejects_rankers_that_guess_or_drop_entries():
    class Guess(CosineRanker):
        def rank(self, X, candidates, /, *, threads=1):
            scores = ((candidates.indices * 37) % 101 / 101).astype(np.float32)
            return sp.csr_matrix((scores, candidates.indices, candidates.indptr), shape=candidates.shape)

    class Forgetful(CosineRanker):
        def rank(self, X, candidates, /, *, threads=1):
            scored = super().rank(X, candidates, threads=threads)
            scored.eliminate_zeros()
            return scored

    with pytest.raises(AssertionError, match="higher score"):
        check_ranker(Guess)
    with pytest.raises(AssertionError, match="stored entries"):
        check_ranker(Forgetful)
