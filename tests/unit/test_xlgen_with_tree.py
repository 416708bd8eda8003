"""XLGen joined with a tree: candidates that constrain the generator, written labels that the tree ranks, ensembles."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

import ramify
from ramify import Ensemble, InputError, ModelFileError, Tagger, Tfidf, TopK, XLGen, XLGenWithTree, XRLinear
from ramify.exchange import Request, Sizes, Training
from ramify.features.static_vectors import StaticVectors
from ramify.generate import with_tree as home
from ramify.index import FixedTree, tree_from_clusters
from ramify.models.base.adapter import restricted
from ramify.store import MANIFEST
from ramify.strings import StringTable
from ramify.values import as_csr
from tiny_encoder import save_tiny_encoder

PARTS = [["salt", "fresh"], ["water", "fire", "stone", "air"]]
NAMES = [f"{first} {second}" for first in PARTS[0] for second in PARTS[1]]
"""Eight labels of two words, so that the generator can write labels that it never saw."""
UNSEEN = NAMES.index("fresh air")
TEXTS = [f"about {NAMES[number]} and {NAMES[(number * 3) % 7]}" for number in range(7)] * 4
LABELS = [sorted({number, (number * 3) % 7}) for number in range(7)] * 4
Y = as_csr([[label in labels for label in range(8)] for labels in LABELS])
SMALL = {"threads": 1, "branching": 2, "max_leaf": 2}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), [*TEXTS, *NAMES])


@pytest.fixture(scope="module")
def generator(encoder):
    return XLGen(
        encoder=encoder, epochs=20, batch_size=8, decoder_learning_rate=0.01, held_out=0.0, threads=1, max_target=32
    )


@pytest.fixture(scope="module", name="X")
def features():
    return Tfidf(min_df=1, threads=1).fit_transform(TEXTS)


@pytest.fixture(scope="module")
def training(X):
    return Training(X=X, Y=Y, texts=TEXTS, label_names=NAMES)


@pytest.fixture(scope="module", name="request_")
def questions(X):
    return Request(X=X[:7], texts=TEXTS[:7], k=8)


@pytest.fixture(scope="module")
def joined(training, generator):
    """One fit; the tests answer with other settings of it."""
    return XLGenWithTree(XRLinear(**SMALL), generator, candidates=3, seed=4, threads=1).fit_training(training)


def other(model, **settings):
    """The fitted model with other settings."""
    return clone(model).set_params(**settings)._set_parts(model.ranker_, model.generator_)


class Scripted(XLGen):
    """Writes the same labels for every text, among the permitted ones."""

    RULES = XLGen.RULES
    ANSWER = ((6, 0.75), (UNSEEN, 0.5), (1, 0.25))

    def _rank(self, request):
        n = len(request)
        labels, scores = zip(*self.ANSWER, strict=True)
        top = TopK(np.tile(np.array(labels, np.int32), (n, 1)), np.tile(np.array(scores, np.float32), (n, 1)))
        request.report(1.0)
        return restricted(top, request.k, request.allowed, request.forbidden)

    def size(self):
        return Sizes(features=None, labels=8, reachable=3)

    def __sklearn_is_fitted__(self):
        return True


@pytest.fixture(scope="module")
def scripted(X):
    """A tree whose beam of one cluster misses most labels, and a generator with known answers."""
    tree = XRLinear(**SMALL, indexer=FixedTree(tree_from_clusters([[0, 1], [2, 3], [4, 5], [6]], 8)), beam=1)
    generator = Scripted()
    generator.n_labels_ = 8
    return XLGenWithTree(tree, generator, way="rerank", share=0.0, threads=1)._set_parts(tree.fit(X, Y), generator)


def by_hand(rows, weights):
    """The weighted means of scores by label, 0 for a ranking without the label: one dict per instance."""
    found = []
    for rankings in zip(*rows, strict=True):
        scores = {}
        for ranking, weight in zip(rankings, weights, strict=True):
            for label, score in ranking:
                scores[label] = scores.get(label, 0.0) + weight * score / sum(weights)
        found.append(scores)
    return found


def check_scores(top, wanted):
    """The labels of a ranking have these scores, and no other label has a higher one."""
    for row, scores in zip(top.rows(), wanted, strict=True):
        best = sorted(scores.values(), reverse=True)[: top.k]
        assert [score for _, score in row] == pytest.approx(best, abs=1e-6)
        assert dict(row) == pytest.approx({label: scores[label] for label, _ in row}, abs=1e-6)


# --- constrain ---


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("candidates", [1, 3])
def test_the_generator_writes_candidates_of_the_tree_only(joined, request_, candidates, share):
    model = other(joined, candidates=candidates, share=share)
    reached = joined.ranker_.predict_topk(request_.X, candidates)
    free = joined.generator_.answer(replace(request_, X=None))
    found = model.answer(request_)
    outside = 0
    for row, own, alone in zip(found.labels, reached.labels, free.labels, strict=True):
        assert set(row[row >= 0]) == set(own[own >= 0])
        outside += len(set(alone[alone >= 0]) - set(own))
    assert outside > 0, "the generator alone writes other labels"


def test_constrained_scores_are_the_weighted_mean_of_both(joined, request_):
    model = other(joined, share=0.3, candidates=7)
    reached = joined.ranker_.predict_topk(request_.X, 7)
    only = reached.matrix(reached.labels >= 0, np.ones_like(reached.scores), 8)
    written = joined.generator_.answer(replace(request_, X=None, k=7, allowed=only))
    assert (written.labels == -1).any(), "the generator does not write every candidate"
    check_scores(model.answer(request_), by_hand([reached.rows(), written.rows()], [0.7, 0.3]))


def test_a_label_without_a_training_document_is_no_candidate(joined, request_):
    assert (other(joined, candidates=8).answer(request_).labels != UNSEEN).all()


def test_nothing_is_written_where_no_candidate_can_be(joined, request_):
    one = other(joined, share=1.0).answer(replace(request_, allowed=[UNSEEN]))
    assert (one.labels == -1).all()
    assert np.isneginf(one.scores).all()


# --- rerank ---


def test_written_labels_that_the_beam_missed_are_scored_by_the_tree(scripted, request_):
    reached, found = scripted.ranker_.predict_topk(request_.X, 8), scripted.answer(request_)
    exact = scripted.ranker_.decision_function(request_.X)
    missed = [6 not in row or 1 not in row for row in reached.labels]
    assert any(missed)
    for row, (own, ranked) in enumerate(zip(reached.labels, found.rows(), strict=True)):
        wanted = {label: exact[row, label] for label in {*own[own >= 0].tolist(), 6, 1}} | {UNSEEN: 0.5}
        assert dict(ranked) == pytest.approx(wanted)


def test_the_share_weighs_the_generator_in_the_rerank(scripted, request_):
    reached, exact = scripted.ranker_.predict_topk(request_.X, 8), scripted.ranker_.decision_function(request_.X)
    own = [
        [(label, exact[row, label]) for label in {*labels[labels >= 0].tolist(), 6, 1}] + [(UNSEEN, 0.5)]
        for row, labels in enumerate(reached.labels)
    ]
    found = other(scripted, share=0.25).answer(request_)
    check_scores(found, by_hand([own, [Scripted.ANSWER] * 7], [0.75, 0.25]))


def test_the_number_of_candidates_and_restrictions_hold(scripted, request_):
    few = other(scripted, candidates=1).answer(request_)
    best = scripted.ranker_.predict_topk(request_.X, 1).labels[:, 0]
    for row, label in zip(few.labels, best, strict=True):
        assert set(row[row >= 0]) == {label, 6, UNSEEN, 1}
    for labels in scripted.answer(replace(request_, allowed=[UNSEEN, 2], forbidden=[6])).labels:
        assert UNSEEN in labels
        assert set(labels) <= {-1, UNSEEN, 2}


def test_the_beam_of_a_request_is_that_of_the_tree(scripted, joined, request_):
    wider = other(scripted, candidates=8).answer(replace(request_, beam=4))
    assert (np.sort(wider.labels, axis=1) == np.arange(8)).all()
    written = joined.generator_.answer(replace(request_, X=None)).rows()
    found = other(joined, way="rerank", share=1.0, candidates=1).answer(replace(request_, beam=1)).rows()
    for row, wanted in zip(found, written, strict=True):
        assert [label for label, score in row if score > 0] == [label for label, _ in wanted]


def test_progress_is_that_of_the_generator(scripted, X):
    shares = []
    many = Request(X=X[np.arange(2 * home.ROWS) % 28], texts=TEXTS[:1] * 2 * home.ROWS, k=2)
    scripted.answer(replace(many, progress=lambda stage, done: shares.append(done)))
    assert shares == [0.5, 1.0]


@pytest.mark.parametrize("way", home.WAYS)
def test_large_requests_are_answered_in_parts(joined, request_, way, monkeypatch):
    model, shares = other(joined, way=way), []
    mask = np.random.default_rng(0).random((7, 8)) < 0.6
    requests = [request_, replace(request_, allowed=mask), replace(request_, forbidden=mask)]
    whole = [model.answer(one) for one in requests]
    monkeypatch.setattr(home, "ROWS", 3)
    for one, wanted in zip(requests, whole, strict=True):
        found = model.answer(replace(one, progress=lambda stage, done: shares.append(done)))
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert shares.count(1.0) == len(requests)


def test_label_sets_have_no_limit_below_the_candidates(joined, request_):
    for way in home.WAYS:
        model = other(joined, way=way)
        top = model.answer(request_)
        wanted = (top.labels >= 0) & (top.scores >= 0.5)
        assert (model.decide(request_) != top.matrix(wanted, np.ones_like(top.scores), 8)).nnz == 0


# --- training, saving ---


def test_both_parts_learn_from_the_same_data_with_one_seed(joined, training, generator):
    tree = XRLinear(**SMALL, seed=4).fit_training(training)
    alone = clone(generator).set_params(seed=4).fit_training(replace(training, X=None))
    assert joined.ranker_.seed == joined.generator_.seed == 4
    for part, wanted in ((joined.ranker_, tree), (joined.generator_, alone)):
        own, arrays = part.to_state()[1], wanted.to_state()[1]
        assert own.keys() == arrays.keys()
        assert all(np.array_equal(own[name], arrays[name]) for name in own)


def test_progress_and_an_interrupted_fit(joined, training, request_):
    reported = {}
    model = clone(joined).set_params(generator__epochs=1, tree__max_leaf=None)
    listening = replace(training, progress=lambda stage, done: reported.setdefault(stage, []).append(done))
    model.fit_training(listening)
    assert set(reported) == {"choose", "train", "pack", "tokens", "fine-tune"}
    assert all(shares == sorted(shares) and shares[-1] == 1 for shares in reported.values())

    def interrupt(stage, done):
        if stage == "fine-tune":
            raise KeyboardInterrupt

    before = joined.answer(request_)
    with pytest.raises(KeyboardInterrupt):
        joined.fit_training(replace(training, progress=interrupt))
    np.testing.assert_array_equal(joined.answer(request_).scores, before.scores)


@pytest.mark.parametrize("way", home.WAYS)
def test_a_loaded_model_answers_and_learns_alike(joined, training, request_, way, tmp_path):
    model = other(joined, way=way, share=0.4)
    model.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.answer(request_).scores, model.answer(request_).scores)
    settings = clone(loaded).get_params()
    for name in ("way", "share", "candidates", "tree__max_leaf", "generator__epochs", "generator__encoder"):
        assert settings[name] == model.get_params()[name]
    assert loaded.size() == model.size()
    assert model.size().weights == model.ranker_.size().weights + model.generator_.size().weights


def test_proposals_are_those_of_the_generator(joined, request_):
    found = joined.proposals(request_)
    assert found == joined.generator_.proposals(replace(request_, X=None))


# --- bad input ---


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tree": XLGen()}, "tree is XLGen(), but must be an XRLinear or None"),
        ({"tree": Ensemble()}, "tree is Ensemble(), but must be an XRLinear or None"),
        ({"generator": XRLinear()}, "generator is XRLinear(), but must be an XLGen or None"),
        ({"generator": XLGen}, "but must be an XLGen or None"),
        ({"generator": XLGen(epochs=0)}, "epochs is 0, but must be a whole number of at least 1"),
        ({"way": "both"}, "way is 'both', but must be one of constrain, rerank"),
        ({"candidates": 0}, "candidates is 0, but must be a whole number of at least 1 and at most 100000"),
        ({"candidates": 10**6}, "candidates is 1000000, but must be"),
        ({"share": 1.5}, "share is 1.5, but must be a number of at least 0 and at most 1"),
        ({"tree": XRLinear(score_transform="log-sigmoid")}, "score_transform of the tree is 'log-sigmoid', but"),
    ],
)
def test_settings_that_make_no_sense(settings, sentence, training):
    with pytest.raises(InputError) as caught:
        XLGenWithTree(**settings).fit_training(training)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_checked_in_answers_too(joined, request_):
    with pytest.raises(InputError, match="way is 'x'"):
        other(joined, way="x").answer(request_)


def test_data_that_do_not_fit(joined, training, request_):
    with pytest.raises(InputError, match="there are 3 texts, but 28 rows: give one text for each row"):
        clone(joined).fit_training(replace(training, texts=TEXTS[:3]))
    with pytest.raises(InputError, match="there are 3 texts, but 7 rows"):
        joined.answer(replace(request_, texts=TEXTS[:3]))
    for field in ("X", "texts"):
        with pytest.raises(InputError, match=f"XLGenWithTree requires {field}"):
            joined.answer(replace(request_, **{field: None}))


def swap_the_parts(config):
    config["tree"], config["generator"] = config["generator"], config["tree"]


def repeat_the_tree(config):
    config["generator"] = config["tree"]


def drop_the_generator(config):
    del config["generator"]


def put_a_list_in_place_of_the_tree(config):
    config["tree"] = []


def invent_a_way(config):
    config["settings"]["way"] = "os.system"


def average_logarithms(config):
    config["tree"]["config"]["settings"]["score_transform"] = "log-sigmoid"


HARMS = (
    swap_the_parts, repeat_the_tree, drop_the_generator, put_a_list_in_place_of_the_tree, invent_a_way,
    average_logarithms,
)  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_changed_model_directory_is_refused(joined, tmp_path, harm):
    joined.save(tmp_path / "m")
    body = json.loads((tmp_path / "m" / MANIFEST).read_text("utf-8"))
    harm(body["config"])
    (tmp_path / "m" / MANIFEST).write_text(json.dumps(body), "utf-8")
    with pytest.raises(ModelFileError) as caught:
        ramify.load(tmp_path / "m", verify=False)
    assert "\n" not in str(caught.value)


def test_parts_of_other_labels_are_refused(joined, X):
    config, arrays = joined.to_state()
    fewer = XRLinear(**SMALL).fit(X, Y[:, :7])
    theirs, own = fewer.to_state()
    arrays = {name: array for name, array in arrays.items() if not name.startswith("tree/")}
    arrays |= {f"tree/{name}": array for name, array in own.items()}
    changed = config | {"tree": {"class": "XRLinear", "config": theirs}}
    with pytest.raises(ModelFileError, match="its tree has 7 labels, its generator 8"):
        XLGenWithTree.from_state(changed, arrays)


# --- XLGen as a member of an ensemble ---


@pytest.fixture(scope="module")
def ensemble(generator):
    model = Ensemble([XRLinear(**SMALL), generator], weights=[3, 1], candidates=6, threads=1)
    return Tagger(model, vectorizer=Tfidf(min_df=1, threads=1)).fit(
        TEXTS, [[NAMES[label] for label in labels] for labels in LABELS]
    )


def test_an_ensemble_is_the_weighted_merge_of_its_members(ensemble):
    tree, generator = ensemble.model_.members_
    X = ensemble.features(TEXTS[:7])
    written = generator.answer(Request(texts=TEXTS[:7], k=6))
    assert (written.labels == -1).any(), "the generator ranks fewer labels than it may"
    wanted = by_hand([tree.predict_topk(X, 6).rows(), written.rows()], [3, 1])
    check_scores(ensemble.predict_topk(TEXTS[:7], 6), wanted)


@pytest.mark.parametrize("combine", ["rank", "softmax", "sigmoid"])
def test_missing_labels_have_no_value_in_other_merges(ensemble, combine):
    model = Ensemble.of(ensemble.model_.members_, combine=combine, weights=[3, 1]).set_params(candidates=6)
    X = ensemble.features(TEXTS[:7])
    value = {
        "rank": lambda scores: [1 - rank / 6 for rank in range(len(scores))],
        "softmax": lambda scores: np.exp(scores) / np.exp(scores).sum(),
        "sigmoid": lambda scores: 1 / (1 + np.exp(-np.array(scores))),
    }[combine]
    rows = [member.answer(Request(X=X, texts=TEXTS[:7], k=6)).rows() for member in model.members_]
    valued = [
        [list(zip(labels, value(scores), strict=True)) for labels, scores in (zip(*row, strict=True) for row in one)]
        for one in rows
    ]
    check_scores(model.answer(Request(X=X, texts=TEXTS[:7], k=6)), by_hand(valued, [3, 1]))


def test_an_ensemble_of_generators_needs_no_features(generator, tmp_path):
    labels = [[NAMES[label] for label in labels] for labels in LABELS]
    quick = clone(generator).set_params(epochs=1)
    tagger = Tagger(Ensemble(quick, trees=2, threads=1)).fit(TEXTS, labels)
    assert tagger.vectorizer_ is None
    assert [member.seed for member in tagger.model_.members_] == [0, 1]
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m").tag(TEXTS[:7], 3) == tagger.tag(TEXTS[:7], 3)
    assert str(tagger.explain(TEXTS[0]))


def test_an_ensemble_with_a_generator_is_saved_explained_and_decides(ensemble, tmp_path):
    ensemble.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert loaded.tag(TEXTS[:7], 3) == ensemble.tag(TEXTS[:7], 3)
    assert loaded.tag(TEXTS[:1], 3, beam=2) == ensemble.tag(TEXTS[:1], 3, beam=2)
    assert [list(row) for row in loaded.predict(TEXTS[:7])] == [list(row) for row in ensemble.predict(TEXTS[:7])]
    assert loaded.tag(["", TEXTS[0]], 3)[0] == []
    explained = loaded.explain(TEXTS[0])
    assert [member.model for member in explained.labels[0].reason.members] == ["XRLinear", "XLGen"]


@pytest.mark.parametrize("make", [lambda g: Ensemble([XRLinear(), g]), lambda g: XLGenWithTree(XRLinear(), g)])
def test_features_may_have_a_dense_block(generator, make):
    words = sorted({word for text in TEXTS for word in text.split()})
    vectors = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
    vectorizer = Tfidf(min_df=1) + ramify.StaticEncoder(StaticVectors(vectors, words=StringTable.of(words)))
    labels = [[NAMES[label] for label in labels] for labels in LABELS]
    tagger = Tagger(make(clone(generator).set_params(epochs=1)), vectorizer=vectorizer).fit(TEXTS, labels)
    assert tagger.score(TEXTS, labels) > 0.9


def test_a_generator_ignores_features(generator, training):
    model = clone(generator).set_params(epochs=1).fit_training(training)
    top = model.answer(Request(X=training.X[:3], texts=TEXTS[:3], k=2))
    np.testing.assert_array_equal(top.labels, model.answer(Request(texts=TEXTS[:3], k=2)).labels)


def test_labels_of_a_text_are_counted_by_their_tokens(joined):
    generator = clone(joined.generator_).set_params(beam=2, max_target=5)
    generator.n_labels_ = 100
    assert generator._reachable() == 4
    assert other(joined, way="rerank").size().reachable == 8
    assert joined.size().reachable == 3
