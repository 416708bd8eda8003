"""tf-idf counted shard by shard equals tf-idf of all texts, bit for bit, for any shards."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify import Tfidf
from ramify.errors import InputError
from ramify.features import shards
from ramify.features.shards import Counter, fit_shards, fit_transform_shards, merge, shards_of
from ramify.spill import Spill

TEXT = "river rivers lake lakes bills Straße strasse ΣΊΣΥΦΟΣ İstanbul 日本語 ไทย \ud800 a bb x_1 the of"
WORDS = TEXT.split()
TEXTS = st.lists(
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), max_size=9).map(" ".join), min_size=1, max_size=12
)
SETTINGS = st.fixed_dictionaries(
    {
        "words": st.sampled_from([(1, 1), (1, 2)]),
        "characters": st.sampled_from([None, (2, 3)]),
        "runs": st.sampled_from([None, (1, 2)]),
        "language": st.sampled_from([None, "en", "fi"]),
        "min_df": st.sampled_from([1, 2, 0.3]),
        "max_df": st.sampled_from([1.0, 0.8, 5]),
        "max_features": st.sampled_from([None, 1, 3, 10]),
    }
)


@pytest.fixture(scope="module")
def spill(tmp_path_factory):
    return Spill(tmp_path_factory.mktemp("spill"))


def assert_same(first, second):
    (config, arrays), (other_config, other_arrays) = first.to_state(), second.to_state()
    assert config == other_config
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)


@settings(max_examples=150)
@given(texts=TEXTS, given_settings=SETTINGS, characters=st.integers(1, 60))
def test_any_shards_give_the_same_features(spill, texts, given_settings, characters):
    plain, sharded = Tfidf(**given_settings), Tfidf(**given_settings)
    try:
        X = plain.fit_transform(texts)
    except InputError as error:
        with pytest.raises(InputError) as found:
            fit_transform_shards(sharded, texts, spill, characters=characters)
        assert str(found.value) == str(error)
        return
    found = fit_transform_shards(sharded, texts, spill, characters=characters)
    assert_same(plain, sharded)
    assert X.shape == found.shape
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(X, name))


def test_any_executor_and_any_order_of_merging_give_the_same_vocabulary():
    texts = [f"river{i % 7} lakes bills {WORDS[i % len(WORDS)]}" for i in range(60)]
    plain = Tfidf(language="en").fit(texts)
    with ThreadPoolExecutor(2) as pool:
        assert_same(plain, fit_shards(Tfidf(language="en"), texts, characters=100, mapped=pool.map))
    counter = pickle.loads(pickle.dumps(Counter(Tfidf(language="en"), plain.plan_)))
    parts = [pickle.loads(pickle.dumps(counter(shard))) for shard in shards_of(texts, 100)]
    assert len(parts) > 5
    left = merge(parts)
    right = merge([merge(parts[:2]), merge(parts[2:])])
    for name in ("hashes", "are_words", "documents", "occurrences"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert list(left.names) == list(right.names)
    assert dict(zip(left.words, left.word_counts, strict=True)) == dict(
        zip(right.words, right.word_counts, strict=True)
    )


def test_an_n_gram_is_merged_a_logarithmic_number_of_times(monkeypatch):
    merged = []
    monkeypatch.setattr(shards, "merge", lambda parts: merged.append(sum(map(len, parts))) or merge(parts))
    texts = [" ".join(f"w{number}x{place}" for place in range(20)) for number in range(256)]
    tfidf = fit_shards(Tfidf(min_df=1), texts, characters=1)
    assert sum(merged) < 20 * len(tfidf.vocabulary_)  # 128 times if each shard is merged with all before


@given(st.lists(st.text(max_size=9), max_size=20), st.integers(1, 30))
def test_shards_are_the_texts_in_order(texts, characters):
    shards = list(shards_of(texts, characters))
    assert [text for shard in shards for text in shard] == texts
    assert all(sum(map(len, shard[:-1])) < characters for shard in shards)
