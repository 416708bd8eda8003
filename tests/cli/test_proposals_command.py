"""ramify predict --proposals: names of new labels in text and JSON lines, with other options, and what is refused."""

import gzip
import json
import shutil

import pytest

from fruit_documents import KNOWN, LEFT_OUT, PAIRS, write_fruit_documents

torch = pytest.importorskip("torch", reason="needs the extra torch")

CONTROLS = "wa\x1b]0;title\x07\x9bter\u202e mill\n"


@pytest.fixture
def fruits(tmp_path):
    return write_fruit_documents(tmp_path / "fruits.jsonl")


@pytest.fixture
def forced(monkeypatch):
    """Replace what the generator writes for each text."""
    from ramify.generate import Written, XLGen

    def force(labels, proposals):
        monkeypatch.setattr(XLGen, "proposals", lambda _, request: [Written(labels, proposals)] * len(request))

    return force


def _rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_json_lines_have_proposals_beside_the_usual_labels(call, fruit_model, fruits):
    plain = _rows(call("predict", fruit_model, fruits, "--quiet").out)
    done = call("predict", fruit_model, fruits, "--proposals", "--batch", 5)
    assert done.code == 0, done.err
    rows = _rows(done.out)
    assert [{name: row[name] for name in ("id", "labels")} for row in rows] == plain
    assert [list(row) for row in rows] == [["id", "labels", "proposals"]] * len(rows)
    sure = [[one["label"] for one in row["proposals"] if one["score"] > 0.5] for row in rows]
    assert sure == [[pair] if pair in LEFT_OUT else [] for pair in [*PAIRS, ""]]
    assert all(set(one) == {"label", "score"} for row in rows for one in row["proposals"])
    assert rows[-1]["proposals"] == []


def test_text(call, fruit_model):
    asked = ("predict", fruit_model, "--ask", "a green pear lake", "--ask", "a red apple rain", "--ask", "")
    done = call(*asked, "--proposals", "--threshold", 0.5)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[:3] == ["> a green pear lake", "  no label", "  proposed new labels:"]
    assert lines[3].split(maxsplit=1)[1] == "green pear"
    assert float(lines[3].split()[0]) > 0.5
    assert lines[4] == "> a red apple rain"
    assert lines[5].split(maxsplit=1)[1] == "red apple"
    assert lines[6:] == ["  no proposed new label", "> ", "  no label", "  no proposed new label"]
    assert "proposed" not in call(*asked).out


def test_k_and_threshold_hold_for_proposals(call, fruit_model, forced):
    forced([], [("mill", 0.5), ("dam", 0.25), ("weir", 0.125)])
    asked = ("predict", fruit_model, "a red apple", "--format", "jsonl", "--quiet", "--proposals")
    names = [one["label"] for one in _rows(call(*asked, "-k", 2).out)[0]["proposals"]]
    assert names == ["mill", "dam"]
    assert _rows(call(*asked, "--threshold", 0.3).out)[0]["proposals"] == [{"label": "mill", "score": 0.5}]


def test_a_note_counts_the_proposals(call, fruit_model, fruits, tmp_path):
    asked = ("predict", fruit_model, fruits, "--proposals", "--threshold", 0.5)
    assert "note: 2 new labels proposed for 2 of 17 documents; the most frequent: " in call(*asked).err
    assert call(*asked, "--quiet").err == ""
    twice = [(f"a black cherry {place}", []) for place in ("lake", "rain")] + [("a green pear lake", [])]
    asked = ("predict", fruit_model, write_fruit_documents(tmp_path / "t.jsonl", twice), "--proposals")
    assert call(*asked, "--threshold", 0.5, "--batch", 1).err.endswith("'black cherry' (2 documents)\n")
    done = call("predict", fruit_model, "a red apple lake", "--proposals", "--threshold", 0.5)
    assert done.err == "note: no new label is proposed for 1 document\n"


def test_files(call, fruit_model, fruits, tmp_path):
    flags = ("predict", fruit_model, fruits, "--proposals", "--quiet", "--out")
    assert call(*flags, tmp_path / "new.jsonl.gz").code == 0
    rows = _rows(gzip.decompress((tmp_path / "new.jsonl.gz").read_bytes()).decode())
    assert rows == _rows(call(*flags[:-1]).out)
    assert call(*flags, tmp_path / "new.text", "--format", "text").code == 0
    assert (tmp_path / "new.text").read_text().count("  proposed new labels:\n") >= len(LEFT_OUT)


def test_a_forbidden_label_is_not_a_proposal(call, fruit_model, tmp_path):
    (tmp_path / "no.txt").write_text("red apple\n")
    done = call(
        "predict", fruit_model, "a red apple lake", "--proposals", "--forbid", tmp_path / "no.txt", "--format", "jsonl"
    )
    [row] = _rows(done.out)
    assert "red apple" not in {one["label"] for one in row["labels"] + row["proposals"]}


def test_reasons_and_proposals(call, fruit_model):
    asked = ("predict", fruit_model, "a green pear lake", "--proposals", "--why", "-k", 1)
    [row] = _rows(call(*asked, "--format", "jsonl").out)
    assert "why" in row["labels"][0]
    assert row["proposals"][0]["label"] == "green pear"
    lines = call(*asked).out.splitlines()
    assert any(line.strip().startswith("words left out: score") for line in lines)
    assert lines[-2] == "  proposed new labels:"


def test_label_sets_of_a_rule_and_proposals(call, fruit_model, tmp_path):
    shutil.copytree(fruit_model, tmp_path / "m")
    held_out = write_fruit_documents(tmp_path / "held-out.jsonl", KNOWN * 2)
    assert call("calibrate", tmp_path / "m", held_out, "--quiet").code == 0
    asked = ("predict", tmp_path / "m", "--decide", "micro-f1", "--format", "jsonl", "--quiet")
    texts = ("--ask", "a red apple lake", "--ask", "a green pear lake")
    known, new = _rows(call(*asked, *texts, "--proposals").out)
    assert [one["label"] for one in known["labels"]] == ["red apple"]
    assert new["labels"] == []
    assert new["proposals"][0]["label"] == "green pear"
    assert [row["labels"] for row in (known, new)] == [row["labels"] for row in _rows(call(*asked, *texts).out)]


def test_no_control_characters_reach_a_terminal(call, fruit_model, forced):
    forced([], [(CONTROLS, 0.5), ("\ud800 dam", 0.25)])
    shown = call("predict", fruit_model, "a red apple", "--proposals")
    assert shown.code == 0, shown.err
    assert "mill" in shown.out
    assert all(letter.isprintable() for letter in (shown.out + shown.err).replace("\n", ""))
    [row] = _rows(call("predict", fruit_model, "a red apple", "--proposals", "--format", "jsonl").out)
    assert row["proposals"][0]["label"] == CONTROLS
    assert row["proposals"][1]["label"].endswith(" dam")


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_formats_without_a_place(refused, fruit_model, fruits, tmp_path, kind):
    wanted = f"--proposals is given, but the format {kind} has no place for proposals: use text or jsonl"
    assert wanted in refused("predict", fruit_model, fruits, "--proposals", "--out", tmp_path / f"out.{kind}")
    assert not (tmp_path / f"out.{kind}").exists()


def test_allowed_labels_and_proposals_exclude_each_other(refused, fruit_model, fruits, tmp_path):
    (tmp_path / "some.txt").write_text("red apple\n")
    message = refused("predict", fruit_model, fruits, "--proposals", "--allow", tmp_path / "some.txt")
    assert "--allow and --proposals are given" in message


def test_a_model_without_proposals_is_refused_before_documents_are_read(refused, model, tmp_path):
    wanted = "XRLinear proposes no new labels: use a model that writes label names, such as XLGen"
    out = tmp_path / "out.jsonl"
    assert wanted in refused("predict", model, "-", "--proposals", "--out", out, stdin="this line is no JSON\n")
    assert not out.exists()
