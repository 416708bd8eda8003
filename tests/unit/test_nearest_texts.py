"""``NearestTexts``: labels without training texts, and scores that equal those computed by hand."""

import numpy as np
import pytest

from ramify import NearestInstances, NearestTexts, Tagger, Tfidf
from ramify.errors import InputError
from ramify.exchange import Request, Training
from ramify.label_vectors import unit_vectors
from ramify.values import Dataset, as_csr

TEXTS = ["salmon in rivers", "trout in rivers", "deposits at banks", "a tax on banks"] * 3
NAMES = ["banks", "fishing", "gardens", "rivers"]
Y = as_csr([[0, 1, 0, 1], [0, 1, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]] * 3)


def fitted(**settings):
    return NearestTexts(threads=1, **settings).fit_training(Training(Y=Y, texts=TEXTS, label_names=NAMES, threads=1))


def test_a_label_without_texts_is_found_by_its_name():
    tagger = Tagger(NearestTexts(threads=1)).fit_dataset(Dataset(Y, NAMES, texts=TEXTS))
    assert tagger.tag(["old gardens"], 1)[0][0][0] == "gardens"
    assert tagger.tag(["old gardens by rivers"], 4)[0][0][0] in {"gardens", "rivers"}
    without = Tagger(NearestTexts(label_share=0.0, threads=1)).fit_dataset(Dataset(Y, NAMES, texts=TEXTS))
    assert "gardens" not in dict(without.tag(["old gardens by rivers"], 4)[0])


def test_similarity_equals_the_cosine():
    model = fitted(label_share=1.0, name_share=0.3)
    vectors = Tfidf(threads=1).fit([*TEXTS, *NAMES])
    X, N, Q = (unit_vectors(vectors.transform(one)).toarray() for one in (TEXTS, NAMES, ["trout and banks", "gardens"]))
    mean = unit_vectors(Y.T @ X)
    Z = unit_vectors(0.3 * N + 0.7 * mean)
    top = model.answer(Request(texts=["trout and banks", "gardens"], k=4))
    for row, wanted in enumerate(Q @ Z.T):
        known = top.labels[row] >= 0
        assert known.sum() == (wanted > 0).sum()
        np.testing.assert_allclose(top.scores[row][known], np.sort(wanted)[::-1][: known.sum()], rtol=1e-4)


def test_votes_equal_those_of_nearest_instances():
    model = fitted(label_share=0.0)
    X = model.vectorizer_.transform(TEXTS)
    nearest = NearestInstances(threads=1).fit(X, Y)
    top = model.answer(Request(texts=["trout in banks"], k=3))
    wanted = nearest.predict_topk(model.vectorizer_.transform(["trout in banks"]), 3)
    assert top.labels.tolist() == wanted.labels.tolist()
    np.testing.assert_allclose(top.scores, wanted.scores, rtol=1e-6)


def test_the_score_is_the_convex_mix():
    votes, similar, mixed = (
        dict(zip(top.labels[0].tolist(), top.scores[0].tolist(), strict=True))
        for top in (
            fitted(label_share=share).answer(Request(texts=["trout and banks"], k=4)) for share in (0.0, 1.0, 0.25)
        )
    )
    for label, score in mixed.items():
        if label >= 0:
            assert score == pytest.approx(0.75 * max(votes.get(label, 0), 0) + 0.25 * max(similar.get(label, 0), 0))


def test_restrictions_find_labels_beyond_the_candidates():
    model = fitted(candidates=1)
    top = model.answer(Request(texts=["salmon in gardens of banks"], k=1, allowed=[0]))
    assert top.labels.tolist() == [[0]]


def test_a_text_without_known_words_has_no_label():
    assert Tagger(NearestTexts(threads=1)).fit_dataset(Dataset(Y, NAMES, texts=TEXTS)).tag(["zzz"], 2) == [[]]


@pytest.mark.parametrize(
    ("vectorizer", "message"), [("tfdf", "did you mean 'tfidf'"), (3, "must be a name or an object"), (Tfidf, "is <")]
)
def test_wrong_vectorizers(vectorizer, message):
    with pytest.raises(InputError, match="vectorizer is"):
        fitted(vectorizer=vectorizer)
    with pytest.raises(InputError, match=message if message != "is <" else "vectorizer"):
        fitted(vectorizer=vectorizer)


def test_dense_vectors_are_refused():
    class Dense:
        def fit_transform(self, texts):
            return np.ones((len(texts), 2), np.float32)

        def get_params(self, deep=True):
            return {}

    with pytest.raises(InputError, match="gives dense vectors, but NearestTexts needs sparse ones"):
        fitted(vectorizer=Dense())


def test_features_alone_are_refused():
    with pytest.raises(InputError, match="NearestTexts requires label_names"):
        NearestTexts().fit(np.eye(2), np.eye(2))


def test_the_language_is_that_of_a_vectorizer_given_by_name(tmp_path):
    assert fitted().vectorizer_.language == "auto"
    model = fitted(language="en")
    assert (model.vectorizer_.language, model.vectorizer_.plan_.stemmer) == ("en", "snowball")
    assert fitted(language=None).vectorizer_.language is None
    assert fitted(language="en", vectorizer=Tfidf(language="fi")).vectorizer_.language == "fi"
    assert not hasattr(fitted(language="en", vectorizer="hashing").vectorizer_, "language")
    model.save(tmp_path / "m")
    loaded = NearestTexts.load(tmp_path / "m")
    assert (loaded.language, loaded.vectorizer_.language) == ("en", "en")
    with pytest.raises(InputError, match="language is 'english'"):
        fitted(language="english")
