"""States of scikit-learn's vectorizers: whatever is changed is refused at loading, or the vectorizer answers."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from tampering import LABELS, TEXTS, copy_of, redigest

import ramify
from ramify import Tagger, XRLinear
from ramify.errors import InputError, ModelFileError
from ramify.features.sklearn_text import SklearnText
from ramify.features.token_pattern import check_token_pattern
from ramify.models.base.persistence import save

KINDS = {
    "count": CountVectorizer(),
    "hash": HashingVectorizer(n_features=64),
    "tfidf": TfidfVectorizer(),
    "tf": TfidfVectorizer(use_idf=False, stop_words=["and", "of"], dtype=np.float32),
}
STATES = {name: SklearnText(vectorizer.fit(TEXTS)).to_state() for name, vectorizer in KINDS.items()}

WRONG = [None, 5, -1, 0, True, 1.5, "text", "x" * 5000, [], {}, [None], float("nan"), 1e999, 2**70, ["a", 3], [1, 2, 3]]
FINE = {  # values of the list above that a setting may have
    "strip_accents": [None],
    "preprocessor": [None],
    "tokenizer": [None],
    "stop_words": [None, []],
    "lowercase": [True],
    "binary": [True],
    "token_pattern": ["text"],
    "max_df": [5],
    "min_df": [5],
    "max_features": [None, 5],
    "norm": [None],
    "use_idf": [True],
    "smooth_idf": [True],
    "sublinear_tf": [True],
    "n_features": [5],
    "alternate_sign": [True],
}


def refused(config, arrays):
    with pytest.raises(ModelFileError) as caught:
        SklearnText.from_state(config, arrays)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("name", STATES)
def test_a_whole_state_answers_as_before(name):
    config, arrays = STATES[name]
    again = SklearnText.from_state(json.loads(json.dumps(config)), arrays)
    assert (again.transform(TEXTS) != KINDS[name].transform(TEXTS)).nnz == 0


@pytest.mark.parametrize("name", STATES)
def test_any_setting_of_another_type_or_range(name):
    config, arrays = STATES[name]
    for key in config["settings"]:
        without = {other: value for other, value in config["settings"].items() if other != key}
        refused({**config, "settings": without}, arrays)
        for value in WRONG:
            if any(type(value) is type(fine) and value == fine for fine in FINE.get(key, [])):
                continue
            assert key in refused({**config, "settings": config["settings"] | {key: value}}, arrays)
    assert "unknown" in refused({**config, "settings": config["settings"] | {"more": 1}}, arrays)


@pytest.mark.parametrize(
    "change",
    [
        {"input": "filename"},
        {"input": "file"},
        {"token_pattern": "(a+)+$"},
        {"token_pattern": "("},
        {"token_pattern": None},
        {"ngram_range": [1, 10**9]},
        {"ngram_range": [0, 1]},
        {"ngram_range": [2, 1]},
        {"analyzer": "words"},
        {"decode_error": "backslashreplace"},
        {"encoding": "no-such-encoding"},
        {"encoding": "a.b"},
        {"dtype": "object"},
        {"dtype": "float16"},
        {"max_df": 1.5},
        {"max_df": 0},
        {"min_df": -0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["count", "tfidf"])
def test_settings_that_open_files_hang_or_fail_later(name, change):
    config, arrays = STATES[name]
    refused({**config, "settings": config["settings"] | change}, arrays)


@pytest.mark.parametrize("config", [{}, {"kind": "DictVectorizer"}, {"kind": []}, {"kind": "TfidfVectorizer"}])
def test_other_states(config):
    refused(config, STATES["tfidf"][1])


@pytest.mark.parametrize("harm", ["missing", "short", "wide", "negative", "nan", "huge", "whole"])
def test_idf(harm):
    config, arrays = STATES["tfidf"]
    idf = arrays["idf"].copy()
    idf[0] = {"negative": -1, "nan": np.nan, "huge": 1e300}.get(harm, 1)
    changed = {"short": idf[:-1], "wide": idf[None], "whole": idf > 0}.get(harm, idf)
    rest = {key: array for key, array in arrays.items() if key != "idf"}
    refused(config, rest if harm == "missing" else {**rest, "idf": changed})


@pytest.mark.parametrize("name", ["count", "tfidf", "tf"])
def test_terms(name):
    config, arrays = STATES[name]
    blob, offsets = arrays["terms/blob"].copy(), arrays["terms/offsets"]
    blob[3] = 0xFF
    refused(config, arrays | {"terms/blob": blob})
    twice = np.frombuffer(b"waterwater", np.uint8)
    refused(config, arrays | {"terms/blob": twice, "terms/offsets": np.array([0, 5, 10])})
    refused(config, arrays | {"terms/blob": twice[:0], "terms/offsets": np.zeros(1, np.int64)})
    refused(config, arrays | {"terms/offsets": offsets[:-1]})


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(input="file"),
        CountVectorizer(tokenizer=str.split, token_pattern=None),
        TfidfVectorizer(token_pattern=r"(?:\w+-)*\w+"),
        TfidfVectorizer(ngram_range=(1, 21)),
        HashingVectorizer(dtype=np.float16),
        HashingVectorizer(stop_words=frozenset(["and"])),
    ],
    ids=str,
)
def test_what_could_not_be_loaded_is_not_saved(vectorizer):
    with pytest.raises(InputError, match=r"cannot be saved: .*; use plain settings, or ramify's Tfidf or Hashing"):
        SklearnText(vectorizer).to_state()


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?u)\b\w\w+\b",
        r"\b\w+\b",
        r"[a-zA-Z]{2,}",
        r"\S+",
        r"\w+(?:'\w+)?",
        r"\w+(?:-\w+)?|\d+",
        r"(?:ab)+",
        r"\w{2,20}",
        r"\w+-\w+-\w+",
        r"(\w+)",
        r"(?u)\b\w+\b|[!?]",
    ],
)
def test_plain_patterns_are_taken(pattern):
    check_token_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+b",
        "(a|a)*b",
        r"\w*\w*!",
        ".*.*x",
        "(a?){50}a{50}",
        "a?" * 40 + "a" * 40,
        r"(\w+)(\w+)",
        r"(.)\1",
        "(?=a)b",
        "(?:){1000000000}",
        "(?:a{0}){2000000000}",
        "(?i)a+",
        r"\w+(?:-\w+)*",
        r"(?:\w+\s?)+",
        r"(\w{1,30}){1,30}x",
        r"\w+x\w+",
        "(?:a|aa)" * 20 + "z",
        r"(?:\w\w|\w)" * 10 + "z",
        "(",
        "a" * 201,
        "a{99999999999999999999}",
        "(" * 150,
        None,
        3,
    ],
)
def test_patterns_that_can_take_endless_time_are_refused(pattern):
    with pytest.raises(InputError, match="token_pattern is"):
        check_token_pattern(pattern)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sklearn") / "model"
    Tagger(XRLinear(threads=1), vectorizer=HashingVectorizer(n_features=64)).fit(TEXTS, LABELS).save(directory)
    return directory


def test_a_directory_that_holds_just_a_vectorizer(model, tmp_path):
    save(KINDS["tfidf"], tmp_path / "vectorizer")
    assert ramify.load(tmp_path / "vectorizer").transform(TEXTS).shape == (20, 12)
    redigest(copy_of(model, tmp_path / "model"), lambda body: body.update({"class": "SklearnText"}))
    with pytest.raises(ModelFileError, match="kind"):
        ramify.load(tmp_path / "model")


def test_a_width_that_the_model_does_not_have(model, tmp_path):
    def widen(body):
        body["config"]["vectorizer"]["config"]["settings"]["n_features"] = 65

    redigest(copy_of(model, tmp_path / "model"), widen)
    with pytest.raises(ModelFileError, match="65 features, but the model has 64"):
        ramify.load(tmp_path / "model")
