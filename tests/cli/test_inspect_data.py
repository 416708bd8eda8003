"""``ramify inspect DATA`` and the split of ``ramify convert``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ramify.data import find_duplicates, joined, read

SENTENCE = "the report of the committee on the state of rivers and lakes in the country for the year"


@pytest.fixture
def files(tmp_path):
    """Training and test data of which half the documents are nearly equal."""
    for part, first in (("train", 0), ("test", 20)):
        rows = [{"text": f"{SENTENCE} {first + i}", "labels": ["Water"]} for i in range(10)]
        topics = ("salmon", "taxes", "farms", "banks", "vessels", "drought", "sewage", "income", "credit", "deposits")
        rows += [{"text": f"{part} {topic} {part[::-1]} {topic[::-1]}", "labels": ["water", "Law"]} for topic in topics]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_data_are_told_from_models(call, documents, model):
    assert "documents and labels" in call("inspect", documents).out
    assert "XRLinear, features by Tfidf" in call("inspect", model).out


def test_tables_json_and_reports_agree(call, files):
    pytest.importorskip("jinja2")
    train, test = files / "train.jsonl", files / "test.jsonl"
    shown = call("inspect", train, "--test", test, "--report", files / "health.html")
    assert shown.code == 0
    assert "10 of 20 test documents (50.0%) have a near duplicate in training" in shown.out
    assert "Water / water" in shown.out
    assert f"ramify convert {train} grouped-train.jsonl --test grouped-test.jsonl --add {test}" in shown.out
    assert "health.html" in shown.err
    page = (files / "health.html").read_text()
    assert page.startswith("<!doctype html>") and "10 of 20 test documents (50.0%)" in page
    body = json.loads(call("inspect", train, "--test", test, "--report", files / "h.md", "--json").out)
    assert body["overlap"]["near"]["across"] == 10
    assert body["sources"] == [str(train), str(test)]
    assert "10 of 20 test documents" in (files / "h.md").read_text()


def test_the_suggested_command_removes_the_duplicates_across(call, files, monkeypatch):
    monkeypatch.chdir(files)
    body = json.loads(call("inspect", "train.jsonl", "--test", "test.jsonl", "--json").out)
    words = body["split_command"].split()
    assert words[0] == "ramify"
    done = call(*words[1:])
    assert done.code == 0
    assert "documents in grouped-train.jsonl" in done.err
    train, test = read("grouped-train.jsonl"), read("grouped-test.jsonl")
    assert (len(train), len(test)) == (20, 20)
    near = find_duplicates(joined(train, test).texts).near
    assert not set(near[: len(train)].tolist()) & set(near[len(train) :].tolist())
    assert (
        json.loads(call("inspect", "grouped-train.jsonl", "--test", "grouped-test.jsonl", "--json").out)["overlap"][
            "near"
        ]["across"]
        == 0
    )


def test_the_command_keeps_documents_of_the_given_similarity_together(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [f"word{number}" for number in range(24)]
    texts = [" ".join([*words[:18], *(f"{group * 7}{n}{group}9" * 2 for n in range(3))]) for group in range(4)]
    texts += [f"{number} {number * 7919} {number * 104729} {number * 1299709}" for number in range(11, 27)]
    rows = [{"text": text, "labels": ["x"]} for text in texts]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    body = json.loads(call("inspect", "d.jsonl", "--similarity", 0.55, "--json").out)
    assert body["overlap"]["near"]["largest"] == 4
    assert json.loads(call("inspect", "d.jsonl", "--json").out)["overlap"]["near"]["groups"] == 0
    assert "--similarity 0.55" in body["split_command"]
    split_on_sides = []
    for seed in range(8):
        assert call(*body["split_command"].split()[1:], "--seed", seed).code == 0
        sides = ["word1 " in "".join(read(f"grouped-{part}.jsonl").texts) for part in ("train", "test")]
        split_on_sides.append(all(sides))
    assert not any(split_on_sides)


def test_both_files_of_a_split_are_replaced_together(call, documents, tmp_path, monkeypatch):
    from ramify.data import joining

    train, test = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    train.write_text("old a")
    test.write_text("old b")
    write, written = joining.write, []

    def fail_at_the_second(part, path, **others):
        if written:
            raise joining.DataFileError("cannot be written (No space left on device)", path)
        written.append(path)
        write(part, path, **others)

    with monkeypatch.context() as patch:
        patch.setattr(joining, "write", fail_at_the_second)
        failed = call("convert", documents, train, "--test", test)
    assert failed.code != 0
    assert f"{test}: cannot be written (No space" in failed.err
    assert (train.read_text(), test.read_text()) == ("old a", "old b")
    assert {path.name for path in tmp_path.iterdir() if path != documents} == {"a.jsonl", "b.jsonl.gz"}
    (tmp_path / "link.jsonl").symlink_to(train)
    assert call("convert", documents, tmp_path / "link.jsonl", "--test", test).code == 0
    assert (len(read(train)), len(read(test))) == (48, 12)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert {path.name for path in tmp_path.iterdir() if path != documents} == {"a.jsonl", "b.jsonl.gz", "link.jsonl"}


def test_field_flags_are_repeated_in_the_command(call, tmp_path):
    rows = "\n".join(f"{SENTENCE} {i};a+b" for i in range(8))
    (tmp_path / "books.csv").write_text(f"title;tags\n{rows}\n")
    flags = ("--text", "title", "--labels", "tags", "--separator", "+", "--delimiter", ";")
    body = json.loads(call("inspect", tmp_path / "books.csv", *flags, "--json").out)
    assert body["train"]["documents"] == 8
    assert body["split_command"].endswith("--text title --delimiter ';' --labels tags --separator +")


def test_features_are_inspected(call, tmp_path):
    (tmp_path / "d.txt").write_text("3 4 2\n0 0:1 2:0.5\n0 0:1 2:0.5\n1 1:1\n")
    body = json.loads(call("inspect", tmp_path / "d.txt", "--json").out)
    assert (body["holds_texts"], body["overlap"]["exact"]["train"], body["languages"]) == (False, 1, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--label", "x"], "--label is given, but"),
        (["--tree"], "--tree is given, but"),
        (["--member", "1", "--tree"], "is a data file"),
        (["--similarity", "0.2"], "--similarity is 0.2, but must be"),
        (["--similarity", "much"], "--similarity"),
        (["--test", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["--report", "health.pdf"], "must be a .html or .md file"),
        (["--report", "no/such/folder/h.html"], "cannot be written"),
        (["--text", "body"], "'body' is missing"),
        (["--top", "0"], "--top is 0"),
    ],
)
def test_refusals(arguments, words, refused, documents, tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    assert words in refused("inspect", documents, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_report_does_not_replace_the_data(refused, files):
    before = (files / "test.jsonl").read_text()
    (files / "t.md").symlink_to(files / "test.jsonl")
    assert "both input and output" in refused(
        "inspect", files / "train.jsonl", "--test", files / "test.jsonl", "--report", files / "t.md"
    )
    assert (files / "test.jsonl").read_text() == before


@pytest.mark.parametrize("flag", [["--test", "x.jsonl"], ["--similarity", "0.9"], ["--report", "h.html"]])
def test_options_of_data_are_refused_for_models(flag, refused, model):
    assert f"{flag[0]} is given, but" in refused("inspect", model, *flag)


def test_names_without_a_file(refused, tmp_path):
    assert "no such file" in refused("inspect", tmp_path / "missing.jsonl")
    assert "model" in refused("inspect", tmp_path / "missing")
    (tmp_path / "notes.doc").write_text("x")
    assert "'.doc'" in refused("inspect", tmp_path / "notes.doc")
    (tmp_path / "empty.jsonl").write_text("")
    assert "holds no documents" in refused("inspect", tmp_path / "empty.jsonl")
    (tmp_path / "bare.jsonl").write_text('{"text": "x", "labels": []}\n')
    assert "no document has labels" in refused("inspect", tmp_path / "bare.jsonl")


def test_convert_splits_at_random_without_keep_together(call, documents, tmp_path):
    train, test = tmp_path / "a.jsonl", tmp_path / "b.csv"
    assert call("convert", documents, train, "--test", test, "--test-size", 0.25, "--seed", 1).code == 0
    assert (len(read(train)), len(read(test))) == (45, 15)
    again = tmp_path / "c.csv"
    call("convert", documents, train, "--test", again, "--test-size", 0.25, "--seed", 1)
    assert again.read_text() == test.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--keep-together", "duplicates"], "--keep-together is given without --test"),
        (["--test-size", "0.3"], "--test-size is given without --test"),
        (["--add", "x.jsonl"], "--add is given without --test"),
        (["--similarity", "0.7"], "--similarity is given without --test"),
        (["--test", "t.jsonl", "--similarity", "0.7"], "--similarity is given without --keep-together near-duplicates"),
        (
            ["--test", "t.jsonl", "--keep-together", "duplicates", "--similarity", "0.7"],
            "--similarity is given without --keep-together near-duplicates",
        ),
        (
            ["--test", "t.jsonl", "--keep-together", "near-duplicates", "--similarity", "0.3"],
            "--similarity is 0.3, but must be",
        ),
        (["--test", "no/such/folder/t.jsonl"], "no/such/folder/t.jsonl: cannot be written"),
        (["--test", f"{'t' * 300}.jsonl"], "cannot be written (File name too long)"),
        (["--test", "t.jsonl", "--test-size", "1.5"], "--test-size is 1.5"),
        (["--test", "t.jsonl", "--keep-together", "duplicate"], "did you mean 'duplicates'"),
        (["--test", "t.jsonl", "--hide-labels", "0.5"], "split first"),
        (["--test", "t.npz"], "would hold features"),
        (["--test", "a.jsonl"], "the target of both parts"),
        (["--test", "t.jsonl", "--add", "missing.jsonl"], "no such file"),
    ],
)
def test_convert_refuses(arguments, words, refused, documents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused("convert", documents, "a.jsonl", *arguments)
    assert not list(tmp_path.iterdir())


def test_a_group_larger_than_the_test_part_is_refused(refused, tmp_path):
    (tmp_path / "d.jsonl").write_text('{"text": "the same text", "labels": ["x"]}\n' * 10)
    sentence = refused(
        "convert",
        tmp_path / "d.jsonl",
        tmp_path / "a.jsonl",
        "--test",
        tmp_path / "b.jsonl",
        "--keep-together",
        "duplicates",
    )
    assert "the smallest group has 10 of 10 rows" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_numbers_of_a_matrix_file(call, tmp_path):
    X, Y = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    np.savez(tmp_path / "d.npz", X=X, Y=Y)
    assert "documents and labels" in call("inspect", tmp_path / "d.npz").out
