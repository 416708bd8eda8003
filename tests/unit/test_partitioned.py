"""Parts combine freely: saved together, refused when they do not fit, and labels without instances found by name."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator

import ramify
from ramify import InputError, NearestInstances, Partitioned, Tfidf, TopK, XRLinear
from ramify.errors import ModelFileError
from ramify.index import KMeansIndexer
from ramify.label_vectors import PIFA, Given, unit_vectors
from ramify.models import CosineRanker, LinearRanker, MixedRanker, PopularLabels
from ramify.testing.values import planted_clusters

PROBLEM = planted_clusters(6, 4)
SMALL = KMeansIndexer(branching=3, max_leaf=3)
PARTS = {
    "linear": {},
    "nearest, cosine": {"matcher": NearestInstances(), "ranker": CosineRanker()},
    "by name": {"matcher": "nearest", "ranker": "mixed", "beam": 3},
    "popular, mixed": {"matcher": PopularLabels(), "ranker": MixedRanker(share=0.4), "path_weight": 0.0},
}


@pytest.mark.parametrize("parts", PARTS)
def test_saved_and_opened(tmp_path, parts):
    model = Partitioned(indexer=SMALL, threads=1, **PARTS[parts]).fit(PROBLEM.X, PROBLEM.Y)
    model.save(tmp_path / "m")
    again = ramify.load(tmp_path / "m")
    found, wanted = again.predict_topk(PROBLEM.X_test, 5), model.predict_topk(PROBLEM.X_test, 5)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.scores, wanted.scores)


class Shares(BaseEstimator):
    """A matcher with the methods of the protocol, of saving, and nothing else."""

    def fit(self, X, Y):
        self.shares = np.asarray(Y.mean(axis=0), np.float32).ravel()
        return self

    def predict_topk(self, X, k):
        best = np.argsort(-self.shares, kind="stable")[:k].astype(np.int32)
        return TopK(np.tile(best, (X.shape[0], 1)), np.tile(self.shares[best], (X.shape[0], 1)))

    def to_state(self):
        return {}, {"shares": self.shares}

    @classmethod
    def from_state(cls, config, arrays):
        matcher = cls()
        matcher.shares = arrays["shares"]
        return matcher


def test_a_matcher_of_ones_own_is_saved_and_opened(tmp_path):
    model = Partitioned(indexer=SMALL, matcher=Shares(), threads=1).fit(PROBLEM.X, PROBLEM.Y)
    model.save(tmp_path / "m")
    again = ramify.load(tmp_path / "m", parts=[Shares])
    found, wanted = again.predict_topk(PROBLEM.X_test, 5), model.predict_topk(PROBLEM.X_test, 5)
    np.testing.assert_array_equal(found.labels, wanted.labels)


def test_many_instances_are_answered_like_one():
    model = Partitioned(indexer=SMALL, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    X = sp.vstack([PROBLEM.X_test] * (2000 // PROBLEM.X_test.shape[0] + 1)).tocsr()
    whole = model.predict_topk(X, 3)
    one = model.predict_topk(X[[1500]], 3)
    np.testing.assert_array_equal(whole.labels[1500], one.labels[0])
    np.testing.assert_array_equal(whole.scores[1500], one.scores[0])


def test_the_linear_ranker_ranks_like_the_leaves_of_the_tree_it_is_taken_from():
    tree = XRLinear(branching=3, max_leaf=3, beam=100, path_weight=0.0, negatives="tfn", threads=1)
    tree.fit(PROBLEM.X, PROBLEM.Y)
    parts = Partitioned(indexer=SMALL, ranker=LinearRanker(negatives="tfn"), beam=100, path_weight=0.0, threads=1)
    parts.fit(PROBLEM.X, PROBLEM.Y)
    np.testing.assert_array_equal(parts.tree_.leaf_labels, tree.tree_.leaf_labels)
    found, wanted = (model.predict_topk(PROBLEM.X_test, 1) for model in (parts, tree))
    assert (found.labels == wanted.labels).mean() > 0.9  # the solver's random order is another


def test_a_label_without_instances_is_found_by_its_name():
    names = ["river fishing", "bank taxes", "road traffic", "bridge traffic"]
    texts = [
        "fishing in the river",
        "river fishing rights",
        "taxes of a bank",
        "a bank and its taxes",
        "road traffic rules",
    ]
    vectorizer = Tfidf(min_df=1)
    X = vectorizer.fit_transform([*texts, *names])[: len(texts)]
    Y = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2]]
    vectors = Given(vectorizer.transform(names))
    indexer = KMeansIndexer(max_leaf=2, branching=2, keep_unused=True)
    settings = {"representation": vectors, "indexer": indexer, "beam": 10, "threads": 1}
    asked = vectorizer.transform(["traffic on the bridge"])
    by_name = Partitioned(**settings, matcher=PopularLabels(), ranker=CosineRanker(), path_weight=0.0).fit(X, Y)
    assert by_name.predict_topk(asked, 1).labels[0, 0] == 3
    mixed = Partitioned(**settings, ranker=MixedRanker(share=0.9), path_weight=0.0).fit(X, Y)
    assert mixed.predict_topk(asked, 1).labels[0, 0] == 3
    np.testing.assert_array_equal(by_name.predict_topk(vectorizer.transform(texts), 1).labels[:, 0], Y.argmax(axis=1))


def test_a_cosine_ranker_may_have_vectors_of_its_own():
    own = sp.csr_matrix(np.roll(PIFA().represent(PROBLEM.X, PROBLEM.Y).toarray(), 1, axis=0))
    settings = {"indexer": SMALL, "beam": 100, "path_weight": 0.0, "threads": 1}
    model = Partitioned(**settings, ranker=CosineRanker(Given(own))).fit(PROBLEM.X, PROBLEM.Y)
    cosines = unit_vectors(PROBLEM.X_test) @ own.T
    np.testing.assert_array_equal(model.predict_topk(PROBLEM.X_test, 1).labels[:, 0], cosines.toarray().argmax(axis=1))


def test_another_beam_for_one_question():
    settings = {"indexer": SMALL, "matcher": "popular", "threads": 1}
    wide, narrow = (Partitioned(**settings, beam=beam).fit(PROBLEM.X, PROBLEM.Y) for beam in (100, 1))
    found, wanted = wide.predict_topk(PROBLEM.X_test, 20, beam=1), narrow.predict_topk(PROBLEM.X_test, 20)
    np.testing.assert_array_equal(found.labels >= 0, wanted.labels >= 0)
    assert (wide.predict_topk(PROBLEM.X_test, 20).labels >= 0).all()
    assert (found.labels[:, -1] == -1).all()
    with pytest.raises(InputError, match="beam is 0"):
        wide.predict_topk(PROBLEM.X_test, 3, beam=0)


class Silent:
    """Has the methods of no part."""


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"matcher": Silent()}, "matcher"),
        ({"matcher": XRLinear}, "matcher"),
        ({"matcher": "linaer"}, "linear, blend, nearest, dense, popular"),
        ({"ranker": None}, "linear, cosine, mixed"),
        ({"max_leaf": 0}, "max_leaf"),
        ({"ranker": Silent()}, "ranker"),
        ({"ranker": LinearRanker(negatives="own")}, "own"),
        ({"ranker": LinearRanker(precision="fp8")}, "precision"),
        ({"ranker": LinearRanker(score_transform="log-l3-hinge")}, "score_transform"),
        ({"ranker": MixedRanker(share=2)}, "share"),
        ({"ranker": CosineRanker(), "representation": Given(np.eye(24, dtype=np.float32))}, "columns"),
        ({"beam": 0}, "beam"),
        ({"path_weight": 2}, "path_weight"),
    ],
)
def test_parts_and_settings_that_do_not_fit(settings, named):
    with pytest.raises(InputError, match=named):
        Partitioned(threads=1, **settings).fit(PROBLEM.X, PROBLEM.Y)


def test_damaged_directories():
    config, arrays = Partitioned(indexer=SMALL, ranker=MixedRanker(), threads=1).fit(PROBLEM.X, PROBLEM.Y).to_state()
    for name in arrays:
        without = {other: array for other, array in arrays.items() if other != name}
        with pytest.raises(ModelFileError):
            Partitioned.from_state(config, without)
    odd = {
        "parents_1": arrays["parents_1"][::-1].copy(),
        "leaf_labels": arrays["leaf_labels"] + 1000,
        "ranker/ranker1/indices": arrays["ranker/ranker1/indices"] + 10**6,
        "ranker/ranker1/indptr": arrays["ranker/ranker1/indptr"][::-1].copy(),
    }
    for name, array in odd.items():
        with pytest.raises(ModelFileError):
            Partitioned.from_state(config, {**arrays, name: array})
    with pytest.raises(ModelFileError):
        Partitioned.from_state({**config, "settings": {"beam": 0}}, arrays)
