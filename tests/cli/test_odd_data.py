"""Unusual data and requests for copies, parts and inspection give a result or an error of one sentence."""

from __future__ import annotations

import json

import pytest

from ramify import Tagger

SHAPE = ("--branching", 2, "--max-leaf", 3, "--threads", 1, "-q")
WAYS = (("--copies", 2), ("--model", "partitioned"), ("--model", "partitioned", "--copies", 2))
TOPICS = {
    "wässer": "river lake rain",
    "火": "flame smoke heat",
    "--copies": "copy clone twin",
    "🌍 Erde": "soil stone clay",
}


def _write(path, documents):
    lines = [json.dumps({"text": text, "labels": labels}, ensure_ascii=False) for text, labels in documents]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _documents():
    names = list(TOPICS)
    pairs = [(names[number % 4], names[number // 4 % 4]) for number in range(60)]
    return [
        (f"{TOPICS[name]} {TOPICS[other].split()[number % 3]}", sorted({name, f"{name} / {other}"}))
        for number, (name, other) in enumerate(pairs)
    ]


ODD = {
    "names of all scripts": _documents(),
    "texts that are empty": [*_documents(), ("", ["wässer"]), ("   ", []), ("", ["only here"])],
    "labels that repeat": [(text, [*labels, *labels, f" {labels[0]} "]) for text, labels in _documents()],
    "one label": [("river lake", ["x"]), ("lake rain", ["x"]), ("sun", ["x"])],
    "two equal instances": [("river lake", ["x"]), ("river lake", ["y"])],
    "numbers for names": [("river lake", [1, 2]), ("lake moon", [2]), ("rain river moon", [3])],
    "names of blanks": [("river lake", ["", "x"]), ("sun moon", [" "]), ("sun lake", ["y"])],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("odd") / "all.jsonl", _documents())


@pytest.fixture
def copied(call, world, tmp_path):
    assert call("train", world, "--out", tmp_path / "m", "--copies", 2, *SHAPE).code == 0
    return tmp_path / "m"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way)))
@pytest.mark.parametrize("data", ODD)
def test_odd_data_can_be_learnt_and_asked(call, tmp_path, data, way):
    documents = _write(tmp_path / "d.jsonl", ODD[data])
    shape = () if "partitioned" in way else ("--branching", 2)
    done = call("train", documents, "--out", tmp_path / "m", *way, *shape, "--max-leaf", 2, "--threads", 1)
    assert done.code == 0, done.err
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.4
    asked = _write(tmp_path / "q.jsonl", [("", []), ("river", []), ("unheard", [])])
    answers = call("predict", tmp_path / "m", asked, "-k", 1).out.splitlines()
    assert len(answers) == 3
    assert call("inspect", tmp_path / "m", "--tree").code == 0


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way)))
def test_nothing_to_learn_from_is_told(call, tmp_path, way):
    for documents, sentence in (
        ([("", ["a"]), ("  ", ["b"])], "give longer texts"),
        ([("river", []), ("lake", [])], "no document has labels"),
    ):
        done = call("train", _write(tmp_path / "d.jsonl", documents), "--out", tmp_path / "m", *way, "-q")
        assert done.code == 2
        assert sentence in done.err
        assert "Traceback" not in done.err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(("copies", "cap"), [(1000, None), (3, 1), (2, 10**6)])
def test_more_copies_than_clusters_and_caps_smaller_than_clusters(call, world, tmp_path, copies, cap):
    flags = ("--copies", copies, *(() if cap is None else ("--set", f"disentangled.cap={cap}")))
    assert call("train", world, "--out", tmp_path / "m", *flags, *SHAPE).code == 0
    tree = Tagger.load(tmp_path / "m").model_.tree_
    assert set(tree.leaf_labels.tolist()) == set(range(20))
    assert tree.n_leaves <= 20 * min(copies, tree.level_sizes[-2])


def test_copies_without_a_second_cluster_give_a_warning(call, world, tmp_path):
    warning = "all labels are in one cluster"
    done = call("train", world, "--out", tmp_path / "m", "--copies", 2, "--threads", 1)
    assert warning in done.err
    assert "--max-leaf" in done.err
    assert warning not in call("train", world, "--out", tmp_path / "m", "--copies", 2, "--max-leaf", 3).err


@pytest.mark.parametrize("model", ["nearest-instances", "blend"])
def test_copies_of_what_has_no_tree_are_told(refused, model):
    assert f"the model {model} does not support disentangled" in refused(
        "train", "x", "--out", "m", "--copies", 2, "--model", model
    )


def test_labels_are_looked_into_by_any_name(call, copied, world):
    for name in TOPICS:
        shown = json.loads(call("inspect", copied, f"--label={name}", "--data", world, "--json").out)
        assert shown["name"] == name
        assert shown["senses"]
    assert json.loads(call("inspect", copied, "--label", "--copies", "--json").out)["name"] == "--copies"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("--label", "wasser"), "did you mean 'wässer'"),
        (("--label", "Wässer"), "did you mean 'wässer'"),
        (("--label", "qqqqqq"), "its labels are like '--copies'"),
        (("--label", ""), "has no label ''"),
        (("--label", "火", "--ambiguous"), "choose one"),
        (("--ambiguous", "--top", 0), "--top is 0"),
        (("--tree", "--nodes", -1), "--nodes is -1"),
        (("--data", "x.jsonl"), "add --label NAME"),
        (("--label", "火", "--data", "nowhere.jsonl"), "no such file"),
    ],
)
def test_questions_that_cannot_be_answered(refused, copied, asked, sentence):
    assert sentence in refused("inspect", copied, *asked)


def test_data_without_the_label_are_told(refused, copied, tmp_path):
    other = _write(tmp_path / "other.jsonl", [("river", ["x"])])
    assert "give data that use it" in refused("inspect", copied, "--label", "火", "--data", other)


def test_a_partitioned_model_shows_its_clusters_but_no_classifiers(call, refused, world, tmp_path):
    flags = ("--model", "partitioned", "--max-leaf", 3, "--threads", 1, "-q")
    assert call("train", world, "--out", tmp_path / "m", *flags).code == 0
    assert "火" in call("inspect", tmp_path / "m", "--tree").out
    assert call("inspect", tmp_path / "m", "--draw", tmp_path / "t.svg").code == 0
    for asked in (("--label", "火"), ("--ambiguous",)):
        sentence = refused("inspect", tmp_path / "m", *asked)
        assert "is a Partitioned, which has no classifiers along a tree" in sentence
    assert "beam is 0" in refused("predict", tmp_path / "m", world, "--beam", 0)
