"""An ensemble is its members, trained as they would be alone, and answers for all of them."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

import ramify
from ramify import Ensemble, InputError, Tagger, Tfidf, TopK, XRLinear
from ramify.label_vectors import PIFA, GraphSpectrum
from ramify.models.mixtures import merged as home
from ramify.models.mixtures.merging import Merger
from ramify.tagger.explain.sizes import describe, tagger_of_tree
from ramify.testing.values import checkerboard, planted_clusters, same

SMALL = {"branching": 3, "max_leaf": 4, "threads": 1}


@pytest.fixture(scope="module")
def problem():
    return planted_clusters(6, 3)


class Popular(BaseEstimator):
    """Every instance gets the labels by frequency: the least that a member can be."""

    def fit(self, X, Y):
        counts = np.asarray(Y.sum(axis=0)).ravel()
        self.order_ = np.argsort(-counts, kind="stable").astype(np.int32)
        self.scores_ = (counts[self.order_] / counts.max()).astype(np.float32)
        self.n_features_in_, self.n_labels_ = X.shape[1], Y.shape[1]
        return self

    def predict_topk(self, X, k):
        n = X.shape[0]
        return TopK(np.tile(self.order_[:k], (n, 1)), np.tile(self.scores_[:k], (n, 1)))

    def to_state(self):
        return {"n_features": self.n_features_in_}, {"order": self.order_, "scores": self.scores_}

    @classmethod
    def from_state(cls, config, arrays):
        model = cls()
        model.order_, model.scores_ = arrays["order"], arrays["scores"]
        model.n_features_in_, model.n_labels_ = config["n_features"], len(model.order_)
        return model


class CountedPIFA:
    """PIFA that counts how often it is made; clones share the list."""

    def __init__(self):
        self.made = []

    def __deepcopy__(self, memo):
        return self

    def represent(self, X, Y, *, threads=1):
        self.made.append(threads)
        return PIFA().represent(X, Y, threads=threads)


def test_members_are_the_models_that_seeds_would_give_alone(problem):
    models = [XRLinear(**SMALL, seed=4), XRLinear(**SMALL, loss="logistic", representation=GraphSpectrum())]
    ensemble = Ensemble(models, trees=2, threads=2).fit(problem.X, problem.Y)
    assert [member.seed for member in ensemble.members_] == [4, 5, 0, 1]
    assert [member.threads for member in ensemble.members_] == [2] * 4
    for member in ensemble.members_:
        alone = clone(member).fit(problem.X, problem.Y)
        theirs, own = member.to_state()[1], alone.to_state()[1]
        assert theirs.keys() == own.keys()
        assert all(np.array_equal(theirs[name], own[name]) for name in own)
        assert member.representation is None or isinstance(member.representation, GraphSpectrum)


def test_one_tree_is_that_tree(problem):
    tree = XRLinear(**SMALL).fit(problem.X, problem.Y)
    ensemble = Ensemble(XRLinear(**SMALL)).fit(problem.X, problem.Y)
    assert same(ensemble.predict_topk(problem.X_test, 4), tree.predict_topk(problem.X_test, 4))


def test_equal_scores_keep_the_order_of_the_members():
    labels = np.array([[2, 0, 1], [2, 1, 0]], np.int32)
    merger = Merger(combine="average", weights=np.ones(2), candidates=3)
    for first, second in ((0, 1), (0, 0), (1, 1)):
        found, scores = merger.merge_one(labels[[first, second]], np.ones((2, 3), np.float32), 3)
        assert found[0].tolist() == [2, *([1, 0] if first == second == 1 else [0, 1])]
        assert (scores == 1).all()


def test_the_average_is_the_mean_of_the_scores(problem):
    ensemble = Ensemble(XRLinear(**SMALL), trees=3, weights=[5], candidates=18, threads=1).fit(problem.X, problem.Y)
    scores = np.zeros(problem.Y_test.shape)
    for member in ensemble.members_:
        top = member.predict_topk(problem.X_test, 18)
        rows, ranks = np.nonzero(top.labels >= 0)
        scores[rows, top.labels[rows, ranks]] += top.scores[rows, ranks] / 3
    top = ensemble.predict_topk(problem.X_test, 3)
    np.testing.assert_allclose(top.scores, -np.sort(-scores, axis=1)[:, :3], rtol=1e-6)


def test_label_vectors_are_made_once(problem):
    counted = CountedPIFA()
    ensemble = Ensemble(XRLinear(**SMALL, representation=counted), trees=3, threads=1)
    ensemble.fit(problem.X, problem.Y)
    assert counted.made == [1]
    ensemble.fit(problem.X, problem.Y)
    assert counted.made == [1, 1]


def test_an_interrupted_fit_leaves_nothing_behind(problem):
    ensemble = Ensemble(XRLinear(**SMALL), trees=3, threads=1)

    def interrupt(stage, done):
        if stage == "train" and done > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(problem.X, problem.Y, progress=interrupt)
    assert not hasattr(ensemble, "members_")
    fitted = ensemble.fit(problem.X, problem.Y)
    before = fitted.predict_topk(problem.X_test, 3)
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(problem.X, problem.Y, progress=interrupt)
    assert same(fitted.predict_topk(problem.X_test, 3), before)


def test_progress_is_a_share_of_all_members(problem):
    reported = {}
    ensemble = Ensemble(XRLinear(**SMALL), trees=3, threads=1)
    ensemble.fit(problem.X, problem.Y, progress=lambda stage, done: reported.setdefault(stage, []).append(done))
    ensemble.predict_topk(problem.X_test, 3, progress=lambda stage, done: reported.setdefault(stage, []).append(done))
    assert set(reported) == {"choose", "represent", "index", "train", "pack", "predict"}
    for shares in reported.values():
        assert shares == sorted(shares)
        assert shares[-1] == 1
    assert reported["represent"][:3] == [0, 1 / 3, 1 / 3]


def test_weights_are_the_models_and_shared_by_their_trees(problem):
    ensemble = Ensemble([XRLinear(**SMALL), Popular()], trees=3, weights=[3, 1], threads=1).fit(problem.X, problem.Y)
    assert [type(member).__name__ for member in ensemble.members_] == ["XRLinear"] * 3 + ["Popular"]
    assert ensemble.weights_.tolist() == [1, 1, 1, 1]
    heavy = Ensemble([XRLinear(**SMALL), Popular()], weights=[1, 1e9], threads=1).fit(problem.X, problem.Y)
    assert (heavy.predict_topk(problem.X_test, 1).labels == heavy.members_[1].order_[0]).all()


def test_members_that_know_nothing_but_to_rank(problem, tmp_path):
    ensemble = Ensemble([XRLinear(**SMALL), Popular()], threads=1).fit(problem.X, problem.Y)
    assert not hasattr(ensemble, "score_pairs")
    assert not hasattr(ensemble, "decision_function")
    top, ask = ensemble.predict_topk(problem.X_test, 3), ensemble.single(3)
    for number, row in enumerate(problem.X_test):
        labels, scores = ask(row.indices, row.data)
        assert np.array_equal(labels[0], top.labels[number])
        assert np.array_equal(scores[0], top.scores[number])
    assert (ensemble.predict_topk(problem.X_test, 3, allowed=[1]).labels <= 1).all()
    with pytest.raises(InputError, match="sample_weight is given, but the member Popular does not use it"):
        ensemble.fit(problem.X, problem.Y, sample_weight=np.ones(problem.X.shape[0]))
    ensemble.save(tmp_path / "m")
    assert same(ramify.load(tmp_path / "m", parts=[Popular]).predict_topk(problem.X_test, 3), top)
    with pytest.raises(ramify.ModelFileError, match="needs the class 'Popular'"):
        ramify.load(tmp_path / "m")
    with pytest.raises(InputError, match="Ensemble has no beam search"):
        Ensemble(Popular()).fit(problem.X, problem.Y).predict_topk(problem.X_test, 3, beam=2)


def test_given_instances_are_weighed_by_every_member(problem):
    weights = np.r_[np.zeros(20), np.ones(problem.X.shape[0] - 20)]
    ensemble = Ensemble(XRLinear(**SMALL), trees=2, threads=1).fit(problem.X, problem.Y, sample_weight=weights)
    alone = XRLinear(**SMALL, seed=1).fit(problem.X, problem.Y, sample_weight=weights)
    assert same(ensemble.members_[1].predict_topk(problem.X_test, 3), alone.predict_topk(problem.X_test, 3))


def test_large_answers_are_made_in_parts(problem, monkeypatch):
    ensemble = Ensemble(XRLinear(**SMALL), trees=2, threads=1).fit(problem.X, problem.Y)
    mask = np.random.default_rng(0).random(problem.Y_test.shape) < 0.5
    asks = ({}, {"allowed": mask}, {"forbidden": mask}, {"allowed": [1, 2, 3]})
    whole = [ensemble.predict_topk(problem.X_test, 4, **given) for given in asks]
    monkeypatch.setattr(home, "ANSWER", 500)
    shares = []
    parts = [
        ensemble.predict_topk(problem.X_test, 4, **given, progress=lambda stage, done: shares.append(done))
        for given in asks
    ]
    assert all(same(one, other) for one, other in zip(whole, parts, strict=True))
    assert shares.count(1.0) == len(asks)


def test_fitted_models_are_combined_as_they_are(problem):
    members = [XRLinear(**SMALL, seed=seed).fit(problem.X, problem.Y) for seed in (0, 1)]
    together = Ensemble.of(members, combine="rank")
    assert together.members_ == members
    trained = Ensemble(XRLinear(**SMALL), trees=2, combine="rank", threads=1).fit(problem.X, problem.Y)
    assert same(together.predict_topk(problem.X_test, 3), trained.predict_topk(problem.X_test, 3))
    board = checkerboard()
    with pytest.raises(InputError, match="member 1 has 12 features, but member 0 has"):
        Ensemble.of([members[0], XRLinear(threads=1).fit(board.X, board.Y)])
    wider = XRLinear(threads=1).fit(problem.X, np.pad(problem.Y.toarray(), ((0, 0), (0, 2))))
    with pytest.raises(InputError, match="member 1 has 20 labels, but member 0 has 18"):
        Ensemble.of([members[0], wider])


def test_a_wider_beam_reaches_every_tree(problem):
    ensemble = Ensemble(XRLinear(**SMALL, beam=1), trees=2, threads=1).fit(problem.X, problem.Y)
    wide = ensemble.predict_topk(problem.X_test, 3, beam=20)
    assert not same(wide, ensemble.predict_topk(problem.X_test, 3))
    for member in ensemble.members_:
        member.set_params(beam=20)
    assert same(wide, ensemble.predict_topk(problem.X_test, 3))


def test_ensembles_of_ensembles(problem, tmp_path):
    inner = Ensemble(XRLinear(**SMALL), trees=2, combine="softmax")
    outer = Ensemble([inner, XRLinear(**SMALL)], combine="rank", threads=1).fit(problem.X, problem.Y)
    outer.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert same(loaded.predict_topk(problem.X_test, 3), outer.predict_topk(problem.X_test, 3))
    assert loaded.get_params()["combine"] == "rank"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"models": []}, "models is empty"),
        ({"models": ["tree"]}, "models contains 'tree', but must contain objects with fit and predict_topk"),
        ({"models": XRLinear}, "models contains the class XRLinear"),
        ({"combine": "mean"}, "combine is 'mean', but must be one of average, rank, softmax, sigmoid"),
        ({"weights": [1, 2]}, "weights has 2 numbers for 1 models"),
        (
            {"weights": [0.0]},
            "weights is [0.0], but must be a list, not empty, and each entry a number of at least 1e-10",
        ),
        ({"weights": ["a"]}, "weights is ['a'], but must be a list, not empty, and each entry a number"),
        ({"trees": 0}, "trees is 0, but must be a whole number of at least 1"),
        ({"trees": 2, "models": XRLinear(seed=2**32 - 1)}, "seed is 4294967295, but must be"),
        ({"candidates": 0}, "candidates is 0, but must be a whole number of at least 1"),
        ({"models": XRLinear(score_transform="log-sigmoid")}, "score_transform is 'log-sigmoid': combine by 'sigmoid'"),
    ],
)
def test_settings_that_make_no_sense(settings, sentence, problem):
    with pytest.raises(InputError) as caught:
        Ensemble(**settings).fit(problem.X, problem.Y)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tagger_over_an_ensemble(tmp_path):
    texts = ["river lake rain", "flame smoke heat", "river flood rain", "smoke burn heat"] * 3
    labels = [["water"], ["fire"], ["water", "flood"], ["fire", "danger"]] * 3
    model = Ensemble(XRLinear(branching=2, max_leaf=2), trees=3, threads=1)
    tagger = Tagger(model, vectorizer=Tfidf(min_df=1, threads=1)).fit(texts, labels)
    tagger.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert loaded.tag(texts, 2) == tagger.tag(texts, 2)
    assert loaded.tag(texts[:1], 2) == tagger.tag(texts, 2)[:1]
    assert [name for name, _ in loaded.tag(["river"], 1)[0]] == ["water"]
    card = describe(loaded)
    assert [member.seed for member in card.members] == [0, 1, 2]
    assert card.n_weights == sum(member.n_weights for member in card.members) > 0
    assert sum(member.bytes for member in card.members) == card.bytes["model"]
    assert list(card.settings) == ["model", "member0 inside", "vectorizer"]
    second = tagger_of_tree(loaded, 1)
    assert second.model_ is loaded.model_.members_[1]
    assert second.n_documents_ == 12
    with pytest.raises(InputError, match=r"member is 3, but must be in 0\.\.2"):
        tagger_of_tree(loaded, 3)
