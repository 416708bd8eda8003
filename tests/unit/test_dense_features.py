"""Dense features in a tagger: sums of vectorizers, encoders as vectorizers, and the cache of their embeddings."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

import ramify
from ramify import Concatenated, Hashing, StaticEncoder, Tagger, Tfidf, TopK, XRLinear
from ramify.errors import InputError, ModelFileError, RamifyWarning
from ramify.features.columns import Columns
from ramify.features.static_vectors import StaticVectors
from ramify.label_vectors import LabelText
from ramify.models import Partitioned
from ramify.strings import StringTable
from ramify.values import Dataset, Hybrid, as_csr

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}
WORDS = {name: words.split() for name, words in TOPICS.items()}
TEXTS = [f"{WORDS[name][n % 4]} {WORDS[name][(n + 1) % 4]}" for n in range(12) for name in TOPICS]
LABELS = [[name] for n in range(12) for name in TOPICS]
UNSEEN = {"ocean": "water", "ember": "fire", "pebble": "earth"}
"""Words that no training text has; their static vectors are near to those of a topic."""


def _vectors():
    words = [word for topic in WORDS.values() for word in topic] + list(UNSEEN)
    topics = [number for number in range(3) for _ in range(4)] + [0, 1, 2]
    noise = np.random.default_rng(0).normal(0, 0.1, (len(words), 3))
    return StaticVectors((np.eye(3)[topics] + noise).astype(np.float32), words=StringTable.of(words))


def _static():
    return StaticEncoder(_vectors(), threads=1)


def _tfidf():
    return Tfidf(min_df=1, characters=None, threads=1)


def test_columns_of_a_sum():
    tfidf, static = _tfidf().fit_transform(TEXTS), _static().fit_transform(TEXTS)
    X = (_tfidf() + _static()).fit_transform(TEXTS)
    assert isinstance(X, Hybrid)
    assert (X.sparse != tfidf).nnz == 0
    assert np.array_equal(X.dense, static)
    three = _static() + Hashing(n_features=8) + _tfidf() + CountVectorizer()
    X = three.fit_transform(TEXTS)
    assert X.sparse.shape[1] == 8 + 2 * tfidf.shape[1]
    assert np.array_equal(X.dense, static)
    assert three.n_columns == X.shape[1] == len(three.get_feature_names_out())
    assert three.get_feature_names_out()[-1] == "staticencoder2"
    assert list((_tfidf() + _static()).fit(TEXTS).get_feature_names_out()[:2]) == ["burn", "clay"]
    assert isinstance((CountVectorizer() + _static()).first, CountVectorizer)
    sparse = (_tfidf() + Hashing(n_features=8)).fit_transform(TEXTS)
    assert sp.issparse(sparse) and sparse.shape == (36, 20)
    dense = (_static() + _static()).fit(TEXTS).transform(TEXTS[:2])
    assert (dense.sparse.shape, dense.dense.shape) == ((2, 0), (2, 6))


def test_a_sum_is_an_estimator():
    total = _tfidf() + _static()
    again = clone(total).set_params(first__min_df=2, second__smoothing=0.5)
    assert (total.first.min_df, again.first.min_df, again.second.smoothing) == (1, 2, 0.5)
    again.fit(TEXTS)
    assert again.first is not again.first_ and not hasattr(again.first, "idf_")
    fitted = Concatenated(_tfidf(), CountVectorizer() + _static(), threads=3).fit(TEXTS)
    assert (fitted.first_.threads, fitted.second_.second_.threads) == (3, 3)
    fitted.set_params(threads=2)
    assert (fitted.first_.threads, fitted.second_.second_.threads, fitted.first.threads) == (2, 2, 1)
    usual = Concatenated()
    assert [type(usual.PARTS[name]()) for name in ("first", "second")] == [Tfidf, StaticEncoder]
    with pytest.raises(NotFittedError):
        clone(total).transform(TEXTS)
    assert make_pipeline(total, XRLinear(threads=1)).get_params()["concatenated__first__min_df"] == 1


@pytest.mark.parametrize("other", [3, "static", None, Tfidf, XRLinear(), lambda: None])
def test_what_is_no_vectorizer_is_not_added(other):
    for call in (lambda: _tfidf() + other, lambda: other + _static()):
        with pytest.raises(InputError, match="is added to a vectorizer, but must be an object with fit_transform and"):
            call()
    if other is not None:
        with pytest.raises(InputError, match="first is"):
            Concatenated(other, _static()).fit(TEXTS)
        with pytest.raises(InputError, match=r"vectorizer is|second is"):
            Tagger(vectorizer=Concatenated(_tfidf(), other)).fit(TEXTS, LABELS)


@pytest.mark.parametrize("make", [_static, lambda: _tfidf() + _static(), lambda: _static() + _tfidf() + Hashing()])
def test_a_tagger_finds_the_topic_of_unseen_words(make, tmp_path):
    tagger = Tagger(XRLinear(threads=1), vectorizer=make()).fit(TEXTS, LABELS)
    found = [row[0][0] for row in tagger.tag(list(UNSEEN), 1)]
    assert found == list(UNSEEN.values())
    assert tagger.tag(["", "ocean"], 1)[0] == []
    assert list(tagger.predict([""])) == [[]]
    assert [tagger.tag([text], 3)[0] for text in TEXTS[:4]] == tagger.tag(TEXTS[:4], 3)
    tagger.save(tmp_path / "m")
    for options in ({}, {"mapped": False}, {"verify": False}):
        assert ramify.load(tmp_path / "m", **options).tag([*TEXTS, *UNSEEN], 3) == tagger.tag([*TEXTS, *UNSEEN], 3)
    again = ramify.load(tmp_path / "m")
    again.save(tmp_path / "n")
    assert ramify.load(tmp_path / "n").fit(TEXTS, LABELS).tag(["ocean"], 1)[0][0][0] == "water"


class Means:
    """A model of a user's own, which takes sparse matrices."""

    def fit(self, X, Y):
        assert sp.issparse(X)
        self.means = np.asarray((Y.T @ X).todense())

    def predict_topk(self, X, k):
        scores = np.asarray(X @ self.means.T, np.float32)
        labels = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        return TopK(labels, np.take_along_axis(scores, labels, axis=1))


def test_a_model_without_a_dense_block_gets_a_sparse_matrix():
    tagger = Tagger(Means(), vectorizer=_static()).fit(TEXTS, LABELS)
    assert [row[0][0] for row in tagger.tag(list(UNSEEN), 1)] == list(UNSEEN.values())


@pytest.mark.parametrize("make", [_static, lambda: _tfidf() + _static()])
def test_features_without_texts_are_refused(make):
    X, Y = as_csr(np.eye(3)), as_csr(np.eye(3))
    with pytest.raises(InputError, match="needs texts, but the data contain features only"):
        Tagger(vectorizer=make()).fit_dataset(Dataset(Y=Y, label_names=["a", "b", "c"], X=X))


def test_columns_of_a_tagger_of_features(tmp_path):
    X = (_tfidf() + _static()).fit_transform(TEXTS)
    tagger = Tagger(XRLinear(threads=1)).fit(X, LABELS)
    tagger.save(tmp_path / "m")
    again = ramify.load(tmp_path / "m")
    assert again.tag(X, 2) == tagger.tag(X, 2)
    with pytest.raises(InputError, match="X has 0 dense columns, but the model was trained on 3"):
        again.tag(X.sparse, 2)
    with pytest.raises(InputError, match="X has 2 dense columns, but the model was trained on 3"):
        again.tag(Hybrid(X.sparse, X.dense[:, :2]), 2)


def test_used_columns_of_a_wide_sparse_block():
    wide = sp.csr_matrix((np.ones(3), [5, 2**21 - 1, 5], [0, 2, 3]), (2, 2**21))
    X = Hybrid(as_csr(wide), np.ones((2, 3), np.float32))
    columns = Columns.of(X)
    assert (columns.width, columns.n_kept, columns.n_dense) == (2**21 + 3, 2 + 3, 3)
    kept = columns.select(X)
    assert kept.sparse.toarray().tolist() == [[1, 1], [1, 0]]
    assert np.array_equal(kept.dense, X.dense)
    with pytest.raises(InputError, match="2097156 features, but the model was trained on 2097155"):
        Columns(2**21 + 3).select(Hybrid(X.sparse, np.ones((2, 4), np.float32)))


def test_a_damaged_part_is_found():
    config, arrays = (_tfidf() + _static()).fit(TEXTS).to_state()
    for change in ({"first": None}, {"second": config["second"] | {"class": "XRLinear"}}, {"first": {"class": "os"}}):
        with pytest.raises(ModelFileError):
            Concatenated.from_state(config | change, arrays)
    model = XRLinear(threads=1).fit(as_csr(np.eye(3)), as_csr(np.eye(3)))
    state, its_arrays = model.to_state()
    arrays |= {f"second/{name}": array for name, array in its_arrays.items()}
    with pytest.raises(ModelFileError, match="second is"):
        Concatenated.from_state(config | {"second": {"class": "XRLinear", "config": state}}, arrays)


def test_names_of_labels_by_an_encoder():
    representation = LabelText(list(TOPICS), StaticEncoder(_vectors_of_names()))
    model = Partitioned(representation=representation, max_leaf=2, threads=1)
    assert Tagger(model, vectorizer=_tfidf()).fit(TEXTS, LABELS).tag(["river"], 1)[0][0][0] == "water"
    Z = representation.represent(None, as_csr(np.eye(3)))
    assert Z.shape == (3, 2) and np.allclose(np.linalg.norm(Z, axis=1), 1)


def _vectors_of_names():
    return StaticVectors(np.array([[1, 0], [0, 1], [1, 1]], np.float32), words=StringTable.of(TOPICS))


def test_the_preset(tmp_path):
    with pytest.raises(InputError, match=r"use Tagger.of_preset\('semantic'\)"):
        ramify.preset("semantic")
    with pytest.raises(InputError, match="did you mean 'semantic'"):
        Tagger.of_preset("semantc")
    for name in ("fast", "default", "best"):
        tagger = Tagger.of_preset(name, seed=3, threads=2)
        assert type(tagger.vectorizer) is Tfidf
        assert tagger.model.get_params() == ramify.preset(name, seed=3, threads=2).get_params()
        assert tagger.vectorizer.threads == 2
    tagger = Tagger.of_preset("semantic", threads=1)
    assert [type(part) for part in (tagger.model, tagger.vectorizer)] == [XRLinear, Concatenated]
    pytest.importorskip("wordllama")
    tagger.fit(TEXTS, LABELS).save(tmp_path / "m")
    assert [row[0][0] for row in ramify.load(tmp_path / "m").tag(["stream", "embers"], 1)] == ["water", "fire"]


# Encoders


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from small_encoders import save_encoder

    return save_encoder(tmp_path_factory.mktemp("encoders") / "bert")


def _encoder(folder, **settings):
    from ramify import Encoder

    return Encoder(str(folder), threads=1, **settings)


def test_an_encoder_in_a_tagger(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "checkpoint")
    tagger = Tagger(XRLinear(threads=1), vectorizer=_tfidf() + _encoder(path)).fit(TEXTS, LABELS)
    tagger.save(tmp_path / "m")
    wanted = tagger.tag([*TEXTS, ""], 3)
    shutil.rmtree(path)
    again = ramify.load(tmp_path / "m")
    assert again.tag([*TEXTS, ""], 3) == wanted
    assert wanted[-1] == [] and np.mean([row[0][0] == names[0] for row, names in zip(wanted, LABELS)]) > 0.9  # noqa: B905
    assert again.vectorizer_.second_.n_columns == 32


def test_settings_of_an_encoder(folder):
    encoder = clone(_encoder(folder)).set_params(max_tokens=8, pooling="cls")
    Z = encoder.fit(TEXTS).transform(TEXTS[:3])
    assert (Z.shape, Z.dtype, encoder.encoder_.pooling, encoder.encoder_.max_tokens) == ((3, 32), np.float32, "cls", 8)
    assert encoder.transform([]).shape == (0, 32)
    with pytest.raises(NotFittedError):
        _encoder(folder).transform(TEXTS)
    with pytest.raises(InputError, match="texts is a single str"):
        encoder.fit("river")


@pytest.mark.parametrize(
    "settings", [{"pooling": "max"}, {"max_tokens": 3}, {"device": "gpu"}, {"precision": "half"}, {"cache": 3}]
)
def test_settings_of_an_encoder_out_of_range(folder, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        _encoder(folder, **settings).fit(TEXTS)


def test_settings_in_a_model_directory(folder):
    from ramify import Encoder

    encoder = _encoder(folder, max_tokens=np.int64(16)).fit(TEXTS).set_params(device="cuda")
    config, arrays = encoder.to_state()
    again = Encoder.from_state(json.loads(json.dumps(config)), arrays)
    assert (again.max_tokens, again.device) == (16, "auto")
    config, _ = StaticEncoder(_vectors(), smoothing=np.float32(0.5), max_words=np.int32(3)).fit(TEXTS).to_state()
    assert json.loads(json.dumps(config))["settings"] == {"vectors": None, "smoothing": 0.5, "max_words": 3}


def test_a_missing_gpu(folder):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="device is 'cuda', but torch finds no GPU: use 'cpu' or 'auto'"):
        _encoder("./nowhere", device="cuda").fit(TEXTS)


def test_long_texts_are_counted_and_reported_once(folder):
    encoder = _encoder(folder, max_tokens=8)
    with pytest.warns(RamifyWarning, match="2 of 38 texts have more than 8 tokens") as caught:
        encoder.fit_transform([*TEXTS, "stone " * 50, "clay " * 50])
    assert len(caught) == 1 and encoder.n_truncated_ == 2
    encoder.transform(["stone " * 50])  # a warning would be an error here


def test_embeddings_are_cached_by_encoder_settings_and_text(folder, tmp_path, monkeypatch):
    from ramify.transformers import vectorizer

    computed = []
    before = vectorizer.Encoder._computed

    def counted(self, texts):
        computed.append(len(texts))
        return before(self, texts)

    monkeypatch.setattr(vectorizer.Encoder, "_computed", counted)
    cache = tmp_path / "cache"
    wanted = _encoder(folder).fit_transform(TEXTS)
    encoder = _encoder(folder, cache=cache).fit(TEXTS)
    assert np.array_equal(encoder.transform(TEXTS), wanted)
    assert np.array_equal(encoder.transform(TEXTS[::-1]), wanted[::-1])
    again = _encoder(folder, cache=str(cache)).fit(TEXTS)
    mixed = again.transform([TEXTS[3], "unseen", TEXTS[0], "unseen"])
    assert np.array_equal(mixed[[0, 2]], wanted[[3, 0]]) and np.array_equal(mixed[1], mixed[3])
    assert computed[1:] == [36, 2]
    for other in (_encoder(folder, cache=cache, pooling="cls"), _encoder(folder, cache=cache, max_tokens=9)):
        other.fit_transform(TEXTS)
    assert computed[-2:] == [36, 36]
    assert len(list(cache.iterdir())) == 3


@pytest.fixture
def cached(folder, tmp_path):
    encoder = _encoder(folder, cache=tmp_path / "cache").fit(TEXTS)
    encoder.transform(TEXTS)
    return encoder, next((tmp_path / "cache").iterdir())


def test_a_damaged_cache_is_named(cached):
    encoder, place = cached
    file = next(place.glob("shard-*/arrays-*"))
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(ModelFileError, match=r"cached embeddings cannot be used .*: delete .*embeddings-"):
        copy.deepcopy(encoder).transform(TEXTS)  # a copy opens the cache again


def test_a_cache_of_another_encoder_is_not_used(cached, folder):
    encoder, place = cached
    other = _encoder(folder, cache=place.parent, pooling="cls").fit(TEXTS)
    other.transform(TEXTS[:1])
    its_place = next(one for one in place.parent.iterdir() if one != place)
    shutil.rmtree(place)
    its_place.rename(place)
    with pytest.raises(InputError, match="has embeddings of another encoder: delete it, or give another cache"):
        copy.deepcopy(encoder).transform(TEXTS)


def _contents(place):
    return {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}


def test_a_full_disk_while_caching_loses_nothing(cached, monkeypatch):
    from ramify.store import saving

    encoder, place = cached
    before = _contents(place)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_arrays", full)
    with pytest.warns(RamifyWarning, match="the embeddings are not cached: .*No space left on device"):
        Z = encoder.transform(["unseen text"])
    assert np.isclose(np.linalg.norm(Z), 1)
    assert _contents(place) == before


@pytest.mark.parametrize("change", [{"layer_norm_eps": 0.5}, {"hidden_act": "relu"}])
def test_the_whole_configuration_is_part_of_the_digest(cached, folder, tmp_path, change):
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | change))
    wanted = _encoder(other).fit(TEXTS).transform(TEXTS)
    found = _encoder(other, cache=tmp_path / "cache").fit(TEXTS).transform(TEXTS)
    assert np.array_equal(found, wanted)


def test_a_copy_of_a_checkpoint_uses_its_cache(cached, folder, tmp_path):
    _, place = cached
    _encoder(shutil.copytree(folder, tmp_path / "copy"), cache=place.parent).fit(TEXTS).transform(TEXTS)
    assert list(place.parent.iterdir()) == [place]


def test_number_formats_have_caches_of_their_own(cached):
    encoder, place = cached
    wanted = clone(encoder).set_params(cache=None, precision="bfloat16").fit(TEXTS).transform(TEXTS)
    found = encoder.set_params(precision="bfloat16").transform(TEXTS)
    assert np.array_equal(found, wanted)
    assert len(list(place.parent.iterdir())) == 2


def test_an_interrupted_run_keeps_what_it_has_computed(cached, monkeypatch):
    from ramify.transformers import vectorizer

    encoder, _ = cached
    before, texts = vectorizer.Encoder._computed, [f"stone {number}" for number in range(10)]

    def interrupted(self, some):
        if texts[8] in some:
            raise KeyboardInterrupt
        return before(self, some)

    monkeypatch.setattr(vectorizer, "TEXTS_PER_SHARD", 3)
    monkeypatch.setattr(vectorizer.Encoder, "_computed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoder.transform(texts)
    cache = copy.deepcopy(encoder)._opened_cache()
    assert cache.find(texts)[1].tolist() == [True] * 6 + [False] * 4


def test_shards_are_merged(tmp_path):
    from ramify.transformers.cache import EmbeddingCache

    texts = [f"text {number}" for number in range(200)]
    vectors = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    cache = EmbeddingCache(tmp_path, "0" * 64, 3)
    for number, text in enumerate(texts):
        assert cache.add([text], vectors[number : number + 1])
    assert len(list(cache.path.iterdir())) < 22
    for one in (cache, EmbeddingCache(tmp_path, "0" * 64, 3)):
        Z, found = one.find([*texts, "another"])
        assert np.array_equal(Z[:-1], vectors) and found.tolist() == [True] * 200 + [False]


def test_a_cache_that_is_no_directory(folder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.warns(RamifyWarning, match="the embeddings are not cached"):
        _encoder(folder, cache=tmp_path / "file").fit_transform(TEXTS)
    assert Path(tmp_path / "file").read_text() == "x"
    with pytest.warns(RamifyWarning, match="the embeddings are not cached: .*File name too long"):
        _encoder(folder, cache=tmp_path / ("x" * 999)).fit_transform(TEXTS)


def test_distilled_vectors(folder, tmp_path):
    pytest.importorskip("torch")
    from ramify.transformers import distilled
    from ramify.transformers.distill import principal_components

    vectors = distilled(str(folder), dimensions=16, threads=1)
    tokens = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert vectors.vectors.shape == (max(tokens.values()) + 1, 16)
    assert not vectors.vectors[:5].any() and np.allclose(vectors.vectors[5:].mean(0), 0, atol=1e-5)
    words = ["river", "flame", "stone"]
    Z = _encoder(folder).fit_transform(list(tokens))
    plain = [number for name, number in sorted(tokens.items(), key=lambda one: one[1]) if number >= 5]
    whole = distilled(str(folder), dimensions=None, threads=1).vectors
    inside = {name: number for name, number in tokens.items() if name in words}
    row = {name: place for place, name in enumerate(tokens)}
    for a in inside:
        for b in inside:
            difference = whole[inside[a]] - whole[inside[b]]
            assert np.allclose(difference, Z[row[a]] - Z[row[b]], atol=1e-4), (a, b)
    assert len(plain) == len(whole) - 5
    vectors.save(tmp_path / "v")
    found = StaticEncoder(tmp_path / "v").fit_transform(["river lake", "flame"])
    assert np.allclose(found, StaticEncoder(vectors).fit_transform(["river lake", "flame"]))
    with pytest.raises(InputError, match="dimensions is 33, but the encoder has 32"):
        distilled(str(folder), dimensions=33)
    with pytest.raises(InputError, match="dimensions is 0"):
        distilled(str(folder), dimensions=0)
    M = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * [9, 1, 3, 1, 1, 1]
    reduced = principal_components(M.astype(np.float32), 2)
    _, _, basis = np.linalg.svd(M - M.mean(0))
    np.testing.assert_allclose(np.abs(reduced), np.abs((M - M.mean(0)) @ basis[:2].T), atol=1e-4)
