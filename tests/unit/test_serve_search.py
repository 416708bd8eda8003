"""Search in label names: which labels are found, and in which order."""

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from ramify.serve.search import LabelSearch

NAMES = ["Water law", "Water", "Drinking water", "Water towers", "Clean water", "Fire", "Water, holy water"]
COUNTS = np.array([3, 1, 9, 3, 3, 50, 2])


def found(query, limit=9, counts=COUNTS):
    return [NAMES[number] for number in LabelSearch(NAMES, counts).find(query, limit)]


def test_labels_with_more_documents_come_first():
    assert found("wat") == [
        "Drinking water",
        *["Water law", "Water towers", "Clean water"],  # equal counts: names that begin with the query first
        "Water, holy water",
        "Water",
    ]
    assert found("wat", 2) == ["Drinking water", "Water law"]
    assert found("", 3) == ["Fire", "Drinking water", "Clean water"]


def test_the_name_itself_comes_before_all_others():
    assert found("WATER")[:2] == ["Water", "Drinking water"]
    assert found("water", 1) == ["Water"]


def test_many_matches_are_cut_to_the_best_of_each():
    names = [f"common name {number}" for number in range(3_000)]
    counts = np.random.default_rng(0).permutation(3_000)
    search = LabelSearch(names, counts)
    best = np.argsort(-counts)[:10].tolist()
    for query in ("", "comm", "name"):
        assert search.find(query, 10) == best


def test_nothing_is_found_among_no_names():
    assert LabelSearch([]).find("a", 5) == LabelSearch([], np.zeros(0, np.int64)).find("", 5) == []
