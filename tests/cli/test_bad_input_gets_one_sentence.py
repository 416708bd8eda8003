"""Whatever is wrong: exit 2, one sentence on stderr, nothing lost."""

from __future__ import annotations

import errno
import json
import shutil

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Tagger, store
from ramify.cli.entry import run

GOOD = '{"text": "red rose", "labels": ["x"]}\n'

# name of the file, what it holds, words of the sentence
BROKEN_FILES = {
    "missing": ("data.jsonl", None, ["data.jsonl", "no such file"]),
    "extension": ("data.doc", GOOD, ["'.doc'", ".jsonl"]),
    "no json": ("data.jsonl", GOOD + "oops\n", ["data.jsonl:2:", "JSON"]),
    "not utf-8": ("data.jsonl", GOOD.encode() + b"\xff\n", ["data.jsonl:2:", "UTF-8"]),
    "unknown field": ("data.jsonl", '{"body": "red", "labels": []}\n', ["data.jsonl:1:", "'text'", "'body'"]),
    "wrong kind of text": ("data.jsonl", '{"text": 5, "labels": []}\n', ["data.jsonl:1:", "5"]),
    "wrong kind of label": ("data.jsonl", '{"text": "a", "labels": [1.5]}\n', ["data.jsonl:1:", "1.5"]),
    "no labels": ("data.jsonl", '{"text": "red rose", "labels": []}\n', ["no document has labels"]),
    "empty": ("data.jsonl", "", ["no documents"]),
    "no header": ("data.csv", "", ["header"]),
    "cells": ("data.csv", "text,labels\na,b\nc,d,e\n", ["data.csv:3:", "3 cells"]),
    "header": ("data.txt", "2 three 4\n", ["data.txt:1:", "header"]),
    "rows": ("data.txt", "3 2 2\n0 0:1\n", ["3", "1"]),
    "label too large": ("data.txt", "2 2 2\n0 0:1\n7 1:1\n", ["data.txt:3:", "7"]),
    "negative label": ("data.txt", "1 2 2\n-1 0:1\n", ["data.txt:2:", "-1"]),
    "feature too large": ("data.txt", "1 2 2\n0 9:1\n", ["data.txt:2:", "9"]),
    "nan": ("data.txt", "2 2 2\n0 0:1\n1 1:nan\n", ["data.txt:3:", "nan"]),
    "infinite": ("data.txt", "1 2 2\n0 0:inf\n", ["data.txt:2:", "inf"]),
    "no words": ("data.jsonl", '{"text": "?", "labels": ["x", "y"]}\n' * 3, ["n-gram"]),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_files(case, refused, tmp_path):
    name, content, words = BROKEN_FILES[case]
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence = refused("train", tmp_path / name, "--out", tmp_path / "m")
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "0"], "threads is 0"),
        (["--branching", "1"], "branching is 1"),
        (["--branching", "many"], "--branching is 'many'"),
        (["--normalize", "perhaps"], "--normalize is 'perhaps'"),
        (["--words", "1"], "--words is (1,), but must be auto or two whole numbers"),
        (["--set", "loss=hing"], "did you mean 'hinge'?"),
        (["--negatives", "tfm"], "negatives names 'tfm'"),
        (["--model", "xr-liner"], "did you mean 'xr-linear'?"),
        (["--vectorizer", "tf-idf"], "did you mean 'tfidf'?"),
        (["--max-leav", "3"], "--max-leaf"),
        (["--min-df", "0"], "--min-df is 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--trees", "0"], "trees is 0"),
        (["--trees", "2", "--combine", "rnak"], "did you mean 'rank'?"),
        (["--combine", "rank"], "add --trees 2"),
        (["--trees", "2", "--set", "score_transform=log-sigmoid"], "combine by 'sigmoid'"),
        (["--holdout", "1.5"], "--holdout is 1.5"),
        (["--holdout", "0.5", "--test", "x.jsonl"], "choose one"),
        (["--test", "nowhere.jsonl"], "no such file"),
        (["--config", "nowhere.json"], "nowhere.json"),
    ],
)
def test_train_refuses_settings(arguments, words, refused, documents, tmp_path):
    assert words in refused("train", documents, "--out", tmp_path / "m", *arguments)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "does not contain a JSON object"),
        ('{"modell": "xr-linear"}', "did you mean 'model'?"),
        ('{"model_settings": 3}', "must be an object"),
        ('{"model_settings": {"beem": 3}}', "did you mean 'beam'?"),
        ('{"ensemble_settings": {"trees": "3"}}', "trees is '3'"),
        ('{"model_settings": {"beam": "3"}}', "beam is '3'"),
        ('{"vectorizer_settings": {"words": [1]}}', "words is [1]"),
        ('{"seed": "x"}', "seed is 'x'"),
        ('{"threads": 0}', "threads is 0"),
    ],
)
def test_train_refuses_settings_files(content, words, refused, documents, tmp_path):
    (tmp_path / "settings.json").write_text(content)
    sentence = refused("train", documents, "--out", tmp_path / "m", "--config", tmp_path / "settings.json")
    assert words in sentence


def test_missing_arguments(refused, documents):
    assert "DATA" in refused("train")
    assert "--out" in refused("train", documents)
    assert "'MODEL'" in refused("predict")
    assert "did you mean 'train'" in refused("trian", documents).lower()


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_failed_save_leaves_the_old_model(reason, refused, documents, model, tmp_path, monkeypatch):
    shutil.copytree(model, tmp_path / "m")
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}

    def full(*_: object) -> None:
        raise OSError(reason, "the disk says no")

    monkeypatch.setattr(store.saving, "write_arrays", full)
    sentence = refused("train", documents, "--out", tmp_path / "m", "-q")
    assert "the disk says no" in sentence
    assert "untouched" in sentence
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def _arrays_of(path):
    (arrays,) = path.glob("arrays-*.safetensors")
    return arrays


def _truncated(path):
    _arrays_of(path).write_bytes(_arrays_of(path).read_bytes()[:-10])


def _tampered(path):
    manifest = path / store.MANIFEST
    manifest.write_text(manifest.read_text().replace('"beam": 10', '"beam": 11'))


def _flipped(path):
    content = bytearray(_arrays_of(path).read_bytes())
    content[-1] ^= 1
    _arrays_of(path).write_bytes(content)


def _newer(path):
    body = json.loads((path / store.MANIFEST).read_text()) | {"format": 99}
    (path / store.MANIFEST).write_text(json.dumps(body))


@pytest.mark.parametrize("damage", [_truncated, _tampered, _flipped, _newer, shutil.rmtree])
@pytest.mark.parametrize("command", ["predict", "evaluate", "inspect"])
def test_damaged_models(command, damage, refused, documents, model, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    damage(tmp_path / "m")
    arguments = [] if command == "inspect" else [documents]
    assert str(tmp_path / "m") in refused(command, tmp_path / "m", *arguments)


def test_foreign_directories(refused, tmp_path):
    assert "no model.json" in refused("inspect", tmp_path)
    (tmp_path / "model.json").write_text('{"format": 1}')
    assert "no ramify model" in refused("inspect", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-k", "0"], "-k is 0"),
        (["--format", "parquet"], "FILE.parquet"),
        (["--out", "tagged.xlsx"], "'tagged.xlsx', whose extension is not a known format"),
        (["--beam", "0"], "beam is 0"),
        (["--threads", "-2"], "threads is -2"),
        (["--batch", "0"], "--batch is 0"),
        (["--threshold", "nan"], "--threshold is nan, but must be a number"),
        (["--format", "xml"], "jsonl"),
        (["--allow", "nowhere.txt"], "nowhere.txt"),
        (["--text", ""], "field"),
    ],
)
def test_predict_refuses(arguments, words, refused, documents, model):
    assert words in refused("predict", model, documents, *arguments)


def test_predict_names_unknown_labels_by_line(refused, documents, model, tmp_path):
    (tmp_path / "names.txt").write_text("water\nfier\n")
    sentence = refused("predict", model, documents, "--allow", tmp_path / "names.txt")
    assert "names.txt:2:" in sentence
    assert "did you mean 'fire'?" in sentence


def test_predict_names_the_line_of_a_stream(refused, model):
    assert ":1: " in refused("predict", model, stdin="oops\n")
    assert ":1: " in refused("predict", model, stdin="[1]\n")


def test_features_and_texts_are_not_mixed_up(refused, call, documents, model, tmp_path):
    (tmp_path / "data.txt").write_text("2 2 2\n0 0:1\n1 1:1\n")
    (tmp_path / "wide.txt").write_text("1 9 2\n0 8:1\n")
    call("train", tmp_path / "data.txt", "--out", tmp_path / "m", "-q")
    assert "trained on texts" in refused("predict", model, tmp_path / "data.txt")
    assert "trained on texts" in refused("evaluate", model, tmp_path / "data.txt")
    assert "trained on features" in refused("predict", tmp_path / "m", documents)
    assert "9 features" in refused("predict", tmp_path / "m", tmp_path / "wide.txt")


def test_matrices_of_other_lengths_or_types(refused, tmp_path):
    X = sp.random(5, 4, 0.5, format="csr", dtype=np.float32, random_state=0)
    Y = sp.csr_matrix(np.ones((3, 2), np.float32))
    sp.save_npz(tmp_path / "x.npz", X)
    sp.save_npz(tmp_path / "y.npz", Y)
    sentence = refused("train", f"{tmp_path / 'x.npz'}:{tmp_path / 'y.npz'}", "--out", tmp_path / "m")
    assert "5" in sentence
    assert "3" in sentence
    sp.save_npz(tmp_path / "c.npz", X.astype(np.complex64))
    assert "complex64" in refused("train", f"{tmp_path / 'c.npz'}:{tmp_path / 'y.npz'}", "--out", tmp_path / "m")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ks", "a"], "--ks is 'a'"),
        (["--ks", "0"], "cut-off"),
        (["--ks", "1.5"], "--ks is '1.5'"),
        (["--propensity", "1"], "--propensity is '1'"),
        (["--bootstrap", "-1"], "bootstrap is -1"),
        (["--compare", "nowhere"], "nowhere"),
        (["--train", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_evaluate_refuses(arguments, words, refused, documents, model):
    assert words in refused("evaluate", model, documents, *arguments)


@pytest.mark.parametrize("arguments", [["9" * 5000], ["train", "d.jsonl", "x" * 5000], ["train", f"--{'y' * 5000}"]])
def test_long_arguments_are_quoted_short(arguments, refused):
    assert len(refused(*arguments)) < 400


def test_inspect_and_convert_refuse(refused, documents, model, tmp_path):
    assert "did you mean 'water'?" in refused("inspect", model, "--label", "watr")
    assert "would hold features" in refused("convert", documents, tmp_path / "x.txt")
    assert "cannot be written" in refused("convert", documents, tmp_path / "no" / "x.csv")
    assert refused("demo", "-k", "0")


def test_a_bug_is_called_a_bug(call, documents, model, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("three\nlines\nlong")

    monkeypatch.setattr(Tagger, "tag", broken)
    done = call("predict", model, documents)
    assert done.code == 1
    assert done.err.startswith("ramify: this is a bug in ramify: ZeroDivisionError: three lines long; ")
    assert len(done.err.splitlines()) == 1
    monkeypatch.setenv("RAMIFY_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["predict", str(model), str(documents)])


def test_full_memory_has_its_sentence(call, documents, model, monkeypatch):
    def huge(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Tagger, "tag", huge)
    done = call("predict", model, documents)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "memory is full" in done.err
