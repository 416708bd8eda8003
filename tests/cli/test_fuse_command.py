"""``ramify fuse``, and ``ramify train --model fusion``."""

import json

import numpy as np
import pytest

from ramify.cli.entry import run

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}


def p_at_1(report):
    """P@1 in the output of ``ramify evaluate --json``."""
    return report["values"]["P@1"] if "values" in report else report["measures"]["P@1"]


def lines(n, seed):
    rng = np.random.default_rng(seed)
    for row in range(n):
        topic = str(rng.choice(list(TOPICS)))
        yield {"text": " ".join(rng.choice(TOPICS[topic].split(), 3)) + f" {seed}.{row}", "labels": [topic]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuse")
    for name, n, seed in (("train", 150, 0), ("held", 140, 1), ("test", 30, 2)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines(n, seed)), "utf-8")
    for name, model in (("tree", "xr-linear"), ("near", "nearest-instances")):
        arguments = ["train", str(place / "train.jsonl"), "--out", str(place / name), "--model", model]
        assert run([*arguments, "-q", "--calibrate", "no"]) == 0
    return place


def test_a_fused_model_is_used_like_any_other(folder, tmp_path, capsys):
    predictions, out = tmp_path / "other.jsonl", tmp_path / "fused"
    assert run(["predict", str(folder / "near"), str(folder / "held.jsonl"), "--out", str(predictions)]) == 0
    members = [str(folder / "tree"), str(folder / "near"), str(predictions)]
    assert run(["fuse", *members, "--data", str(folder / "held.jsonl"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "nDCG@10" in printed
    assert all(name in printed for name in ("tree", "near", "other", "adds", "95% interval"))
    assert run(["evaluate", str(out), str(folder / "test.jsonl"), "--json"]) == 0
    assert p_at_1(json.loads(capsys.readouterr().out)) > 0.9
    assert run(["predict", str(out), "clay in the soil", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"][0]["label"] == "earth"
    assert run(["calibrate", str(out), str(folder / "held.jsonl")]) == 0
    assert run(["inspect", str(out)]) == 0
    assert "held-out documents" in capsys.readouterr().out
    assert run(["inspect", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fusion"]["measure"] == "ndcg"


def test_json(folder, tmp_path, capsys):
    out = str(tmp_path / "fused")
    arguments = [str(folder / "tree"), str(folder / "tree"), "--data", str(folder / "held.jsonl"), "--out", out]
    assert run(["fuse", *arguments, "--json", "--measure", "f1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measure"] == "f1"
    assert len({one["name"] for one in found["members"]}) == 2


@pytest.mark.parametrize(
    ("members", "more", "message"),
    [
        (["tree", "missing"], [], "missing: no such file"),
        (["tree", "held.jsonl"], [], "holds the label '"),
        (["test.jsonl"], [], "holds the label"),
        (["tree"], ["--measure", "map"], "--measure is 'map', but must be one of ndcg, f1"),
        (["tree"], ["--threads", "0"], "--threads is 0"),
    ],
)
def test_bad_input_gets_one_sentence(folder, tmp_path, capsys, members, more, message):
    out = tmp_path / "fused"
    paths = [str(folder / name) for name in members]
    assert run(["fuse", *paths, "--data", str(folder / "held.jsonl"), "--out", str(out), *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_too_few_documents_are_noted(folder, tmp_path, capsys):
    few = tmp_path / "few.jsonl"
    few.write_text("".join((folder / "held.jsonl").read_text("utf-8").splitlines(keepends=True)[:20]), "utf-8")
    out = str(tmp_path / "fused")
    assert run(["fuse", str(folder / "tree"), str(folder / "near"), "--data", str(few), "--out", out]) == 0
    found = capsys.readouterr()
    assert "fits weights from 100 on" in found.err
    assert "equal weights" in found.out


@pytest.mark.parametrize(
    "how", [["--preset", "library"], ["--model", "fusion", "--members", "xr-linear,nearest-texts"]]
)
def test_a_fusion_is_trained(folder, tmp_path, capsys, how):
    out = str(tmp_path / "m")
    assert run(["train", str(folder / "train.jsonl"), "--out", out, *how]) == 0
    printed = capsys.readouterr().out
    assert "xr-linear" in printed
    assert "adds" in printed
    assert run(["evaluate", out, str(folder / "test.jsonl"), "--json"]) == 0
    assert p_at_1(json.loads(capsys.readouterr().out)) > 0.9


def test_unknown_members_are_refused_before_reading(tmp_path, capsys):
    assert run(["train", "missing.jsonl", "--out", str(tmp_path / "m"), "--model", "fusion", "--members", "treee"]) == 2
    assert "the member 'treee' is no model" in capsys.readouterr().err


def test_a_saved_model_is_a_member(folder, tmp_path, capsys):
    out, near = str(tmp_path / "m"), str(folder / "near")
    arguments = ["train", str(folder / "held.jsonl"), "--out", out, "--model", "fusion", "--calibrate", "no"]
    assert run([*arguments, "--members", f"xr-linear,{near}", "--json"]) == 0
    members = {one["name"]: one for one in json.loads(capsys.readouterr().out)["fusion"]["members"]}
    assert list(members) == ["xr-linear", "near"]
    assert min(one["alone"] for one in members.values()) > 0.8
    assert run(["evaluate", out, str(folder / "test.jsonl"), "--json"]) == 0
    assert p_at_1(json.loads(capsys.readouterr().out)) > 0.9
    assert run([*arguments, "--members", f"{near},{folder / '..' / folder.name / 'near'}"]) == 2
    assert "which are the same model" in capsys.readouterr().err
    assert run(["train", "missing.jsonl", *arguments[2:], "--members", str(tmp_path)]) == 2
    assert "is a directory without a model: give one that has a model" in capsys.readouterr().err


def test_a_saved_model_of_the_same_documents_is_noted(folder, tmp_path, capsys):
    arguments = ["train", str(folder / "train.jsonl"), "--out", str(tmp_path / "m"), "--model", "fusion"]
    assert run([*arguments, "--calibrate", "no", "--members", f"xr-linear,{folder / 'near'}"]) == 0
    assert "saved members (near) were trained on 150 documents, as many as the fusion" in capsys.readouterr().err


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("extension", ["csv", "parquet", "csv.gz"])
def test_predictions_in_tables(folder, tmp_path, capsys, extension, ids):
    held = [json.loads(line) for line in (folder / "held.jsonl").read_text("utf-8").splitlines()]
    held[3]["text"] = "no word of the training"  # has no label, so that a table has no row for it
    data, lines, table = tmp_path / "held.jsonl", tmp_path / "p.jsonl", tmp_path / f"p.{extension}"
    more = [{"id": 1000 - row} if ids else {} for row in range(len(held))]
    data.write_text("".join(json.dumps(one | own) + "\n" for one, own in zip(held, more, strict=True)), "utf-8")
    found = []
    for predictions in (lines, table):
        arguments = ["predict", str(folder / "near"), str(data), "--out", str(predictions)]
        assert run(arguments if extension != "csv.gz" else [*arguments, "-k", "2"]) == 0
        out = str(tmp_path / "fused")
        assert run(["fuse", str(folder / "tree"), str(predictions), "--data", str(data), "--out", out, "--json"]) == 0
        found.append({name: one for name, one in json.loads(capsys.readouterr().out).items() if name == "members"})
    assert [one.pop("name") for members in found for one in members["members"]] == ["tree", "p"] * 2
    assert found[0] == found[1]


def test_bad_tables_of_predictions(folder, tmp_path, capsys):
    table = tmp_path / "p.csv"
    for content, message in (
        ("label,score\nwater,0.5\n", "p.csv: has neither a column 'id' nor 'text'"),
        ("id,label,score\n1,water,high\n", "p.csv:2: the score is 'high', but must be a number"),
        ("id,label\n1,water\n", "field 'score' is missing"),
        ("id,label,score\n999,water,0.5\n", "p.csv:2: the id is '999', but no document has it"),
    ):
        table.write_text(content, "utf-8")
        out = tmp_path / "fused"
        arguments = ["fuse", str(folder / "tree"), str(table), "--data", str(folder / "held.jsonl"), "--out", str(out)]
        assert run(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1
        assert not out.exists()
