"""Static vectors: sources, weights, and the state in a model directory."""

import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ramify import StaticEncoder
from ramify.errors import DataFileError, InputError, MissingExtraError, ModelFileError
from ramify.features import static_vectors
from ramify.features.static_vectors import StaticVectors, open_vectors
from ramify.kernels.subwords import PARALLELISM, subword_ids, tokenizer_from_json
from ramify.strings import StringTable
from ramify.values.word_vectors import read_word_vectors

TEXTS = ["river lake", "the river and the lake", "flame", "", "unheard", "The River"]
WORDS = ["the", "river", "lake", "flame", "and", "River"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32)


@pytest.fixture
def glove(tmp_path):
    lines = [f"{word} {' '.join(f'{x:.6f}' for x in row)}" for word, row in zip(WORDS, VECTORS, strict=True)]
    path = tmp_path / "glove.txt.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(["6 4", *lines]) + "\n")
    return path


def _subwords():
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"[UNK]": 0} | {word: number for number, word in enumerate(["the", "river", "lake", "##s"], 1)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return StaticVectors(np.eye(5, 4, -1, dtype=np.float32), tokenizer=tokenizer.to_str())


def _expected(texts, a):
    """By the formula, in float64: words as they are, then in lower case."""
    number = {word: place for place, word in enumerate(WORDS)}
    rows = [[number.get(word, number.get(word.lower(), -1)) for word in text.split()] for text in texts]
    rows = [[one for one in row if one >= 0] for row in rows]
    p = np.bincount([one for row in rows for one in row], minlength=len(WORDS)) / sum(map(len, rows))
    weight = np.ones(len(WORDS)) if a is None else a / (a + p)
    sums = np.array([sum((weight[one] * VECTORS[one].astype(np.float64) for one in row), np.zeros(4)) for row in rows])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)


@pytest.mark.parametrize("a", [1e-3, 0.1, None])
def test_weighted_means_by_the_formula(glove, a):
    found = StaticEncoder(glove, smoothing=a, threads=1).fit_transform(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, _expected(TEXTS, a), atol=2e-3)
    assert (
        StaticEncoder(glove).fit(TEXTS).weights_.tolist()
        == StaticEncoder(glove, smoothing=1e-3).fit(TEXTS).weights_.tolist()
    )


def test_a_text_has_the_same_bits_in_any_batch(glove):
    for vectors in (glove, _subwords()):
        encoder = StaticEncoder(vectors, threads=2)
        found = encoder.fit_transform(TEXTS)
        alone = np.vstack([encoder.transform([text]) for text in TEXTS])
        assert found.tobytes() == encoder.transform(TEXTS).tobytes() == alone.tobytes()
        assert encoder.transform([]).shape == (0, 4)


def test_words_of_the_texts_are_read_and_the_first_of_the_file(glove):
    few = StaticEncoder(glove, max_words=0).fit(["River flame x"])
    assert sorted(few.vectors_.words) == ["River", "flame", "river"]
    some = StaticEncoder(glove, max_words=2).fit(["flame"])  # the header is a line as well
    assert sorted(some.vectors_.words) == ["flame", "the"]
    assert some.transform(["the"]).any() and not some.transform(["lake"]).any()


def test_subwords_and_unknown_ids():
    vectors = _subwords()
    ids, indptr = vectors.ids(["The rivers", "unheard", ""], 1)
    assert (ids.tolist(), indptr.tolist()) == ([1, 2, 4, 0], [0, 3, 4, 4])
    shorter = StaticVectors(vectors.vectors[:4], tokenizer=vectors.tokenizer)
    assert shorter.ids(["rivers lake"], 1)[0].tolist() == [2, 3]


@pytest.mark.parametrize("kind", ["words", "subwords"])
def test_states(glove, kind, tmp_path):
    encoder = StaticEncoder(glove if kind == "words" else _subwords(), threads=1).fit(TEXTS)
    config, arrays = encoder.to_state()
    again = StaticEncoder.from_state(json.loads(json.dumps(config)), arrays)
    assert again.transform(TEXTS).tobytes() == encoder.transform(TEXTS).tobytes()
    assert again.to_state()[0] == config
    if kind == "subwords":
        refitted = clone(again).fit_transform(TEXTS)
        np.testing.assert_allclose(refitted, encoder.transform(TEXTS), atol=1e-3)


@pytest.mark.parametrize(
    "damage",
    [
        {"vectors": np.zeros((6, 4), np.float32)},
        {"vectors": np.full((6, 4), np.nan, np.float16)},
        {"vectors": np.zeros((6, 0), np.float16)},
        {"weights": np.zeros(5, np.float32)},
        {"weights": np.full(6, 2, np.float32)},
        {"words/blob": np.zeros(0, np.uint8), "words/offsets": np.zeros(1, np.int64)},
        {"weights": None},
    ],
)
def test_damaged_states(glove, damage):
    config, arrays = StaticEncoder(glove).fit(TEXTS).to_state()
    arrays = {name: array for name, array in (arrays | damage).items() if array is not None}
    with pytest.raises(ModelFileError, match="static vectors are damaged"):
        StaticEncoder.from_state(config, arrays)


def test_a_damaged_tokenizer_is_found_when_it_is_loaded():
    config, arrays = StaticEncoder(_subwords()).fit(TEXTS).to_state()
    with pytest.raises(ModelFileError, match="tokenizer cannot be read"):
        StaticEncoder.from_state(config, arrays | {"tokenizer": np.zeros(3, np.uint8)})


def test_directories_of_model2vec(tmp_path):
    vectors = _subwords()
    vectors.save(tmp_path / "m")
    again = open_vectors(tmp_path / "m")
    assert np.array_equal(again.vectors, vectors.vectors) and not again.is_weighted
    assert StaticEncoder(tmp_path / "m").fit(TEXTS).weights_[2] < 1
    (tmp_path / "m" / "config.json").write_text('{"apply_zipf": true}')
    assert (StaticEncoder(str(tmp_path / "m")).fit(TEXTS).weights_ == 1).all()
    assert StaticEncoder(tmp_path / "m", smoothing=1e-3).fit(TEXTS).weights_[2] < 1
    from safetensors.numpy import save_file

    arrays = {"embeddings": vectors.vectors[:3], "mapping": np.array([0, 1, 2, 2, 1]), "weights": np.full(5, 2.0)}
    save_file(arrays, tmp_path / "m" / "model.safetensors")
    again = open_vectors(tmp_path / "m")
    assert np.array_equal(again.vectors, 2 * vectors.vectors[[0, 1, 2, 2, 1]])
    assert again.is_weighted


@pytest.mark.parametrize(
    ("file", "content", "wanted"),
    [
        ("model.safetensors", b"xx", "cannot be read"),
        ("tokenizer.json", None, "cannot be read"),
        ("config.json", b"{", "cannot be read"),
        ("config.json", b"[]", "cannot be read"),
        ("tokenizer.json", b"{}", "tokenizer cannot be read"),
    ],
)
def test_damaged_directories(tmp_path, file, content, wanted):
    _subwords().save(tmp_path / "m")
    (tmp_path / "m" / file).unlink()
    if content is not None:
        (tmp_path / "m" / file).write_bytes(content)
    with pytest.raises(InputError, match=wanted) as error:
        StaticEncoder(tmp_path / "m").fit(TEXTS)
    assert "\n" not in str(error.value)


def test_vectors_that_are_not_finite(tmp_path):
    vectors = _subwords()
    vectors.vectors[0] = np.inf
    vectors.save(tmp_path / "m")
    with pytest.raises(DataFileError, match="NaN or infinite"):
        StaticEncoder(tmp_path / "m").fit(TEXTS)


@pytest.mark.parametrize("scale", [1e7, 1e-7, 1e38])
def test_vectors_beyond_float16_are_scaled(scale):
    vectors = StaticVectors(VECTORS * np.float32(scale), words=StringTable.of(WORDS))
    encoder = StaticEncoder(vectors, smoothing=None, threads=1)
    np.testing.assert_allclose(encoder.fit_transform(TEXTS), _expected(TEXTS, None), atol=2e-3)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_vectors_of_a_user_must_be_finite(value):
    with pytest.raises(InputError, match="static vectors contain NaN or infinite values"):
        StaticVectors(np.full((6, 2), value, np.float32), words=StringTable.of(WORDS))


@pytest.mark.parametrize(
    ("damage", "wanted"),
    [
        ({"mapping": np.array([0, 1, 5])}, "'mapping' must be a vector of row numbers below 5"),
        ({"mapping": np.array([0, -1])}, "'mapping' must be a vector of row numbers below 5"),
        ({"mapping": np.array([0.0, 1.0])}, "'mapping' must be a vector of row numbers below 5"),
        ({"weights": np.ones(4)}, r"'weights' has the shape \(4,\), but there are 5 tokens"),
        ({"weights": np.ones((5, 1))}, r"'weights' has the shape \(5, 1\), but there are 5 tokens"),
        ({"weights": np.full(5, 1e300)}, "NaN or infinite"),
        ({"embeddings": np.zeros((0, 4), np.float32)}, "must be a matrix"),
    ],
)
def test_damaged_arrays_of_model2vec(tmp_path, damage, wanted):
    from safetensors.numpy import save_file

    vectors = _subwords()
    vectors.save(tmp_path / "m")
    save_file({"embeddings": vectors.vectors} | damage, tmp_path / "m" / "model.safetensors")
    with pytest.raises(DataFileError, match=f"model.safetensors: is damaged: .*{wanted}"):
        open_vectors(tmp_path / "m")


@pytest.mark.parametrize("given", ["wordlama", "./nowhere", "", 3, None])
def test_unknown_sources(given):
    with pytest.raises(InputError, match="vectors is"):
        StaticEncoder(given).fit(TEXTS)


@pytest.mark.parametrize("settings", [{"smoothing": 0}, {"smoothing": "much"}, {"max_words": -1}, {"threads": 0}])
def test_settings_out_of_range(glove, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        StaticEncoder(glove, **settings).fit(TEXTS)


def test_files_of_another_form(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataFileError, match="no word vectors"):
        StaticEncoder(tmp_path / "empty.txt").fit(TEXTS)
    (tmp_path / "words.txt").write_text("river 1 2\nlake 1 x\n")
    with pytest.raises(DataFileError, match=r"words\.txt:2: a word must be followed by numbers"):
        StaticEncoder(tmp_path / "words.txt").fit(TEXTS)


def test_words_with_spaces_in_a_file(tmp_path):
    (tmp_path / "words.txt").write_text("the 1 2\n. . . 3 4\nat name@domain.com 5 6\nriver 7 8\n")
    table = read_word_vectors(tmp_path / "words.txt", ["river"], n_first=3)
    assert {word: row.tolist() for word, row in table.items()} == {
        "the": [1, 2],
        ". . .": [3, 4],
        "at name@domain.com": [5, 6],
        "river": [7, 8],
    }
    (tmp_path / "words.txt").write_text("the 1 2\nriver 7 8 9\n")
    with pytest.raises(DataFileError, match=r"words\.txt:2: 3 numbers, but 2 are expected"):
        read_word_vectors(tmp_path / "words.txt", ["river"])


def test_calls_of_the_tokenizer_may_overlap(monkeypatch):
    monkeypatch.delenv(PARALLELISM, raising=False)
    tokenizer = tokenizer_from_json(_subwords().tokenizer)
    first, second = (subword_ids(tokenizer, TEXTS * 1000, threads=1) for _ in range(2))
    next(first), next(second)
    first.close()
    assert os.environ.get(PARALLELISM) == "false"
    second.close()
    assert PARALLELISM not in os.environ


@pytest.mark.parametrize("texts", ["river", [3], 3])
def test_wrong_texts(glove, texts):
    with pytest.raises(InputError, match="texts"):
        StaticEncoder(glove).fit(texts)
    with pytest.raises(InputError, match="texts"):
        StaticEncoder(glove).fit(TEXTS).transform(texts)


def test_before_fit(glove):
    for call in (lambda one: one.transform(TEXTS), lambda one: one.to_state(), lambda one: one.n_columns):
        with pytest.raises(NotFittedError):
            call(StaticEncoder(glove))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(static_vectors, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "ramify\[static\]"'):
        StaticEncoder("wordllama").fit(TEXTS)
    vectors = _subwords()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ramify\[static\]"'):
        StaticEncoder(vectors).fit(TEXTS)


def test_a_pipeline_of_scikit_learn(glove):
    pipeline = make_pipeline(StaticEncoder(glove), LogisticRegression())
    assert pipeline.fit(["flame", "river lake"] * 9, [1, 0] * 9).predict(["flame"]) == [1]
    assert pipeline[0].get_feature_names_out()[0] == "staticencoder0"


def test_wordllama_places_similar_texts_near_each_other():
    pytest.importorskip("wordllama")
    Z = StaticEncoder().fit_transform(["a river floods the valley", "high water in the lake", "a new tax on income"])
    assert Z[0] @ Z[1] > Z[0] @ Z[2] + 0.1


def test_prediction_needs_no_torch(glove):
    code = "import sys; from ramify import StaticEncoder; StaticEncoder(sys.argv[1]).fit_transform(['river']); "
    code += "print(sorted(name for name in ('torch', 'transformers', 'tokenizers') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(glove)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_vectors_must_fit_their_words():
    with pytest.raises(InputError, match="5 words for 6 static vectors"):
        StaticVectors(VECTORS, words=StringTable.of(WORDS[:5]))
    with pytest.raises(InputError, match="either words or a tokenizer"):
        StaticVectors(VECTORS)
    with pytest.raises(InputError, match="no tokenizer"):
        StaticVectors(VECTORS, words=WORDS).save("x")
