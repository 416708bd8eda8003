"""Ensembles from the command line: trained, asked, measured and looked into like any model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ramify import Ensemble, Tagger, XRLinear, read

SHAPE = ("--branching", 2, "--max-leaf", 2, "--threads", 1)


@pytest.fixture
def ensemble(call, documents, tmp_path):
    directory = tmp_path / "m"
    done = call("train", documents, "--out", directory, *SHAPE, "--trees", 3, "--combine", "rank", "--seed", 5, "-q")
    assert done.code == 0
    return directory


def test_train_saves_what_the_library_would_have_trained(ensemble, documents):
    data = read(documents)
    trees = Ensemble(XRLinear(branching=2, max_leaf=2, seed=5), trees=3, combine="rank", threads=1)
    by_hand = Tagger(trees).fit_dataset(data)
    saved = Tagger.load(ensemble)
    assert saved.tag(data.texts, 3) == by_hand.tag(data.texts, 3)
    assert [member.seed for member in saved.model_.members_] == [5, 6, 7]


def test_settings_go_to_a_file_and_back(call, tmp_path):
    sets = ("--set", "ensemble.candidates=7", "--set", "beam=3")
    shown = call("train", "--show-config", "--trees", 2, *sets)
    settings = json.loads(shown.out)
    assert settings["ensemble_settings"]["candidates"] == 7
    assert settings["model_settings"]["beam"] == 3
    (tmp_path / "settings.json").write_text(shown.out, "utf-8")
    assert json.loads(call("train", "--config", tmp_path / "settings.json", "--show-config").out) == settings


def test_the_time_of_each_stage_is_that_of_all_trees(call, documents, tmp_path):
    facts = json.loads(call("train", documents, "--out", tmp_path / "t", *SHAPE, "--trees", 3, "--json").out)
    stages = facts["stage_seconds"]
    assert {"represent", "index", "train", "pack"} <= set(stages)
    assert sum(stages.values()) <= facts["wall_seconds"]
    assert facts["weights"] > 0


def test_predict_and_evaluate_ask_all_members(call, documents, ensemble):
    answers = [json.loads(line) for line in call("predict", ensemble, documents, "-k", 2).out.splitlines()]
    tags = Tagger.load(ensemble).tag(read(documents).texts, 2)
    assert [[one["label"] for one in line["labels"]] for line in answers] == [[name for name, _ in row] for row in tags]
    np.testing.assert_allclose(answers[0]["labels"][0]["score"], tags[0][0][1], rtol=1e-5)
    assert call("predict", ensemble, documents, "--beam", 1, "-k", 2).code == 0
    assert json.loads(call("evaluate", ensemble, documents, "--json").out)["values"]["P@1"] > 0.9


def test_inspect_shows_members_and_the_tree_of_each(call, refused, ensemble):
    shown = call("inspect", ensemble).out
    assert "Ensemble" in shown
    assert "nodes per level" in shown
    assert "settings of the member0 inside" in shown
    assert "settings of the member1 inside" not in shown
    facts = json.loads(call("inspect", ensemble, "--json").out)
    assert [member["seed"] for member in facts["members"]] == [5, 6, 7]
    assert facts["n_weights"] == sum(member["n_weights"] for member in facts["members"])
    first, last = (call("inspect", ensemble, "--label", "water", "--member", number) for number in (0, 2))
    assert first.code == last.code == 0
    assert "path from the top" in last.out
    assert call("inspect", ensemble, "--tree", "--member", 1).code == 0
    assert "member is 3, but must be in 0..2" in refused("inspect", ensemble, "--tree", "--member", 3)
