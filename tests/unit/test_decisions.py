"""Tagger.calibrate and Tagger.decide: label sets with probabilities, saved with the model."""

import json

import numpy as np
import pytest

from ramify import Tagger, XRLinear
from ramify.errors import InputError, ModelFileError
from ramify.models import load
from ramify.tagger.decide.held_out import evaluate_decisions
from ramify.values import Dataset, as_csr

LABELS = [f"label {number}" for number in range(12)]


def documents(n, seed):
    """Words of one to three labels, some of them wrong, and noise."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        own = rng.choice(12, rng.integers(1, 4), replace=False, p=np.arange(12, 0, -1) / 78)
        said = [label if rng.random() < 0.75 else rng.integers(12) for label in own]
        words = [f"word{label}x{rng.integers(3)}" for label in said for _ in range(2)]
        texts.append(" ".join([*words, *(f"noise{rng.integers(40)}" for _ in range(4))]))
        labels.append([LABELS[label] for label in own])
    return texts, labels


@pytest.fixture(scope="module")
def tagger():
    fitted = Tagger(XRLinear(threads=1)).fit(*documents(600, 0))
    return fitted.calibrate(*documents(400, 1), k=6)


def test_sets_have_probabilities_in_descending_order(tagger):
    texts, _ = documents(50, 2)
    every, sets = tagger.decide(texts, None), tagger.decide(texts)
    assert all(len(row) == 6 for row in every)
    assert 0 < np.mean([len(row) for row in sets]) < 4
    for row in every:
        probabilities = [p for _, p in row]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(0 < p < 1 for p in probabilities)
    for row, whole in zip(sets, every, strict=True):
        assert row == whole[: len(row)]


def test_probabilities_are_those_of_new_documents(tagger):
    errors = tagger.decisions_.errors()[""]
    assert errors["probabilities"] < min(0.04, 0.5 * errors["scores"])
    texts, labels = documents(600, 3)
    found = [(p, name in true) for row, true in zip(tagger.decide(texts, None), labels, strict=True) for name, p in row]
    p, hit = np.array([one for one, _ in found]), np.array([one for _, one in found])
    assert np.mean(p) == pytest.approx(hit.mean(), abs=0.01)
    assert np.mean((p - hit) ** 2) < 0.75 * hit.mean() * (1 - hit.mean())


def test_a_fitted_rule_has_a_better_f1_than_one_half(tagger):
    texts, labels = documents(600, 4)
    Y = as_csr(np.array([[name in true for name in tagger.label_names_] for true in labels], np.float32))
    dataset = Dataset(Y=Y, label_names=list(tagger.label_names_), texts=texts)
    half, fitted = (evaluate_decisions(tagger, dataset, rule)["microF1"] for rule in ("threshold=0.5", "micro-f1"))
    assert fitted > half + 0.005
    names = [{name for name, _ in row} for row in tagger.decide(texts, "micro-f1")]
    right = sum(len(found & set(true)) for found, true in zip(names, labels, strict=True))
    assert fitted == pytest.approx(2 * right / (sum(map(len, names)) + sum(map(len, labels))))


def test_unknown_labels_of_held_out_documents_count_as_missed(tagger):
    texts, labels = documents(400, 1)
    again = Tagger(XRLinear(threads=1)).fit(*documents(600, 0))
    again.calibrate(texts, [[*names, f"new {number % 3}"] for number, names in enumerate(labels)], k=6)
    assert again.decisions_.evidence.truth.shape[1] == 15
    with pytest.raises(InputError, match=r"no threshold reaches a recall of 0\.8"):
        again.decide(texts[:2], "recall=0.8")
    tagger.decide(texts[:2], "recall=0.8")


def test_saved_and_loaded(tagger, tmp_path):
    tagger.save(tmp_path / "model")
    texts, _ = documents(40, 5)
    for mapped in (True, False):
        again = load(tmp_path / "model", mapped=mapped)
        for rule in (None, "micro-f1", "macro-f1", "count", "label-f1", "coverage=0.7"):
            assert again.decide(texts, rule) == tagger.decide(texts, rule)
    again.save(tmp_path / "model")  # onto the files that it is mapped from
    assert load(tmp_path / "model").decide(texts) == tagger.decide(texts)


def test_a_new_fit_has_no_calibration_and_a_failed_one_keeps_it(tagger):
    again = Tagger(XRLinear(threads=1)).fit(*documents(200, 0)).calibrate(*documents(300, 1), k=4)
    before = again.decisions_
    with pytest.raises(InputError, match="50 of each: hold out more documents"):
        again.calibrate(*documents(5, 1))
    assert again.decisions_ is before
    again.fit(*documents(200, 0))
    with pytest.raises(InputError, match="the model is not calibrated"):
        again.decide(["word0x1"])


def test_no_texts_and_empty_texts(tagger):
    assert tagger.decide([]) == []
    assert tagger.decide(["", "  "], None) == [[], []]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "best"}, "there is no rule 'best'"),
        ({"rule": "precision=2"}, "precision is 2"),
        ({"rule": 0.5}, "there is no rule 0.5"),
        ({"rule": ["count"]}, "there is no rule"),
        ({"texts": "word0x1"}, "single string"),
    ],
)
def test_bad_questions(tagger, arguments, message):
    with pytest.raises(InputError, match=message):
        tagger.decide(**{"texts": ["word0x1"]} | arguments)


def test_texts_and_labels_of_different_numbers_and_made_taggers(tagger):
    texts, labels = documents(20, 0)
    with pytest.raises(InputError, match="labels has 5 columns"):
        tagger.calibrate(texts, np.ones((20, 5), int))
    with pytest.raises(InputError, match="there are 20 texts, but 19 label lists"):
        tagger.calibrate(texts, labels[:19])
    made = Tagger.of(tagger.model_, tagger.label_names_, vectorizer=tagger.vectorizer_)
    with pytest.raises(InputError, match="without the frequencies of labels"):
        made.calibrate(texts, labels)


def test_features_and_label_matrices():
    rng = np.random.default_rng(0)
    X = rng.random((500, 30)).astype(np.float32)
    Y = (X[:, :8] + 0.3 * rng.normal(size=(500, 8)) > 0.8).astype(np.float32)
    fitted = Tagger(XRLinear(threads=1)).fit(X[:250], Y[:250]).calibrate(X[250:], Y[250:], k=8)
    sets = fitted.decide(X[250:260], "expected-f1")
    assert all(name in set("01234567") for row in sets for name, _ in row)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", lambda a: a + 100),
        ("labels", lambda a: a[:, :3]),
        ("truth/indptr", lambda a: a * 0),
        ("hits", lambda a: a[:5]),
        ("truth/indices", lambda a: a + 1000),
        ("truth/indptr", lambda a: a[::-1]),
        ("calibration/buckets", lambda a: a + 9),
        ("calibration/points-0", lambda a: a[:, ::-1]),
        ("calibration/points-0", lambda a: a * 3),
        ("scores", lambda a: a.astype(str)),
    ],
)
def test_damaged_decisions_are_refused(tagger, name, change):
    config, arrays = tagger.to_state()
    config = json.loads(json.dumps(config))
    with pytest.raises(ModelFileError, match="the tagger is damaged"):
        Tagger.from_state(config, arrays | {f"decisions/{name}": change(arrays[f"decisions/{name}"])})
    del arrays[f"decisions/{name}"]
    with pytest.raises(ModelFileError, match="the tagger is damaged"):
        Tagger.from_state(config, arrays)
