"""The flags that say how data files are laid out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ramify.data import read


def put(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def test_convert_keeps_ids_and_notes_other_fields(call, tmp_path):
    lines = [{"id": i, "text": f"t{i}", "labels": ["x"], "date": "2020", "price": 3} for i in range(2)]
    source = put(tmp_path / "d.jsonl", "\n".join(map(json.dumps, lines)))
    done = call("convert", source, tmp_path / "e.csv", "--target-id", "key", "--target-delimiter", ";")
    assert (done.code, done.err) == (0, "note: left out: date, price\n")
    assert (tmp_path / "e.csv").read_text().splitlines() == ["key;text;labels", "0;t0;x", "1;t1;x"]
    back = call("convert", tmp_path / "e.csv", tmp_path / "f.jsonl", "--id", "key")
    assert (back.code, back.err) == (0, "")
    assert read(tmp_path / "f.jsonl").ids == ["0", "1"]


def test_convert_hides_a_share_of_the_labels(call, refused, tmp_path):
    lines = [{"text": f"t{i}", "labels": ["w", "x", "y", "z"]} for i in range(20)]
    source = put(tmp_path / "d.jsonl", "\n".join(map(json.dumps, lines)))
    for target in ("a.jsonl", "b.jsonl"):
        assert call("convert", source, tmp_path / target, "--hide-labels", 0.5, "--seed", 3).code == 0
    found = [json.loads(line)["labels"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [len(labels) for labels in found] == [2] * 20
    assert len(set(map(tuple, found))) > 2
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    assert "--hide-labels is 1.5" in refused("convert", source, tmp_path / "c.jsonl", "--hide-labels", 1.5)
    assert not (tmp_path / "c.jsonl").exists()


def test_convert_onto_its_source_is_refused(refused, tmp_path):
    source = put(tmp_path / "d.jsonl", '{"text": "a", "labels": ["x"], "date": 1}')
    (tmp_path / "link.jsonl").symlink_to(source)
    for target in (source, tmp_path / "link.jsonl"):
        assert "is both input and output: write to another file" in refused("convert", source, target)
    names = put(tmp_path / "names.jsonl", '{"id": "x", "name": "X"}')
    assert "both input and output" in refused("convert", source, names, "--names", names)
    assert "date" in source.read_text()


@pytest.mark.parametrize(("flag", "delimiter"), [("tab", "\t"), ("\\t", "\t"), ("^", "^")])
def test_delimiter_group_and_names(call, tmp_path, flag, delimiter):
    rows = [["doc", "text", "labels"], ["1", "red rose", "a"], ["1", "", "b"], ["2", "blue sky", "c"]]
    source = put(tmp_path / "d.csv", "\n".join(delimiter.join(row) for row in rows))
    names = put(tmp_path / "names.csv", "id,name\na,Apple\nb,Pear\n")
    flags = ("--delimiter", flag, "--group", "doc", "--names", names)
    assert call("convert", source, tmp_path / "e.jsonl", *flags).code == 0
    dataset = read(tmp_path / "e.jsonl")
    assert dataset.texts == ["red rose", "blue sky"]
    assert [dataset.labels_of(row) for row in range(2)] == [["Apple", "Pear"], ["c"]]
    assert dataset.ids == ["1", "2"]
    assert call("train", source, *flags, "--out", tmp_path / "m", "--min-df", 1, "-q").code == 0


def test_a_delimiter_of_two_characters_is_refused(refused, tmp_path):
    assert "the delimiter is ';;'" in refused("convert", tmp_path / "d.csv", tmp_path / "e.csv", "--delimiter", ";;")
