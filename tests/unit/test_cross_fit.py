"""Calibration by cross-fitting: folds, honest predictions, the models' chosen settings, bad input."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Blend, PopularLabels, Tagger, XRLinear
from ramify.errors import InputError
from ramify.models import load
from ramify.tagger.decide.cross_fit import folds
from ramify.tagger.decide.reliability import reliability
from ramify.values import Dataset, TopK, as_csr

N_LABELS = 30


def data(n, seed):
    """Features of one to three labels each, of Zipf frequencies, half of them noise."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, N_LABELS + 1)
    Y = np.zeros((n, N_LABELS), np.float32)
    X = (rng.random((n, 200)) < 0.03).astype(np.float32)
    for row in range(n):
        own = rng.choice(N_LABELS, rng.integers(1, 4), replace=False, p=share / share.sum())
        Y[row, own] = 1
        shown = own[rng.random(len(own)) < 0.6]
        X[row, 2 * shown] = X[row, 2 * shown + 1] = 1
    return Dataset(X=as_csr(X), Y=as_csr(Y), label_names=[f"label {number}" for number in range(N_LABELS)])


@pytest.mark.parametrize(
    ("n", "used", "size"), [(100, 5, 20), (2400, 5, 480), (5000, 3, 1000), (20000, 1, 4000), (10**6, 1, 10000)]
)
def test_folds_are_few_where_documents_are_many(n, used, size):
    found = folds(np.arange(n), 0)
    assert [len(rows) for rows in found] == [size] * used
    together = np.concatenate(found)
    assert len(np.unique(together)) == len(together)
    assert all((np.diff(rows) > 0).all() for rows in found)
    assert not np.array_equal(found[0], folds(np.arange(n), 1)[0])


def test_equal_documents_are_in_one_fold():
    groups = np.random.default_rng(0).integers(400, size=2000)
    found = folds(groups, 0)
    assert sum(map(len, found)) == pytest.approx(2000, abs=60)
    for number, rows in enumerate(found):
        others = np.concatenate([one for other, one in enumerate(found) if other != number])
        assert not np.intersect1d(groups[rows], groups[others]).size
    with pytest.raises(InputError, match="2000 of 2000 training documents are equal"):
        folds(np.zeros(2000, np.int64), 0)


def test_copies_of_documents_change_no_probability():
    """Five copies of each document: without groups, every held-out document would be known from training."""
    training, test = data(150, 0), data(1000, 1)
    rows = np.repeat(np.arange(150), 5)
    copied = Dataset(X=training.X[rows], Y=training.Y[rows], label_names=training.label_names)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(copied).cross_calibrate_dataset(copied, k=8)
    top = tagger.predict_topk(test.X, 8)
    p = tagger.decisions_.calibration.probabilities(top)
    hits = np.take_along_axis(test.Y.toarray(), top.labels.astype(np.int64), axis=1) > 0
    assert abs(p.mean() - hits.mean()) < 0.03


def test_names_that_are_identifiers_of_other_labels_stay():
    """The label with identifier i has the name i + 1."""
    training = data(300, 0)
    keys = [str(number) for number in range(N_LABELS)]
    names = [str(number + 1) for number in range(N_LABELS)]
    named = Dataset(X=training.X, Y=training.Y, label_names=names, label_keys=keys)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(named).cross_calibrate_dataset(named, k=6)
    true = np.bincount(tagger.decisions_.evidence.truth.indices, minlength=N_LABELS)
    np.testing.assert_array_equal(true, tagger.label_counts_)


def test_texts_and_labels_as_in_fit():
    training = data(300, 0)
    tagger = Tagger(XRLinear(threads=1)).fit(training.X, training.Y)
    tagger.cross_calibrate(training.X, training.Y, k=6)
    again = Tagger(XRLinear(threads=1)).fit_dataset(training).cross_calibrate_dataset(training, k=6)
    np.testing.assert_array_equal(tagger.decisions_.evidence.scores, again.decisions_.evidence.scores)


def test_probabilities_are_those_of_new_documents_and_not_of_training():
    training, test = data(800, 0), data(2000, 1)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(training).cross_calibrate_dataset(training, k=8)
    trap = Tagger(XRLinear(threads=1)).fit_dataset(training).calibrate_dataset(training, k=8)
    errors = {}
    for name, one in (("cross", tagger), ("training documents", trap)):
        top = one.predict_topk(test.X, 8)
        p = one.decisions_.calibration.probabilities(top)
        hits = np.take_along_axis(test.Y.toarray(), top.labels.astype(np.int64), axis=1) > 0
        errors[name] = reliability(p.ravel(), hits.ravel()).ece
    assert errors["cross"] < 0.02 < errors["training documents"]


def test_the_same_seed_gives_the_same_calibration_and_the_model_stays(tmp_path):
    training = data(300, 0)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(training)
    before = tagger.predict_topk(training.X, 5)
    reports = []
    tagger.cross_calibrate_dataset(training, k=6, progress=lambda stage, done: reports.append((stage, done)))
    assert {stage for stage, _ in reports} == {"calibrate"}
    assert [done for _, done in reports] == sorted(done for _, done in reports)
    assert reports[-1][1] == 1
    after = tagger.predict_topk(training.X, 5)
    np.testing.assert_array_equal(before.labels, after.labels)
    np.testing.assert_array_equal(before.scores, after.scores)
    again = Tagger(XRLinear(threads=1)).fit_dataset(training).cross_calibrate_dataset(training, k=6, threads=2)
    for one, other in zip(tagger.decisions_.evidence.top.rows(), again.decisions_.evidence.top.rows(), strict=True):
        assert one == other
    tagger.save(tmp_path / "model")
    assert load(tmp_path / "model").decide(training.X) == tagger.decide(training.X)


def test_the_models_of_the_folds_have_the_chosen_settings():
    training = data(400, 0)
    model = Blend(threads=1, trees=1).fit(training.X, training.Y)
    model.choice_ = model.choice_.__class__(trees=1, beam=7, share=0.25, tail_rank=0.5)
    again = model.refitted(training_of(training))
    assert again.choice_ == model.choice_
    assert again.cost_ == model.cost_
    assert len(again.ensemble_.members_) == 2
    tree = XRLinear(threads=1).fit(training.X, training.Y)
    tree.cost_ = 0.123
    assert tree.refitted(training_of(training)).cost_positive == 0.123
    given = XRLinear(threads=1, cost_positive=2.0, cost_negative=3.0).fit(training.X, training.Y)
    again = given.refitted(training_of(training))
    assert (again.cost_positive, again.cost_negative) == (2.0, 3.0)


def training_of(dataset):
    from ramify.exchange import Training

    return Training(X=dataset.X, Y=dataset.Y)


class Bare:
    """A user's object with the two documented methods only."""

    def fit(self, X, Y):
        self.share_ = np.asarray(Y.mean(axis=0)).ravel()
        return self

    def predict_topk(self, X, k):
        order = np.argsort(-self.share_, kind="stable")[:k].astype(np.int32)
        n = X.shape[0]
        return TopK(np.tile(order, (n, 1)), np.tile(self.share_[order].astype(np.float32), (n, 1)))


@pytest.mark.parametrize("model", [Bare(), PopularLabels(), Blend(threads=1)])
def test_any_model_can_be_calibrated(model):
    training = data(300, 0)
    tagger = Tagger(model).fit_dataset(training).cross_calibrate_dataset(training, k=N_LABELS)
    p = [p for row in tagger.decide(training.X, None) for _, p in row]
    assert np.mean(p) == pytest.approx(training.Y.nnz / training.Y.shape[0] / N_LABELS, rel=0.3)


def test_documents_without_features_have_no_prediction():
    training = data(300, 0)
    X = training.X.tolil()
    X[::10] = 0
    bare = Dataset(X=sp.csr_matrix(X), Y=training.Y, label_names=training.label_names)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(bare).cross_calibrate_dataset(bare, k=6)
    evidence = tagger.decisions_.evidence
    assert (~evidence.valid).all(axis=1).sum() == 30
    assert evidence.n_true.min() > 0


def test_texts_are_vectorized_as_in_training():
    words = [f"word{number}" for number in range(12)]
    rng = np.random.default_rng(0)
    own = rng.integers(12, size=400)
    texts = [" ".join([words[label], *(f"noise{rng.integers(60)}" for _ in range(3))]) for label in own]
    tagger = Tagger(XRLinear(threads=1)).fit(texts, [[words[label]] for label in own])
    Y = as_csr(np.eye(12, dtype=np.float32)[own])
    tagger.cross_calibrate_dataset(Dataset(texts=texts, Y=Y, label_names=words), k=4)
    hits = tagger.decisions_.evidence.hits
    assert hits[:, 0].mean() > 0.9


def test_bad_input():
    training = data(99, 0)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(training)
    with pytest.raises(InputError, match="there are 99 training documents, but a calibration needs at least 100"):
        tagger.cross_calibrate_dataset(training)
    assert tagger.decisions_ is None
    with pytest.raises(InputError, match="needs the 99 documents that the tagger was trained on"):
        tagger.cross_calibrate_dataset(data(300, 0))
    with pytest.raises(InputError, match="calibration is 'magic'"):
        tagger.cross_calibrate_dataset(training, kind="magic")


def test_models_of_folds_have_the_shape_of_the_model():
    """No clusters stay no clusters, although the limit depends on the size of the data."""
    training = data(400, 0)
    flat, tree = (XRLinear(threads=1, max_leaf=size).fit(training.X, training.Y) for size in (None, 4))
    assert flat.tree_.depth == 1 < tree.tree_.depth
    tree.max_leaf = None
    assert flat.refitted(training_of(training)).max_leaf == N_LABELS
    assert tree.refitted(training_of(training)).max_leaf == 100


def test_predict_of_no_texts():
    training = data(300, 0)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(training).cross_calibrate_dataset(training, k=6)
    assert tagger.predict(training.X[:0]).tolist() == []
    assert tagger.decide(training.X[:0]) == []
    texts, labels = [f"word{n % 7} noise{n}" for n in range(300)], [[f"label {n % 7}"] for n in range(300)]
    tagger = Tagger(XRLinear(threads=1)).fit(texts, labels).cross_calibrate(texts, labels)
    assert tagger.predict([]).tolist() == []
