"""The kernels for names in texts and for sums of trees equal their Python twins, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.features.languages import snowball
from ramify.kernels.lexical import NameSearcher
from ramify.models.lexical.names import LabelNames, entries_of
from ramify.models.lexical.ranker import fit_trees
from ramify.reference.lexical import find_names, gaps_of, match_features, sum_trees
from ramify.strings import StringTable

WORDS = ["river", "rivers", "lake", "Water", "of", "pollution", "é́t", "ÄÄ", "x", "İz", "ΟΔΟΣ", "水"]
GAPS = [" ", ". ", "! ", ".", "; ", ", ", "\n", "\n\n", "\n \n", "。", "… ", " (", "-", "'"]
SINGLE = st.sampled_from(WORDS)
PAIR = st.tuples(SINGLE, st.sampled_from(GAPS))
STOPPED = st.lists(PAIR, min_size=1, max_size=4).map(lambda pairs: "".join(map("".join, pairs)))
NAME = st.one_of(st.lists(SINGLE, min_size=1, max_size=4).map(" ".join), STOPPED)
TEXT = st.lists(PAIR, max_size=40).map(lambda pairs: "".join(map("".join, pairs)))


def searcher(names, labels, kinds, stem_words=None, most=100):
    table = LabelNames(StringTable.of(names), np.array(labels, np.int32), np.array(kinds, np.uint8))
    counts = np.zeros(max(labels) + 1, np.int64)
    entries = entries_of(table, counts, stem_words=stem_words, most_labels=most, threads=1)
    return NameSearcher(entries, stem_words)


def tokens(name, stem=str):
    import re

    return tuple(stem(word) for word in re.findall(r"\b\w\w+\b", name.lower()))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NAME, st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=12), TEXT, st.booleans())
def test_matches_equal_reference(rows, text, stemmed):
    stem_words = snowball("en") if stemmed else None
    stem = (lambda word: stem_words([word])[0]) if stemmed else str
    distinct, gaps = {}, {}
    for name, label, kind in rows:
        known = distinct.setdefault(tokens(name, stem), {})
        known[label] = min(known.get(label, kind), kind)
        own = [gap.strip("\n") for gap in gaps_of(name.lower())]
        stops = gaps.setdefault(tokens(name, stem), own)
        gaps[tokens(name, stem)] = [stop or other for stop, other in zip(stops, own, strict=True)]
    distinct.pop((), None)
    names, labels = list(distinct), list(distinct.values())
    found = find_names(text, names, stem, [gaps[name] for name in names])
    n_words = len(tokens(text))
    native = searcher(*map(list, zip(*rows, strict=True)), stem_words)
    for threads in (1, 3):
        matches = native.match((text, "", text), threads)
        assert matches.n_words.tolist() == [n_words, 0, n_words]
        wanted = match_features(found, names, labels, n_words)
        assert matches.labels.tolist() == [*wanted, *wanted]
        expected = np.array([*wanted.values(), *wanted.values()], np.float32).reshape(-1, 10)
        np.testing.assert_allclose(matches.features, expected, rtol=1e-6)
    assert len(native.occurrences(text)) == len(found)
    assert sum(one.phrase for one in native.occurrences(text)) == sum(one[3] for one in found)


def test_places_of_occurrences():
    native = searcher(["water pollution", "lakes"], [0, 1], [0, 0], snowball("en"))
    text = "Lake of pollution by Waters. Water pollution!"
    found = [(text[one.begin : one.end], one.phrase) for one in native.occurrences(text)]
    assert sorted(found) == [("Lake", True), ("Water pollution", True), ("pollution by Waters", False)]


def found_in(names, text):
    native = searcher(names, list(range(len(names))), [0] * len(names))
    return sorted((text[one.begin : one.end], one.phrase) for one in native.occurrences(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("He lives in St. Louis.", [("St. Louis", True)]),
        ("the ST.\nLOUIS zoo", [("ST.\nLOUIS", True)]),
        ("the St Louis zoo", [("St Louis", True)]),
        ("the St! Louis zoo", []),
        ("the St.\n\nLouis zoo", []),
        ("on Main St. (Louis came)", []),
        ("Louis saw St. Louis", [("Louis saw St", False), ("St. Louis", True)]),
    ],
)
def test_names_with_a_stop_inside_go_across_the_same_stop(text, wanted):
    assert found_in(["St. Louis"], text) == wanted


def test_other_names_do_not_go_across_the_end_of_a_sentence():
    assert found_in(["St Louis", "saw it"], "I saw. It was on Main St. Louis came.") == []
    assert found_in(["Yahoo! Inc", "of York"], "Shares of Yahoo! Inc. York") == [("Yahoo! Inc", True)]
    cut = " ".join(["word"] * 126)
    assert found_in(["St. Louis"], f"{cut} aa St. Louis") == [("St. Louis", True)]
    assert found_in(["St. Louis"], f"{cut} aa St Louis") == []  # the sentence is cut after 128 words


def test_a_repeated_word_must_occur_as_often_as_in_the_name():
    assert found_in(["Bora Bora"], "a wind called bora blows") == []
    assert found_in(["Bora Bora"], "a bora. Another bora") == []
    assert found_in(["Bora Bora"], "a trip to Bora Bora") == [("Bora Bora", True)]
    assert found_in(["Bora Bora"], "bora and bora and bora") == [("bora and bora", False)]
    assert found_in(["Bora Bora"], "Bora Bora Bora") == [("Bora Bora", True)] * 2


def test_a_sentence_is_cut_after_128_words():
    native = searcher(["alpha omega"], [0], [0])
    near, far = (f"alpha {'word ' * between}omega" for between in (126, 127))
    assert native.match((near,), 1).labels.tolist() == [0]
    assert native.match((far,), 1).labels.tolist() == []
    assert find_names(near, [("alpha", "omega")]) and not find_names(far, [("alpha", "omega")])


def test_names_that_many_labels_share_keep_the_most_frequent():
    table = LabelNames(StringTable.of(["tree"] * 4), np.arange(4, dtype=np.int32), np.array([2, 2, 0, 2], np.uint8))
    entries = entries_of(table, np.array([1, 5, 0, 3]), stem_words=None, most_labels=3, threads=1)
    assert entries.labels.tolist() == [2, 1, 3]


@pytest.mark.parametrize("seed", [0, 1])
def test_trees_equal_scikit_learn(seed):
    from sklearn.ensemble import HistGradientBoostingClassifier

    from ramify.models.lexical import ranker

    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(600, 5)), 1).astype(np.float32)
    positive = rows[:, 0] * rows[:, 1] + rng.normal(size=600) > 0
    trees = fit_trees(rows, positive, n_trees=20, seed=0)
    assert len(trees.roots) == 20
    model = HistGradientBoostingClassifier(
        learning_rate=ranker.LEARNING_RATE,
        max_iter=20,
        max_leaf_nodes=ranker.MOST_LEAVES,
        min_samples_leaf=ranker.FEWEST_SAMPLES,
        early_stopping=False,
        random_state=0,
    ).fit(rows, positive)
    wanted = model.decision_function(rows)
    np.testing.assert_array_equal(trees.scores(rows), wanted)
    np.testing.assert_array_equal(trees.scores(rows, threads=3), wanted)
    np.testing.assert_allclose(sum_trees(trees, rows[:50]), wanted[:50])


@pytest.mark.parametrize("positive", [0, 1])
def test_trees_of_one_class_are_a_constant(positive):
    rows = np.zeros((9, 3), np.float32)
    trees = fit_trees(rows, np.full(9, bool(positive)), n_trees=5, seed=0)
    assert np.unique(trees.scores(rows)).round(4).tolist() == [np.float64(np.log(19.0)).round(4) * (2 * positive - 1)]
