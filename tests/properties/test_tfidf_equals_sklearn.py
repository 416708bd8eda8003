"""Tfidf gives what scikit-learn's TfidfVectorizer gives: vocabulary, order of columns, values; on any Unicode."""

import sys
import unicodedata
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from ramify.features import Tfidf
from ramify.kernels.grams import CODE_POINT_MASK, SPACE_BIT, WORD_BIT, character_table

NASTY = (
    "İstanbul ΣΊΣΥΦΟΣ Σ σς ΑΣ. ǅungla straße ſharp K Å \ud800 \udfff 𝔘𝔫𝔦 𐐀𐐨 日本語 ไทย हिन्दी ١٢٣ ½ ² e\u0301 i\u0307 "
    "\u00a0 \u2003 \u2028 \x1c \x85 \t\n \r\n a b aa bb_ _c it's zero\u200bwidth \x00 \U0010ffff \ufeff ﬁn"
)
PLAIN = {"characters": None, "runs": None, "language": None}
texts_strategy = st.lists(
    st.lists(st.one_of(st.sampled_from(NASTY.split(" ")), st.text(max_size=6)), max_size=8).map(" ".join),
    min_size=1,
    max_size=6,
)


def _peer(analyzer: str, ngrams: tuple[int, int], **settings: object) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=analyzer, ngram_range=ngrams, **settings)


def _assert_same(ours: Tfidf, peer: TfidfVectorizer, texts: list[str], new: list[str]) -> None:
    try:
        expected = peer.fit_transform(texts)
    except ValueError:
        with pytest.raises(ValueError, match=r"no n-grams|keeps fewer texts"):
            ours.fit(texts)
        return
    X = ours.fit_transform(texts)
    assert list(ours.get_feature_names_out()) == list(peer.get_feature_names_out())
    for got, want in ((X, expected), (ours.transform(new), peer.transform(new))):
        assert got.dtype == np.float32
        assert got.indices.dtype == np.int32
        want.sort_indices()
        np.testing.assert_array_equal(got.indptr, want.indptr)
        np.testing.assert_array_equal(got.indices, want.indices)
        np.testing.assert_allclose(got.data, want.data, rtol=1e-6, atol=0)


@settings(max_examples=150, deadline=None)
@given(
    texts=texts_strategy,
    new=texts_strategy,
    analyzer=st.sampled_from(["word", "char_wb", "char"]),
    low=st.integers(1, 4),
    more=st.integers(0, 3),
    lowercase=st.booleans(),
    sublinear=st.booleans(),
    norm=st.sampled_from(["l2", None]),
    min_df=st.sampled_from([1, 2, 0.0, 0.3]),
    max_df=st.sampled_from([1.0, 0.7, 3]),
)
def test_any_text_any_setting(texts, new, analyzer, low, more, lowercase, sublinear, norm, min_df, max_df):
    ngrams = (low, low + more)
    ours = Tfidf(
        words=ngrams if analyzer == "word" else None,
        characters=None if analyzer == "word" else ngrams,
        runs=None,
        language=None,
        within_words=analyzer == "char_wb",
        lowercase=lowercase,
        sublinear=sublinear,
        norm=norm,
        min_df=min_df,
        max_df=max_df,
        threads=1,
    )
    weights = {"sublinear_tf": sublinear, "norm": norm, "min_df": min_df, "max_df": max_df}
    _assert_same(ours, _peer(analyzer, ngrams, lowercase=lowercase, **weights), texts, new)


@pytest.mark.parametrize(
    ("analyzer", "ngrams"), [("word", (1, 2)), ("word", (2, 3)), ("char_wb", (2, 5)), ("char", (1, 3))]
)
def test_the_nasty_text(analyzer, ngrams):
    texts = [NASTY, NASTY.swapcase(), "", " ", "ΟΔΟΣ ΟΔΟΣ", "Σ", "İİ"]
    kinds = {"words": ngrams, "characters": None} if analyzer == "word" else {"words": None, "characters": ngrams}
    ours = Tfidf(min_df=1, within_words=analyzer != "char", runs=None, language=None, threads=1, **kinds)
    _assert_same(ours, _peer(analyzer, ngrams, sublinear_tf=True), texts, texts[::-1])


@settings(max_examples=60, deadline=None)
@given(texts=texts_strategy, cap=st.integers(1, 12))
def test_the_cap_keeps_the_most_frequent_and_breaks_ties_by_name(texts, cap):
    try:
        counter = CountVectorizer(ngram_range=(1, 2)).fit(texts)
    except ValueError:
        return
    frequency = np.asarray(counter.transform(texts).sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-frequency, kind="stable")[:cap])
    ours = Tfidf(**PLAIN, words=(1, 2), min_df=1, max_features=cap, threads=1).fit(texts)
    assert list(ours.vocabulary_) == list(counter.get_feature_names_out()[kept])


@settings(max_examples=40, deadline=None)
@given(texts=texts_strategy)
def test_words_and_characters_stand_side_by_side(texts):
    try:
        kinds = ({"words": (1, 1), "characters": None}, {"words": None, "characters": (2, 3)})
        alone = [Tfidf(**kind, runs=None, min_df=1).fit(texts) for kind in kinds]
    except ValueError:
        return
    both = Tfidf(words=(1, 1), characters=(2, 3), runs=None, min_df=1, norm=None, threads=1)
    X = both.fit_transform(texts)
    assert list(both.vocabulary_) == [name for one in alone for name in one.vocabulary_]
    blocks = [one.set_params(norm=None).fit_transform(texts).toarray() for one in alone]
    np.testing.assert_array_equal(X.toarray(), np.hstack(blocks))


def test_the_table_is_python_itself():
    table = character_table(lowercase=True, ascii_only=False)
    for code in range(0, sys.maxunicode + 1, 7):
        character = chr(code)
        lowered = character.lower() if code not in (0x130, 0x3A3) else "i" if code == 0x130 else "σ"
        assert table[code] & CODE_POINT_MASK == ord(lowered)
        assert bool(table[code] & WORD_BIT) == (lowered.isalnum() or lowered == "_")
        assert bool(table[code] & SPACE_BIT) == lowered.isspace()


def test_only_two_characters_need_python_to_lower_them():
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [c for c in every if len(c.lower()) != 1] == ["\u0130"]
    lowered = "".join(every).lower()
    assert lowered.lower() == lowered
    assert unicodedata.normalize("NFD", "i\u0307") == "\u0130".lower()


def test_warnings_stay_away():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Tfidf().fit_transform(["one two", ""]).shape == (2, 2)
