"""LexicalMatcher with a vocabulary: alternative names and relations of the labels, before and after saving."""

import json

import numpy as np
import pytest

from ramify import LexicalMatcher, Tagger
from ramify.cli.entry import run
from ramify.errors import InputError
from ramify.exchange import Request, Training
from ramify.models.lexical.described import Described, language_of
from ramify.models.lexical.features import FEATURES
from ramify.values import Groups, Vocabulary, as_csr

NAMES = ["Energie (Physik)", "Wind", "Motor", "Turm"]
ENGLISH = ["energy", "wind", "engine", "tower"]
VOCABULARY = Vocabulary(
    uris=["u:0", "u:1", "u:2", "u:3"],
    names={"de": ["Energie", "Wind", "Motor", "Turm"], "en": ENGLISH},
    alternatives={
        "de": Groups.of([[], [], ["Maschine"], []]),
        "en": Groups.of([["vigour"], ["gale", "breeze"], ["machine"], ["spire"]]),
        "": Groups.of([[], ["ventus"], [], []]),
    },
    broader=np.array([[1, 0], [2, 0]], np.int32),
    related=np.array([[1, 2], [2, 1], [3, 3]], np.int32),
)
SYNONYMS = ["vigour", "gale", "machine", "spire"]


def documents(count, seed, words):
    """Texts with two words each; the labels are those of the words."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(4, 2, replace=False) for _ in range(count)]
    texts = [f"report on the {words[a]} and a {words[b]} near town" for a, b in chosen]
    Y = np.zeros((count, 4), np.float32)
    for row, labels in enumerate(chosen):
        Y[row, labels] = 1
    return texts, as_csr(Y)


def fitted(vocabulary, names=ENGLISH, **settings):
    texts, Y = documents(200, 0, ENGLISH)
    training = Training(texts=texts, Y=Y, label_names=names, vocabulary=vocabulary)
    return LexicalMatcher(language="en", threads=1, ranking_trees=20, **settings).fit_training(training)


def recall(model):
    texts, Y = documents(50, 1, SYNONYMS)
    top = model.answer(Request(texts=texts, k=2))
    return float(np.mean([len({*row} & {*wanted.indices}) / 2 for row, wanted in zip(top.labels, Y, strict=True)]))


def test_synonyms_of_the_vocabulary_find_labels():
    assert recall(fitted(None)) == 0
    model = fitted(VOCABULARY)
    assert recall(model) == 1
    text = "a machine in the breeze, ventus"
    found = [(ENGLISH[one.label], one.kind, text[one.begin : one.end]) for one in model.matches([text])[0]]
    assert sorted(found) == [
        ("engine", "alternative", "machine"),
        ("wind", "alternative", "breeze"),
        ("wind", "alternative", "ventus"),
    ]
    assert model.matches(["eine Maschine"]) == [[]]  # names of other languages are not used


def test_relations_of_the_vocabulary_are_features():
    model = fitted(VOCABULARY, broader=[("wind", "energy"), ("tower", "energy")])
    assert model.relations_.broader.tolist() == [[1, 0], [2, 0], [3, 0]]
    assert model.relations_.related.tolist() == [[1, 2]]
    [reasons] = model.reasons(Request(texts=["energy, wind, engine"], k=3), [0, 1, 2])
    columns = FEATURES.index("broader"), FEATURES.index("narrower"), FEATURES.index("related")
    found = [[list(one.features.values())[column] for column in columns] for one in reasons]
    assert found == [[0, 2, 0], [1, 0, 1], [1, 0, 1]]


def test_names_of_settings_and_of_the_vocabulary_are_joined():
    model = fitted(VOCABULARY, alternative_names={"wind": ["zephyr"]})
    assert [[one.label for one in row] for row in model.matches(["zephyr", "gale"])] == [[1], [1]]


def test_the_language_is_that_of_the_label_names():
    assert language_of(ENGLISH, VOCABULARY) == "en"
    assert language_of(NAMES, VOCABULARY) == "de"
    described = Described.of(["Energie (u:0)", "Wind", "u:2", "Turm"], VOCABULARY)
    assert described.preferred == ["Energie", "Wind", "Motor", "Turm"]
    assert described.alternative[2] == ("Maschine",)
    nameless = Vocabulary(uris=["u:0"], names={"": [""]})
    assert Described.of(["u:0"], nameless).preferred == [""]


def test_without_a_known_name_the_names_of_the_labels_are_kept():
    others = ["force", "gust", "motor car", "belfry"]
    assert language_of(others, VOCABULARY) == ""
    described = Described.of(others, VOCABULARY)
    assert described.preferred == others
    assert described.alternative[1] == ("ventus",)
    assert language_of(["ENERGY", *others[1:]], VOCABULARY) == "en"
    one_language = Vocabulary(uris=VOCABULARY.uris, names={"en": ENGLISH})
    described = Described.of(others, one_language)
    assert described.preferred == ENGLISH
    assert described.alternative == [(name,) for name in others]
    assert Described.of(ENGLISH, Vocabulary(uris=VOCABULARY.uris, names={})).preferred == ENGLISH


def test_a_vocabulary_of_other_labels_is_refused():
    with pytest.raises(InputError, match="LexicalMatcher has a vocabulary of 4 concepts for 3 labels"):
        Described.of(ENGLISH[:3], VOCABULARY)


def test_saved_models_keep_names_and_relations(tmp_path):
    model = fitted(VOCABULARY)
    model.save(tmp_path / "m")
    loaded = LexicalMatcher.load(tmp_path / "m")
    assert recall(loaded) == 1
    for name, array in model.to_state()[1].items():
        np.testing.assert_array_equal(array, loaded.to_state()[1][name], err_msg=name)


def test_a_tagger_passes_its_vocabulary_on():
    texts, Y = documents(200, 0, ENGLISH)
    labels = [[ENGLISH[label] for label in row.indices] for row in Y]
    tagger = Tagger(LexicalMatcher(language="en", ranking_trees=20, threads=1))
    tagger.fit(texts, labels, vocabulary=VOCABULARY, language="en")
    assert tagger.tag(["the gale"], 1)[0][0][0] == "wind"


def test_command_line(tmp_path, capsys):
    concepts = ["uri,label_en,alternative_en", *(f"u:{n},{name},{SYNONYMS[n]}" for n, name in enumerate(ENGLISH))]
    (tmp_path / "v.csv").write_text("\n".join(concepts), "utf-8")
    texts, Y = documents(200, 0, ENGLISH)
    rows = [{"text": text, "labels": [ENGLISH[n] for n in row.indices]} for text, row in zip(texts, Y, strict=True)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    flags = ["--model", "lexical", "--set", "language=en", "--calibrate", "no", "-q", "--threads", "1"]
    files = [str(tmp_path / "data.jsonl"), "--vocabulary", str(tmp_path / "v.csv"), "--out", str(tmp_path / "m")]
    assert run(["train", *files, *flags]) == 0
    capsys.readouterr()
    assert run(["predict", str(tmp_path / "m"), "a spire", "-k", "1"]) == 0
    assert "tower" in capsys.readouterr().out
