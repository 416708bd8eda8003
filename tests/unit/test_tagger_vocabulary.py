"""Taggers with a vocabulary: answers, labels of other data, model directories."""

import json
import random

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify.data import with_vocabulary
from ramify.errors import InputError, ModelFileError
from ramify.exchange import Training
from ramify.index import FixedTree, tree_from_vocabulary
from ramify.tagger import given_labels
from ramify.tagger.decide import cross_fit
from ramify.tagger.explain.sizes import describe
from ramify.values import Dataset, Groups, Vocabulary

WORDS = {"u:river": "salmon water boat", "u:bank": "money tax credit", "u:tree": "leaf wood root"}
VOCABULARY = Vocabulary(
    uris=["u:bank", "u:nature", "u:river", "u:tree"],
    names={"fi": ["pankki", "luonto", "joki", "puu"], "en": ["Bank", "Nature", "River", ""]},
    alternatives={"en": Groups.of([["Financial institution"], [], ["Stream", "Brook"], []])},
    notations=["336.7", "", "556", ""],
    broader=np.array([[2, 1], [3, 1]], np.int32),
    related=np.array([[2, 3]], np.int32),
)


def dataset(labels=None):
    names = list(WORDS)
    rng = random.Random(0)
    rows = [rng.choice(names) for _ in range(90)]
    texts = [" ".join(rng.sample(WORDS[name].split(), 2)) for name in rows]
    Y = sp.csr_matrix(np.array([[row == name for name in names] for row in rows], np.float32))
    return Dataset(Y=Y, label_names=labels or names, texts=texts)


@pytest.fixture(scope="module")
def tagger():
    return ramify.Tagger().fit_dataset(with_vocabulary(dataset(), VOCABULARY, "fi"))


@pytest.fixture(scope="module", params=["fitted", "loaded"])
def either(request, tagger, tmp_path_factory):
    if request.param == "fitted":
        return tagger
    path = tmp_path_factory.mktemp("models") / "m"
    tagger.save(path)
    return ramify.Tagger.load(path)


@pytest.mark.parametrize("texts", [["salmon boat"], ["salmon boat", "water"]])
def test_labels_are_answered_as_names_uris_and_notations(either, texts):
    def first(**options):
        return either.tag(texts, 1, **options)[0][0][0]

    assert first() == "joki"
    assert first(language="en") == "River"
    assert first(answer="uri") == "u:river"
    assert first(answer="notation") == "556"


def test_what_a_label_lacks_is_replaced(either):
    assert list(either.answers("name", "en")) == ["Bank", "Nature", "River", "puu"]
    assert list(either.answers("notation")) == ["336.7", "u:nature", "556", "u:tree"]
    assert either.answers("notation")[1:3] == ["u:nature", "556"]


def test_labels_are_found_by_everything_that_the_vocabulary_has(either):
    assert either.label_ids(["joki", "u:river", "556", "River"]) == [2] * 4
    assert either.has_label("Bank")
    assert not either.has_label("Stream")


@pytest.mark.parametrize(
    "labels",
    [
        ["u:river", "u:bank", "u:tree"],
        ["<u:river>", "336.7", "puu"],
        ["River", "Bank", "u:tree"],
    ],
)
def test_test_data_may_name_labels_in_any_way(either, labels):
    report = either.evaluate(dataset(labels))
    assert report["P@1"] == 1


def test_the_vocabulary_is_stored_with_the_model(tagger, tmp_path):
    tagger.save(tmp_path / "m")
    one = ramify.Tagger.load(tmp_path / "m").vocabulary_
    assert list(one.uris) == VOCABULARY.uris
    assert {language: list(names) for language, names in one.names.items()} == VOCABULARY.names
    assert one.alternatives_in("en") == [("Financial institution",), (), ("Stream", "Brook"), ()]
    assert list(one.notations) == VOCABULARY.notations
    assert one.broader.tolist() == VOCABULARY.broader.tolist()
    assert one.related.tolist() == [[2, 3]]


def test_fit_takes_lists_and_a_vocabulary():
    texts, rows = ["salmon boat", "money tax", "water boat", "credit tax"] * 3, [["u:river"], ["Bank"]] * 6
    tagger = ramify.Tagger().fit(texts, rows, vocabulary=VOCABULARY, language="fi")
    assert list(tagger.label_names_) == ["pankki", "luonto", "joki", "puu"]
    assert tagger.tag(["salmon"], 1)[0][0][0] == "joki"
    assert tagger.score(texts, [["joki"], ["pankki"]] * 6) == 1
    with pytest.raises(InputError, match="the labels are a matrix"):
        ramify.Tagger().fit(texts, np.eye(12), vocabulary=VOCABULARY, language="fi")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda config, arrays: config.update(languages="en"), "languages is 'en'"),
        (lambda config, arrays: config["languages"].append("sv"), "names/2/blob"),
        (lambda config, arrays: arrays.update({"broader": np.array([[0, 4]], np.int32)}), "broader contains numbers"),
        (lambda config, arrays: arrays.pop("names/0/offsets"), "names/0/offsets"),
        (lambda config, arrays: arrays["alternatives/0/groups"].__setitem__(-1, 9), "offsets of names"),
    ],
)
def test_a_damaged_vocabulary_is_refused(tagger, change, problem):
    config, arrays = tagger.to_state()
    config = json.loads(json.dumps(config))
    own = {name.removeprefix("vocabulary/"): array.copy() for name, array in arrays.items() if "vocabulary/" in name}
    change(config["vocabulary"], own)
    arrays = {name: array for name, array in arrays.items() if "vocabulary/" not in name}
    with pytest.raises(ModelFileError, match=problem):
        ramify.Tagger.from_state(config, arrays | {f"vocabulary/{name}": array for name, array in own.items()})


def test_models_receive_the_vocabulary():
    seen = []

    class Model:
        needs = frozenset({"texts"})

        def fit_training(self, training: Training):
            seen.append(training.vocabulary)
            return self

        def answer(self, request):
            raise NotImplementedError

    ramify.Tagger(Model()).fit_dataset(with_vocabulary(dataset(), VOCABULARY, "en"))
    assert [one.uris for one in seen] == [VOCABULARY.uris]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"answer": "label"}, "answer is 'label'"),
        ({"language": "sv"}, "no names in 'sv'"),
        ({"answer": "uri", "language": "en"}, "leave one out"),
    ],
)
def test_answers_that_do_not_exist_are_refused(tagger, options, problem):
    with pytest.raises(InputError, match=problem):
        tagger.tag(["salmon"], **options)


def test_a_model_without_a_vocabulary_has_names_only():
    plain = ramify.Tagger().fit_dataset(dataset())
    for options in ({"answer": "uri"}, {"answer": "notation"}, {"language": "en"}):
        with pytest.raises(InputError, match="the model has no vocabulary"):
            plain.tag(["salmon"], **options)
    assert describe(plain).vocabulary is None


def test_inspection_counts_what_the_vocabulary_has(either):
    assert describe(either).vocabulary == {
        "languages": ["en", "fi"],
        "alternative_names": 3,
        "notations": 2,
        "broader": 2,
        "related": 1,
        "without_documents": 1,
    }


def test_the_hierarchy_is_a_label_tree():
    named = with_vocabulary(dataset(), VOCABULARY, "en")
    tree = tree_from_vocabulary(named.vocabulary)
    assert tree.n_labels == 4
    model = ramify.XRLinear(indexer=FixedTree(tree))
    tagger = ramify.Tagger(model).fit_dataset(named)
    assert tagger.tag(["salmon boat"], 1)[0][0][0] == "River"
    assert [one.tolist() for one in tagger.model_.tree_.parents] == [[0, 0], [0, 0, 0, 1]]


def test_a_cycle_of_broader_concepts_is_named():
    pairs = np.array([[0, 1], [1, 0]], np.int32)
    one = Vocabulary(uris=["u:a", "u:b"], names={"en": ["A", "B"]}, broader=pairs)
    with pytest.raises(InputError, match=r"cycle \(u:a → u:b → u:a\)"):
        tree_from_vocabulary(one)


def test_a_large_label_space_is_cut_to_the_labels_in_use(monkeypatch):
    named = with_vocabulary(dataset(), VOCABULARY, "en")
    used = given_labels.Columns(4, np.array([0, 2, 3], np.int32))
    monkeypatch.setattr(given_labels.Columns, "of", classmethod(lambda cls, Y: used))
    assert given_labels.of_used_labels(named).vocabulary.uris == ["u:bank", "u:river", "u:tree"]


def test_models_of_a_cross_calibration_receive_the_vocabulary(tagger):
    named = with_vocabulary(dataset(), VOCABULARY, "fi")
    assert cross_fit._training(tagger, named, None).vocabulary is tagger.vocabulary_
