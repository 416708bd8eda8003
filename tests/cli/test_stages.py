"""The stages combined from the command line."""

from __future__ import annotations

import json
import sys

import pytest

from ramify import Partitioned, Tagger, read


@pytest.mark.parametrize("matcher", ["linear", "nearest", "dense", "popular"])
@pytest.mark.parametrize("ranker", ["linear", "cosine", "mixed"])
def test_every_matcher_with_every_ranker(call, documents, tmp_path, matcher, ranker):
    if matcher == "dense":
        pytest.importorskip("usearch", reason="needs the extra ann")
    flags = ("--model", "partitioned", "--matcher", matcher, "--ranker", ranker, "--max-leaf", 2, "--threads", 1, "-q")
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    data = read(documents)
    by_hand = Tagger(Partitioned(matcher=matcher, ranker=ranker, max_leaf=2, threads=1)).fit_dataset(data)
    assert Tagger.load(tmp_path / "m").tag(data.texts, 2) == by_hand.tag(data.texts, 2)
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.5
    assert "Partitioned" in call("inspect", tmp_path / "m").out


def test_an_unknown_part_is_told(refused):
    assert "did you mean 'cosine'" in refused("train", "x", "--out", "m", "--model", "partitioned", "--ranker", "cosin")


def test_a_missing_extra_raises_before_anything_is_read(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch", None)
    sentence = refused("train", "x.jsonl", "--out", "m", "--model", "partitioned", "--matcher", "dense")
    assert 'pip install "ramify[ann]"' in sentence
