"""ramify predict --why: words for and against in text and JSON lines, highlighted on a terminal."""

import json
import sys

import pytest


def test_text(call, model):
    done = call("predict", model, "river smoke", "--why", "-k", 2, "--top", 1)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "> river smoke"
    assert lines[1].split()[1:] in (["water"], ["fire"])
    assert lines[2].strip().startswith("for: river +" if "water" in lines[1] else "for: smoke +")
    assert lines[3].strip().startswith("against: ")
    assert " = " in lines[4]
    assert "\x1b" not in done.out  # no terminal, no colours


def test_scores_and_labels_are_those_without_reasons(call, model, documents):
    plain = [json.loads(line) for line in call("predict", model, documents, "--quiet").out.splitlines()]
    done = call("predict", model, documents, "--why", "--quiet", "--batch", 7)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == len(plain)
    for row, wanted in zip(rows, plain, strict=True):
        why = [label.pop("why") for label in row["labels"]]
        assert row == wanted
        for reason in why:
            assert reason["unit"].startswith("contribution to the margin")
            assert all(term["strength"] > 0 for term in reason["for"])
            assert all(term["strength"] < 0 for term in reason["against"])
            assert len(reason["for"]) <= 5
            assert " = " in reason["computation"][0]


def test_restrictions_and_files(call, model, tmp_path):
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("fire\n")
    out = tmp_path / "why.jsonl"
    done = call("predict", model, "river smoke", "--why", "--allow", allowed, "--beam", 1, "--out", out)
    assert done.code == 0, done.err
    [label] = json.loads(out.read_text())["labels"]
    assert label["label"] == "fire"
    assert label["why"]["for"][0]["text"] == "smoke"


def test_labels_that_only_the_restriction_reaches(call, documents, tmp_path):
    tree = ("--set", "branching=2", "--set", "max_leaf=2")
    assert call("train", documents, *tree, "--out", tmp_path / "m", "--quiet").code == 0
    (tmp_path / "allowed.txt").write_text("fire\n")
    restricted = ("--allow", tmp_path / "allowed.txt", "--beam", 1)
    done = call("predict", tmp_path / "m", "river lake", "--why", *restricted)
    assert done.code == 0, done.err
    assert "fire" in done.out
    assert "level 1, cluster of" in done.out
    assert "not reached" not in done.out


def test_documents_without_labels(call, model):
    done = call("predict", model, "unknownword otherword", "--why")
    assert done.code == 0
    assert done.out.splitlines()[1] == "  no label"
    assert json.loads(call("predict", model, "xx yy", "--why", "--format", "jsonl").out) == {"labels": []}


def test_words_left_out(call, model):
    done = call("predict", model, "river smoke", "--why", "--occlude", "-k", 1)
    assert "words left out: score " in done.out
    found = json.loads(call("predict", model, "river smoke", "--why", "--occlude", "--format", "jsonl").out)
    assert found["labels"][0]["why"]["occlusion"]["error"] >= 0


def test_reasons_of_a_decided_label_set(call, documents, tmp_path):
    data = tmp_path / "more.jsonl"
    data.write_text(documents.read_text() * 10)
    assert call("train", data, "--out", tmp_path / "m", "--holdout", 0.5, "--quiet").code == 0
    done = call("predict", tmp_path / "m", "river smoke", "--decide", "threshold=0.1", "--why", "--quiet")
    assert done.code == 0, done.err
    assert "for: " in done.out


def test_a_terminal_gets_highlighted_words(call, model, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    done = call("predict", model, "river and smoke", "--why", "-k", 1)
    last = done.out.splitlines()[-1]
    assert "\x1b[" in last
    assert "river" in last
    text = "river " + "and nothing else here " * 100 + "smoke"
    last = call("predict", model, text, "--why", "-k", 1).out.splitlines()[-1]
    assert " … " in last
    assert len(last) < 400
    assert not sys.stdout.isatty()


def test_sentences(refused, model, documents):
    assert "--why is given, but the format csv has no place for reasons: use text or jsonl" in refused(
        "predict", model, documents, "--why", "--format", "csv"
    )
    assert "--top is given without --why" in refused("predict", model, documents, "--top", 3)
    assert "--occlude is given without --why" in refused("predict", model, documents, "--occlude")
    assert "--top is 0" in refused("predict", model, documents, "--why", "--top", 0)


def test_a_model_without_reasons(refused, call, documents, tmp_path):
    assert call("train", documents, "--model", "popular-labels", "--out", tmp_path / "m", "--quiet").code == 0
    assert "PopularLabels has no reasons" in refused("predict", tmp_path / "m", "river smoke", "--why")


@pytest.mark.parametrize("model_kind", ["nearest-instances", "blend", "partitioned"])
def test_other_models(call, documents, tmp_path, model_kind):
    assert call("train", documents, "--model", model_kind, "--out", tmp_path / "m", "--quiet").code == 0
    done = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1)
    assert done.code == 0, done.err
    words = {"nearest-instances": "training document", "blend": "weighted members", "partitioned": "matcher and ranker"}
    assert words[model_kind] in done.out


def test_documents_that_voted_are_named_in_text_and_json(call, documents, tmp_path):
    assert call("train", documents, "--model", "nearest-instances", "--out", tmp_path / "m", "--quiet").code == 0
    done = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1, "--top", 2)
    votes = [line.strip() for line in done.out.splitlines() if line.strip().startswith("training document ")]
    assert len(votes) == 2
    assert "similarity " in votes[0] and "weight " in votes[0]
    found = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1, "--top", 2, "--format", "jsonl").out
    [label] = json.loads(found)["labels"]
    records = label["why"]["votes"]
    assert [f"training document {vote['number']}" for vote in records] == [line.split(" +")[0] for line in votes]
    rows = [json.loads(line) for line in documents.read_text().splitlines()]
    for vote in records:
        assert set(vote) == {"point", "number", "similarity", "weight", "part", "labels"}
        assert label["label"] in vote["labels"] and 0 < vote["part"] <= vote["weight"] <= 1
        assert sorted(rows[vote["number"] - 1]["labels"]) == sorted(vote["labels"])


def test_votes_inside_a_mixture_name_their_member(call, documents, tmp_path):
    assert call("train", documents, "--model", "blend", "--out", tmp_path / "m", "--quiet").code == 0
    done = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1, "--top", 1)
    assert sum("training document " in line for line in done.out.splitlines()) == 1
    found = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1, "--top", 1, "--format", "jsonl").out
    [vote] = json.loads(found)["labels"][0]["why"]["votes"]
    assert vote["of"] in done.out
    assert f"training document {vote['number']} +" in done.out


def test_a_tree_has_no_votes(call, model):
    found = json.loads(call("predict", model, "river smoke", "--why", "--format", "jsonl").out)
    assert "votes" not in found["labels"][0]["why"]


def test_clusters_are_named_by_their_labels(call, documents, tmp_path):
    assert call("train", documents, "--model", "partitioned", "--out", tmp_path / "m", "--quiet").code == 0
    done = call("predict", tmp_path / "m", "river smoke", "--why", "-k", 1)
    label = done.out.splitlines()[1].split()[1]
    [line] = [line for line in done.out.splitlines() if "matcher, cluster " in line]
    assert label in line.split("(")[1].split(")")[0].split(", ")


def test_no_control_characters_reach_a_terminal(call, tmp_path):
    bad = "wa\x1b]0;title\x07\x9bter\u202e\x85\u2066."
    rows = [{"text": f"river lake {n}", "labels": [bad]} for n in range(6)]
    rows += [{"text": f"smoke fire {n}", "labels": ["fire"]} for n in range(6)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert call("train", tmp_path / "d.jsonl", "--out", tmp_path / "m", "--quiet").code == 0
    text = "river \x1b[2J\u202etxt\u2069 lake"
    for more in ((), ("--why",)):
        shown = call("predict", tmp_path / "m", text, "-k", 1, *more).out
        assert "river" in shown and "ter" in shown
        assert all(letter.isprintable() for letter in shown.replace("\n", "")), more
    exact = json.loads(call("predict", tmp_path / "m", text, "-k", 1, "--format", "jsonl").out)
    assert exact["labels"][0]["label"] == bad
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": text}))
    assert (
        bad.encode() in call("predict", tmp_path / "m", tmp_path / "t.jsonl", "-k", 1, "--format", "csv").out.encode()
    )
