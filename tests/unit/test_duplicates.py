"""Exact and near duplicates: equal to brute force, and harmless on odd texts."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import duplicate_groups, find_duplicates
from ramify.data.duplicates import Banding
from ramify.data.duplicates.minhash import signatures
from ramify.data.duplicates.pairs import WINDOW, candidates, jaccard
from ramify.data.duplicates.shingles import RowSets, TextSets, runs
from ramify.errors import InputError
from ramify.values import Dataset

WORDS = (
    *("river", "lake", "rain", "flood", "flame", "smoke", "heat", "burn", "soil"),
    *("stone", "clay", "sand", "farm", "field", "bank", "money", "tax", "law"),
)


def shingles(text: str) -> set[str]:
    plain = " ".join(re.sub(r"[^\w]", " ", text.casefold()).split())
    return {plain[i : i + 5] for i in range(max(len(plain) - 4, 1))}


def similarity(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def varied_texts(n: int, seed: int, length: int = 12) -> list[str]:
    """Texts of which many are copies of earlier ones with some words replaced."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for number in range(n):
        words = (
            texts[rng.integers(number)].split() if number and rng.random() < 0.6 else list(rng.choice(WORDS, length))
        )
        for _ in range(rng.integers(0, 3)):
            words[rng.integers(len(words))] = f"{rng.choice(WORDS)}{rng.integers(30)}"
        texts.append(" ".join(words))
    return texts


def groups_by_brute_force(texts: list[str], least: float) -> list[int]:
    group = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        if similarity(texts[i], texts[j]) >= least and group[i] != group[j]:
            group = [group[i] if one == group[j] else one for one in group]
    first: dict[int, int] = {}
    return [first.setdefault(one, len(first)) for one in group]


@pytest.mark.parametrize("least", [0.5, 0.7, 0.8, 0.9])
def test_groups_are_those_of_all_pairs(least):
    texts = varied_texts(300, seed=1)
    found = find_duplicates(texts, similarity=least)
    wanted = groups_by_brute_force(texts, least)
    assert 20 < max(wanted) < 290
    assert found.near.tolist() == wanted
    for (i, j), value in zip(found.pairs.tolist(), found.similarity.tolist(), strict=True):
        assert value == pytest.approx(similarity(texts[i], texts[j])) and value >= least


def test_jaccard_equals_that_of_sets():
    texts = [*varied_texts(60, seed=2, length=5), "ab", "ab", "abcd", "x" * 4000]
    pairs = np.array(list(combinations(range(len(texts)), 2)))
    measured = jaccard(TextSets(texts), pairs)
    assert measured == pytest.approx([similarity(texts[i], texts[j]) for i, j in pairs.tolist()])


def test_pairs_agree_on_a_band_as_often_as_computed():
    banding = Banding(40, 3)
    rng = np.random.default_rng(0)
    base = [set(rng.choice(10_000, 40, replace=False).tolist()) for _ in range(300)]
    other = [set(list(one)[:30]) | set(range(10_000 + 10 * i, 10_010 + 10 * i)) for i, one in enumerate(base)]
    rows = [sorted(one) for pair in zip(base, other, strict=True) for one in pair]  # similarity 30 / 50
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    X = sp.csr_matrix((np.ones(indptr[-1], np.float32), np.concatenate(rows), indptr), shape=(600, 13_000))
    signed = signatures(RowSets(X), np.arange(600), banding)
    agree = signed.bands[:, ::2] == signed.bands[:, 1::2]
    assert (signed.minima[::2] == signed.minima[1::2]).mean() == pytest.approx(0.6, abs=0.015)
    pairs = np.arange(600).reshape(-1, 2)
    assert signed.may_be_similar(pairs, 0.6).mean() > 0.99
    assert not signed.may_be_similar(pairs, 0.95).any()
    assert agree.mean() == pytest.approx(0.6**3, abs=0.015)
    assert Banding(5, 3).recall(0.6) == pytest.approx(1 - (1 - 0.6**3) ** 5)
    assert agree[:5].any(axis=0).mean() == pytest.approx(Banding(5, 3).recall(0.6), abs=0.06)


@pytest.mark.parametrize("least", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_the_recall_is_at_least_99_percent_at_every_threshold(least):
    banding = Banding.for_similarity(least)
    assert banding.recall(least) >= 0.99
    assert banding.bands * banding.rows <= 120
    longer = banding.rows + 1
    assert longer > 120 or Banding(120 // longer, longer).recall(least) < 0.99


def test_equal_texts_differ_in_case_blanks_and_unicode_only():
    texts = ["Big  River", "big river\n", "ＢＩＧ river", "big river!", "small river", "", "  ", "Straße", "STRASSE"]
    found = find_duplicates(texts)
    assert found.exact.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert found.near.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 4]
    assert found.empty.tolist() == [False] * 5 + [True, True] + [False] * 2


def test_documents_of_a_large_bucket_are_joined():
    text = "the annual report of the committee on the state of the rivers and lakes of the whole country, number"
    texts = [f"{text} {number}" for number in range(5000)] + ["something else entirely"]
    assert WINDOW < 5000
    found = find_duplicates(texts)
    assert len(set(found.near[:5000].tolist())) == 1 and found.near[5000] == 1


def test_rows_of_features_are_sets_of_columns():
    X = np.zeros((6, 30), np.float32)
    X[0, :10] = X[1, :10] = 1
    X[2, :10] = 2  # the values differ
    X[3, :9] = 1
    X[4, 20:] = 1
    found = find_duplicates(sp.csr_matrix(X))
    assert found.exact.tolist() == [0, 0, 1, 2, 3, 4]
    assert found.near.tolist() == [0, 0, 0, 0, 1, 2]
    assert found.empty.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["one"],
        [""],
        ["", " ", "\n"],
        ["same"] * 50,
        ["\ud800 broken", "\ud800 broken", "\udfff"],
        ["!!!", "???", "!!!"],
        ["日本語の本", "日本語の本", "日本語の木"],
        ["👩‍👩‍👧" * 20, "हिन्दी की किताब", "\0\0\0\0\0\0", "a\0b\0c\0d"],
    ],
    ids=repr,
)
def test_odd_texts(texts):
    found = find_duplicates(texts)
    assert len(found.exact) == len(found.near) == len(found.empty) == len(texts)
    for i, j in combinations(range(len(texts)), 2):
        if texts[i] == texts[j] and texts[i].strip():
            assert found.exact[i] == found.exact[j] and found.near[i] == found.near[j]


def test_huge_texts_are_compared_by_their_beginning():
    rng = np.random.default_rng(0)
    huge = " ".join(map(str, rng.integers(0, 10**9, 1_000_000)))
    assert len(huge) > 9_000_000
    other = huge[:50_000] + huge[-50_000:] + huge[100_000:]
    found = find_duplicates([huge, huge + " end", "short", huge, other])
    assert found.exact.tolist() == [0, 1, 2, 0, 3]
    assert found.near.tolist() == [0, 0, 1, 0, 2]


def test_the_result_depends_on_the_seed_only_by_chance():
    texts = varied_texts(200, seed=3)
    one, same, other = (find_duplicates(texts, seed=seed) for seed in (0, 0, 7))
    assert (one.pairs == same.pairs).all()
    assert (one.near == other.near).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"similarity": 0.4}, "similarity is 0.4"),
        ({"similarity": "x"}, "similarity is 'x'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range(settings, words):
    with pytest.raises(InputError, match=words):
        find_duplicates(["a"], **settings)


def test_groups_of_a_dataset():
    Y = sp.csr_matrix(np.ones((3, 1), np.float32))
    data = Dataset(Y=Y, label_names=["x"], texts=["the river bank", "The  river bank", "the river bank."])
    assert duplicate_groups(data, "duplicates").tolist() == [0, 0, 1]
    assert duplicate_groups(data).tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="did you mean 'duplicates'"):
        duplicate_groups(data, "duplicate")


def test_candidates_are_all_pairs_of_a_small_bucket_and_neighbours_in_a_large_one():
    bands = np.array([[7] * 5 + [8] * 40 + [9], np.arange(46)], np.uint32)
    found = {tuple(pair) for part in candidates(bands, 0) for pair in part.tolist()}
    small = {(i, j) for i, j in combinations(range(5), 2)}
    large = {(i, j) for i, j in combinations(range(5, 45), 2) if j - i <= WINDOW or i == 5}
    assert found == small | large


def test_runs_cover_everything_in_order():
    assert runs(np.zeros(0, np.int64), 5) == []
    assert runs(np.array([3, 3, 9, 1, 1]), 5) == [(0, 2), (2, 3), (3, 5)]
