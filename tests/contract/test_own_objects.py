"""Objects and subclasses of a user's own in the place of a model, beyond the two documented methods."""

import threading

import numpy as np
import pytest
from test_catalogue import LABELS, TEXTS, OfTexts, Plain, Saveable, _made, _truth

import ramify
from ramify import Disentangled, Ensemble, NearestInstances, Partitioned, Tagger, Tfidf, TopK, XRLinear, catalogue
from ramify.catalogue import MODEL, WRAPPER
from ramify.cli.entry import run
from ramify.errors import InputError
from ramify.exchange import Request, Training
from ramify.models.base.adapter import as_model
from ramify.models.base.persistence import save
from ramify.testing.values import planted_clusters
from ramify.values import as_csr

PROBLEM = planted_clusters(8, 4)
TREE = {"branching": 2, "max_leaf": 2, "threads": 1}


@pytest.fixture(scope="module")
def data():
    return Tfidf().fit_transform(TEXTS), _truth()[0]


class OfBoth(OfTexts):
    """Learns from texts, and ignores features that it is given."""

    def fit_training(self, training):
        super().fit_training(Training(Y=training.Y, texts=training.texts, label_names=training.label_names))

    def answer(self, request):
        return super().answer(Request(texts=request.texts, k=request.k, allowed=request.allowed))


def _ranking(change):
    """A class of ``Plain`` objects whose rankings are changed by a function."""

    class Changed(Plain):
        def predict_topk(self, X, k):
            return change(super().predict_topk(X, k), self, X)

    return Changed


def _read_only(top, model, X):
    for array in (top.labels, top.scores):
        array.setflags(write=False)
    return top


# --- attributes and results of plain objects ---


class Attributes(Plain):
    """Attributes that share their name with methods of ``Model``."""

    size, inside, single, answer, decide, predict = 5, "nothing", None, {}, 1.0, 0


def test_attributes_are_not_taken_for_methods():
    tagger = Tagger(Attributes()).fit(TEXTS, LABELS)
    assert tagger.tag(TEXTS, 3) == Tagger(Plain()).fit(TEXTS, LABELS).tag(TEXTS, 3)
    assert len(tagger.predict(TEXTS[:2])) == 2


@pytest.mark.parametrize(("name", "value"), [("needs", "texts"), ("needs", {"X", "words"}), ("abilities", 3)])
def test_needs_and_abilities_are_checked(name, value):
    model = Plain()
    setattr(model, name, value)
    with pytest.raises(InputError, match=rf"{name} of Plain is .*, but must be a set of some of"):
        getattr(as_model(model), name)


def test_arrays_of_a_model_are_not_changed():
    """A text without features once wrote into the arrays of the model."""
    rows = Tagger(_ranking(_read_only)()).fit(TEXTS, LABELS).tag(["", "river"], 3)
    assert rows[0] == []
    assert len(rows[1]) == 3


@pytest.mark.parametrize("width", [1, 99])
def test_rankings_of_another_width_than_k(width, data):
    made = _ranking(lambda top, model, X: Plain.predict_topk(model, X, width))
    rows = Tagger(made()).fit(TEXTS, LABELS).tag(TEXTS[:4], 3)
    assert [len(row) for row in rows] == [min(width, 3)] * 4
    ensemble = Ensemble([made(), XRLinear(**TREE)]).fit(*data)
    assert ensemble.predict_topk(data[0], 3).labels.shape == (len(TEXTS), 3)


def test_labels_out_of_range_are_refused():
    model = _ranking(lambda top, model, X: TopK(top.labels + 9, top.scores))
    with pytest.raises(InputError, match=r"Changed ranks label \d+, but must rank labels of 0\.\.8"):
        Tagger(model()).fit(TEXTS, LABELS).tag(TEXTS, 3)


# --- ensembles and partitioned models around them ---


@pytest.mark.parametrize("order", [1, -1])
def test_an_ensemble_of_texts_and_features(order, tmp_path):
    members = [OfBoth(), XRLinear(**TREE)][::order]
    tagger = Tagger(Ensemble(members)).fit(TEXTS, LABELS)
    rows = tagger.tag(TEXTS, 3)
    assert np.mean([row[0][0] in labels for row, labels in zip(rows, LABELS, strict=True)]) > 0.9
    assert tagger.tag(TEXTS[:1], 3) == rows[:1]
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m", parts=[OfBoth]).tag(TEXTS, 3) == rows


@pytest.mark.parametrize("members", [1, 2])
def test_ensembles_of_objects_without_sizes_are_saved(members, tmp_path):
    tagger = Tagger(Ensemble([Saveable(), XRLinear(**TREE)][:members])).fit(TEXTS, LABELS)
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m", parts=[Saveable]).tag(TEXTS, 3) == tagger.tag(TEXTS, 3)


def test_ensembles_of_fitted_objects_without_sizes(data):
    plain = Plain()
    plain.fit(*data)
    top = Ensemble.of([plain, XRLinear(**TREE).fit(*data)]).predict_topk(data[0], 3)
    assert (top.labels >= 0).all()
    with pytest.raises(InputError, match="number of labels of Plain is not known: give it an attribute n_labels_"):
        Ensemble.of([plain])


def test_a_matcher_that_needs_label_names_is_refused():
    with pytest.raises(InputError, match="matcher OfBoth needs label_names, but ranks clusters, which have none"):
        Tagger(Partitioned(matcher=OfBoth(), max_leaf=2)).fit(TEXTS, LABELS)


# --- subclasses ---


class Fits(XRLinear):
    def fit(self, X, Y, **extras):
        self.seen = sorted(extras)
        return super().fit(X, Y, **extras)


class Ranks(XRLinear):
    def predict_topk(self, X, k=None, **more):
        top = super().predict_topk(X, k, **more)
        return TopK(top.labels[:, ::-1].copy(), top.scores)


class RanksWithin(XRLinear):
    def _rank(self, request):
        top = super()._rank(request)
        return TopK(top.labels[:, ::-1].copy(), top.scores)


class Decides(XRLinear):
    def predict(self, X):
        return super().predict(X) * 0


def test_the_fit_of_a_subclass_is_called(data):
    assert Tagger(Fits(**TREE)).fit(TEXTS, LABELS).model_.seen == []
    ensemble = Ensemble(Fits(**TREE)).fit(*data, sample_weight=np.ones(len(TEXTS)))
    assert ensemble.members_[0].seen == ["sample_weight"]


@pytest.mark.parametrize("kind", [Ranks, RanksWithin])
def test_the_ranking_of_a_subclass_is_used(kind):
    tagger, whole = Tagger(kind(**TREE)).fit(TEXTS, LABELS), Tagger(XRLinear(**TREE)).fit(TEXTS, LABELS)
    names = [[label for label, _ in row] for row in tagger.tag(TEXTS, 3)]
    assert names == [[label for label, _ in row][::-1] for row in whole.tag(TEXTS, 3)]
    assert tagger.tag(TEXTS[:1], 3) == tagger.tag(TEXTS[:2], 3)[:1]
    assert tagger.tag(TEXTS, 3, beam=1) != tagger.tag(TEXTS, 3)


def test_the_decisions_of_a_subclass_are_used():
    assert list(Tagger(Decides(**TREE)).fit(TEXTS, LABELS).predict(TEXTS[:2])) == [[], []]


def test_models_of_the_catalogue_are_used_as_they_are():
    for entry in (entry for entry in catalogue.ENTRIES if {MODEL, WRAPPER} & entry.roles.keys()):
        model = _made(entry.name)
        assert as_model(model) is model


# --- settings and results that change ---


def test_fields_of_fit_are_checked_against_the_present_parts(data):
    """A fitted ensemble once checked them against the members of the fit before."""
    ensemble = Ensemble([XRLinear(**TREE), NearestInstances()]).fit(*data)
    ensemble.set_params(models=XRLinear(**TREE)).fit(*data, sample_weight=np.ones(len(TEXTS)))
    model = Partitioned(matcher=OfTexts(), max_leaf=2)
    assert model.needs == {"X", "texts", "label_names"}
    model.set_params(matcher=XRLinear(**TREE)).fit(*data).set_params(matcher=OfTexts())
    with pytest.raises(InputError, match="Partitioned requires label_names, but none is given"):
        model.fit(*data)


SINGLE = {
    "XRLinear": lambda: XRLinear(**TREE),
    "NearestInstances": NearestInstances,
    "Blend": lambda: ramify.Blend(**TREE, held_out=0.0),
    "Blend with tail": lambda: ramify.Blend(**TREE, held_out=0.0, tail_rank=0.5),
    "Ensemble": lambda: Ensemble(XRLinear(**TREE), trees=2),
    "Disentangled": lambda: Disentangled(XRLinear(**TREE)),
}


@pytest.mark.parametrize("name", SINGLE)
def test_calls_for_single_instances_follow_a_new_fit(name, data):
    X, Y = data
    model, one = SINGLE[name]().fit(X, Y), X[5]
    call = model.single(2)
    before = call(one.indices, one.data)[0]
    model.fit(X, Y[::-1])
    labels, scores = call(one.indices, one.data)
    top = model.predict_topk(one, 2)
    np.testing.assert_array_equal(labels, top.labels)
    np.testing.assert_array_equal(scores, top.scores)
    assert (labels != before).any()


def test_single_texts_with_another_k_in_turn(monkeypatch):
    """Calls are kept for each k, not for the last one only."""
    tagger = Tagger(XRLinear(**TREE)).fit(TEXTS, LABELS)
    made = []
    single = XRLinear.single
    monkeypatch.setattr(XRLinear, "single", lambda model, k: made.append(k) or single(model, k))
    for k in (1, 2, 1, 2, 1):
        assert tagger.tag(TEXTS[:1], k) == tagger.tag(TEXTS[:2], k)[:1]
    assert made == [1, 2]


def test_a_fit_during_prediction_leaves_the_prediction_consistent():
    """Vectorizer, model and names of a prediction belong to one fit, whatever another thread does."""
    other = ([text + " more words here" for text in TEXTS], [["x"], ["y"]] * (len(TEXTS) // 2))

    class Refits(Tfidf):
        def _refit(self):
            if fits:
                tagger.set_params(vectorizer=None).fit(*fits.pop())

        def transform(self, texts):
            self._refit()
            return super().transform(texts)

        def transform_one(self, text):
            self._refit()
            return super().transform_one(text)

    for texts in (TEXTS[:1], TEXTS[:3]):
        fits = []
        tagger = Tagger(XRLinear(**TREE), vectorizer=Refits()).fit(TEXTS, LABELS)
        wanted = tagger.tag(texts, 2)
        fits.append(other)
        assert tagger.tag(texts, 2) == wanted
        assert list(tagger.label_names_) == ["x", "y"]


@pytest.mark.parametrize("name", ["XRLinear", "Ensemble", "Blend", "Disentangled"])
def test_threads_with_different_requests_share_a_model(name):
    tagger = Tagger(SINGLE[name]()).fit(TEXTS, LABELS)
    requests = [{"k": k, "beam": beam, "threads": n} for k in (1, 3) for beam in (None, 1) for n in (1, 2)]
    wanted = [[tagger.tag(texts, **request) for texts in (TEXTS, TEXTS[:1])] for request in requests]
    wrong = []

    def ask(number):
        for _ in range(20):
            if [tagger.tag(texts, **requests[number]) for texts in (TEXTS, TEXTS[:1])] != wanted[number]:
                wrong.append(requests[number])

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(len(requests))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


# --- fields of a training and a request ---


@pytest.mark.parametrize(
    "name", ["XRLinear", "Blend", "Partitioned", "Disentangled", "DenseNeighbours", "LabelChain", "CompositeChain"]
)
def test_the_seed_of_a_training_is_that_of_the_setting(name):
    """The seed in ``Training`` takes the place of the setting everywhere, also in the parts inside."""
    X, Y = PROBLEM.X, PROBLEM.Y
    by_training = _made(name).fit_training(Training(X=X, Y=Y, seed=7)).predict_topk(X, 3)
    model = _made(name)
    by_setting = model.set_params(seed=7).fit(X, Y).predict_topk(X, 3)
    np.testing.assert_array_equal(by_training.labels, by_setting.labels)
    np.testing.assert_array_equal(by_training.scores, by_setting.scores)


def test_the_seed_of_a_training_draws_the_folds_of_a_reassignment(monkeypatch):
    seen = []
    module = "ramify.models.trees.disentangled.reassigned"
    real = ramify.models.trees.disentangled.reassigned
    monkeypatch.setattr(module, lambda model, training, how: seen.append(how.seed) or real(model, training, how))
    Disentangled(XRLinear(**TREE)).fit_training(Training(X=PROBLEM.X, Y=PROBLEM.Y, seed=7))
    assert seen == [7]


def test_a_request_is_cut_by_rows_of_dense_matrices():
    request = Request(X=np.eye(4), allowed=np.ones((4, 3), bool), forbidden=[1]).take(slice(1, 3))
    assert len(request) == 2
    assert request.allowed.shape == (2, 3)
    assert request.forbidden == [1]
    assert Request(X=as_csr(np.eye(4)), allowed=np.ones(3, bool)).take(slice(1, 3)).allowed.shape == (3,)


# --- bare models on the command line ---


@pytest.mark.parametrize("name", ["XRLinear", "PopularLabels", "DenseNeighbours", "Ensemble", "Partitioned"])
def test_bare_models_predict_and_evaluate_on_features(name, data, tmp_path, capsys):
    """Threads and restrictions once failed for models without such a setting."""
    X, Y = data
    _made(name).fit(X, Y).save(tmp_path / "m")
    rows = [f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}"]
    for x, y in zip(X, Y, strict=True):
        entries = " ".join(f"{column}:{value:.5f}" for column, value in zip(x.indices, x.data, strict=True))
        rows.append(f"{','.join(map(str, y.indices))} {entries}")
    (tmp_path / "data.txt").write_text("\n".join(rows) + "\n")
    model, file = str(tmp_path / "m"), str(tmp_path / "data.txt")
    assert run(["predict", model, file, "-k", "2", "--threads", "2"]) == 0, capsys.readouterr().err
    assert len(capsys.readouterr().out.splitlines()) == len(TEXTS)
    assert run(["evaluate", model, file, "--threads", "1"]) == 0, capsys.readouterr().err


def test_a_bare_object_of_another_class_is_refused_by_one_sentence(data, tmp_path, capsys):
    model = Saveable()
    model.fit(*data)
    save(model, tmp_path / "m")
    assert run(["predict", str(tmp_path / "m"), "-"]) == 2
    assert "the model needs the class 'Saveable', which ramify" in capsys.readouterr().err
