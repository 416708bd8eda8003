"""The text kernels against their plain twins, and against themselves: threads, and one text at a time."""

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.features import Hashing, Tfidf
from ramify.kernels.grams import Grams
from ramify.kernels.stems import Stems
from ramify.kernels.text import CountedTexts, TextWeigher, Weighting, checked_texts
from ramify.reference import text as reference

words = st.sampled_from(
    [
        "tax",
        "taxes",
        "of",
        "a",
        "Σίσυφος",
        "İzmir",
        "日本",
        "x\u2003y",
        "\ud83d",
        "ÅÄ",
        "\n",
        "ประเทศไทย",
        "हिन्दी",
        "カナ漢字abc",
        "taxs",
    ]
)
texts_strategy = st.lists(st.lists(words | st.text(max_size=4), max_size=12).map(" ".join), min_size=1, max_size=8)
ranges = st.tuples(st.integers(1, 3), st.integers(0, 2)).map(lambda pair: (pair[0], pair[0] + pair[1]))
grams_strategy = st.builds(
    Grams,
    words=ranges,
    characters=st.none() | ranges,
    runs=st.none() | ranges,
    within_words=st.booleans(),
    lowercase=st.booleans(),
)


def _stem(word):
    return word.rstrip("es") or word


stems_strategy = st.sampled_from([None, _stem])
limits_strategy = st.fixed_dictionaries(
    {"min_documents": st.integers(1, 2), "max_documents": st.integers(2, 9), "max_terms": st.none() | st.integers(1, 9)}
)


@settings(max_examples=120, deadline=None)
@given(
    texts=texts_strategy, grams=grams_strategy, limits=limits_strategy, threads=st.integers(1, 3), stem=stems_strategy
)
def test_vocabulary(texts, grams, limits, threads, stem):
    counts = [reference.count_grams(text, grams, stem) for text in texts]
    expected = reference.choose_vocabulary(counts, **limits)
    counted = CountedTexts(checked_texts(texts), grams, keep_rows=False, threads=threads, stems=_stems(stem))
    vocabulary, documents = counted.choose(**limits)
    assert list(vocabulary.names) == [name for _, name in expected]
    assert vocabulary.n_words == sum(kind == 0 for kind, _ in expected)
    in_texts = Counter(term for of_text in counts for term in of_text)
    assert documents.tolist() == [in_texts[term] for term in expected]


def _stems(stem, known=()):
    return None if stem is None else Stems(lambda words: list(map(stem, words)), known)


@settings(max_examples=120, deadline=None)
@given(texts=texts_strategy, new=texts_strategy, grams=grams_strategy, known=st.lists(words), threads=st.integers(1, 3))
def test_stems_are_the_same_in_training_and_prediction(texts, new, grams, known, threads):
    held = checked_texts(texts)
    counted = CountedTexts(held, grams, keep_rows=True, threads=threads, stems=_stems(_stem))
    vocabulary, _ = counted.choose()
    weighting = Weighting(idf=None, sublinear=False, normalise=False)
    X = counted.rows(weighting)
    columns = {name: i for i, name in enumerate(vocabulary.names)}
    weigher = TextWeigher(grams, vocabulary, weighting, _stems(_stem, known))
    assert (weigher.weigh(held, threads) != X).nnz == 0
    for text, row in zip(new, weigher.weigh(checked_texts(new), threads), strict=True):
        indices, values = weigher.weigh_one(text)
        assert indices.tolist() == row.indices.tolist()
        assert values.tolist() == row.data.tolist()
        counts = reference.count_grams(text, grams, _stem)
        of_words = {columns[name]: count for (kind, name), count in counts.items() if kind == 0 and name in columns}
        found = dict(zip(indices.tolist(), values.tolist(), strict=True))
        assert {column: found.get(column) for column in of_words if column < vocabulary.n_words} == {
            column: count for column, count in of_words.items() if column < vocabulary.n_words
        }


@settings(max_examples=120, deadline=None)
@given(
    texts=texts_strategy,
    grams=grams_strategy,
    n_features=st.sampled_from([1, 3, 64, 1 << 18, (1 << 31) - 1]),
    signed=st.booleans(),
    sublinear=st.booleans(),
    norm=st.sampled_from(["l2", None]),
)
def test_hashing(texts, grams, n_features, signed, sublinear, norm):
    hashing = Hashing(
        n_features=n_features,
        words=grams.words,
        characters=grams.characters,
        within_words=grams.within_words,
        lowercase=grams.lowercase,
        signed=signed,
        sublinear=sublinear,
        norm=norm,
        threads=2,
    )
    grams = replace(grams, runs=None)
    X = hashing.transform(texts)
    for row, text in enumerate(texts):
        counts = reference.hash_counts(text, grams, n_features=n_features, signed=signed)
        expected = reference.weigh(counts, lambda _: 1.0, sublinear=sublinear, normalise=norm is not None)
        indices, values = hashing.transform_one(text)
        assert indices.tolist() == [column for column, _ in expected]
        np.testing.assert_allclose(values, [value for _, value in expected], rtol=1e-6)
        assert X[row].indices.tolist() == indices.tolist()
        assert X[row].data.tobytes() == values.tobytes()


@settings(max_examples=60, deadline=None)
@given(texts=texts_strategy, new=texts_strategy, grams=grams_strategy)
def test_one_by_one_and_many_threads_give_the_same_bits(texts, new, grams):
    kinds = {"words": grams.words, "characters": grams.characters, "runs": grams.runs, "language": None}
    kinds |= {"within_words": grams.within_words}
    single, many = (Tfidf(**kinds, min_df=1, threads=threads) for threads in (1, 3))
    try:
        X = single.fit_transform(texts)
    except ValueError:
        return
    parallel = many.fit_transform(texts)
    assert single.vocabulary_.blob.tobytes() == many.vocabulary_.blob.tobytes()
    for one, other in ((X, parallel), (X, single.transform(texts)), (single.transform(new), many.transform(new))):
        assert one.indptr.tobytes() == other.indptr.tobytes()
        assert one.indices.tobytes() == other.indices.tobytes()
        assert one.data.tobytes() == other.data.tobytes()
    for row, text in enumerate(texts):
        indices, values = single.transform_one(text)
        assert indices.tobytes() == X[row].indices.tobytes()
        assert values.tobytes() == X[row].data.tobytes()


def test_a_corpus_of_many_chunks_and_blocks():
    generator = np.random.default_rng(7)
    words = np.array([f"w{i:05d}" for i in range(20_000)])
    texts = [
        " ".join(words[(generator.pareto(0.8, size) * 3).astype(int) % 20_000])
        for size in generator.integers(0, 800, 2500)
    ]
    texts[1234] = " ".join(words)
    single, many = (
        Tfidf(words=(1, 2), characters=None, max_features=5_000, language=None, threads=threads) for threads in (1, 4)
    )
    X, parallel = single.fit_transform(texts), many.fit_transform(texts)
    assert (parallel != X).nnz == 0
    assert (many.transform(texts) != X).nnz == 0
    counts = [reference.count_grams(text, Grams()) for text in texts]
    expected = reference.choose_vocabulary(counts, min_documents=2, max_documents=len(texts), max_terms=5_000)
    assert list(single.vocabulary_) == [name for _, name in expected]
