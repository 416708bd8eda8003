"""Labels in several clusters from the command line: trained, asked, measured and looked into like any model."""

from __future__ import annotations

import json

from ramify import Disentangled, Tagger, XRLinear, read

SHAPE = ("--branching", 2, "--max-leaf", 2, "--threads", 1)


def test_train_saves_what_the_library_would_have_trained(call, documents, tmp_path):
    done = call(
        "train",
        documents,
        "--out",
        tmp_path / "m",
        *SHAPE,
        "--copies",
        2,
        "--set",
        "disentangled.rounds=2",
        "--seed",
        3,
        "-q",
    )
    assert done.code == 0
    data = read(documents)
    model = Disentangled(XRLinear(branching=2, max_leaf=2), copies=2, rounds=2, seed=3, threads=1)
    saved, by_hand = Tagger.load(tmp_path / "m"), Tagger(model).fit_dataset(data)
    assert saved.tag(data.texts, 2) == by_hand.tag(data.texts, 2)
    assert saved.model_.model_.seed == 3
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.9


def test_train_tells_what_each_round_changed(call, documents, tmp_path):
    flags = (*SHAPE, "--copies", 2, "--set", "disentangled.rounds=2", "--set", "disentangled.held_out=0")
    shown = call("train", documents, "--out", tmp_path / "m", *flags, "-q").out
    assert "round 1: candidates contain" in shown
    assert "round 2: candidates contain" in shown
    assert json.loads(call("train", documents, "--out", tmp_path / "m", *SHAPE, "--json").out)["rounds"] == []


def test_inspect_shows_the_tree_and_every_leaf_of_a_label(call, documents, tmp_path):
    assert call("train", documents, "--out", tmp_path / "m", *SHAPE, "--copies", 2, "-q").code == 0
    tagger = Tagger.load(tmp_path / "m")
    shown = json.loads(call("inspect", tmp_path / "m", "--json").out)
    assert shown["levels"][-1]["nodes"] == tagger.model_.tree_.n_leaves
    assert shown["settings"]["model"]["copies"] == 2
    assert shown["settings"]["model inside"]["branching"] == 2
    name = tagger.label_names_[tagger.model_.tree_.leaf_labels[0]]
    label = json.loads(call("inspect", tmp_path / "m", "--label", name, "--json").out)
    copies = (tagger.model_.tree_.leaf_labels == tagger.model_.tree_.leaf_labels[0]).sum()
    assert len(label["senses"]) == copies


def test_inspect_shows_examples_of_each_sense_and_the_most_ambiguous_labels(call, documents, tmp_path):
    assert call("train", documents, "--out", tmp_path / "m", *SHAPE, "--copies", 2, "-q").code == 0
    data = read(documents)
    listed = json.loads(call("inspect", tmp_path / "m", "--ambiguous", "--json").out)["labels"]
    assert listed == sorted(listed, key=lambda one: one["cosine"])
    name = listed[0]["label"]
    card = json.loads(call("inspect", tmp_path / "m", "--label", name, "--data", documents, "--json").out)
    assert len(card["senses"]) == listed[0]["leaves"] > 1
    shown = [row for sense in card["senses"] for row, _ in sense["examples"]]
    assert shown
    assert len(set(shown)) == len(shown)
    assert all(data.Y[row, list(data.label_names).index(name)] for row in shown)
    text = call("inspect", tmp_path / "m", "--label", name, "--data", documents).out
    assert "sense 1: path from the top" in text
    assert "example: document" in text
    assert name in call("inspect", tmp_path / "m", "--ambiguous").out


def test_a_plain_tree_has_no_ambiguous_label(call, documents, tmp_path):
    assert call("train", documents, "--out", tmp_path / "m", "--threads", 1, "-q").code == 0
    assert "--copies 2" in call("inspect", tmp_path / "m", "--ambiguous").out


def test_an_ensemble_of_disentangled_trees_has_other_seeds(call, documents, tmp_path):
    flags = (*SHAPE, "--copies", 2, "--trees", 2, "-q")
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    members = Tagger.load(tmp_path / "m").model_.members_
    assert [member.model_.seed for member in members] == [0, 1]


def test_a_flag_without_copies_is_told(refused):
    sentence = refused("train", "x.jsonl", "--out", "m", "--set", "disentangled.cap=5")
    assert "--set disentangled.cap is given" in sentence
    assert "--copies 2" in sentence
