"""Vocabularies and corpora of Annif on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ramify.data import read

CONCEPTS = """uri,notation,label_en,label_fi
http://x/water,W,water,vesi
http://x/fire,F,fire,tuli
http://x/earth,,earth,
http://x/unused,,air,ilma
"""
WORDS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a corpus and its vocabulary."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "vocabulary.csv").write_text(CONCEPTS, "utf-8")
    lines = []
    for number in range(60):
        name = list(WORDS)[number % 3]
        words = WORDS[name].split()
        lines.append(f"{words[number % 4]} {words[number % 2]}\t<http://x/{name}>\n")
    (folder / "train.tsv").write_text("".join(lines), "utf-8")
    return folder


@pytest.fixture
def trained(corpus, call):
    model = corpus / "model"
    if not model.exists():
        options = ("--vocabulary", corpus / "vocabulary.csv", "--label-language", "en", "--test", corpus / "train.tsv")
        done = call("train", corpus / "train.tsv", *options, "--out", model, "--calibrate", "no", "--json", "-q")
        assert done.code == 0
        facts = json.loads(done.out)
        assert facts["labels"] == 4
        assert "P@1" in json.dumps(facts)
    return model


def test_predictions_have_names_uris_and_notations(trained, call):
    def first(*options):
        [label, *_] = json.loads(call("predict", trained, "river flood", "--format", "jsonl", *options).out)["labels"]
        return label["label"], label.get("key")

    assert first() == ("water", "http://x/water")
    assert first("--label-language", "fi") == ("vesi", "http://x/water")
    assert first("--answer", "notation") == ("W", "http://x/water")
    assert first("--answer", "uri") == ("http://x/water", None)


def test_evaluate_finds_the_labels_of_a_corpus(trained, corpus, call):
    done = call("evaluate", trained, corpus / "train.tsv", "--json")
    assert done.code == 0
    assert '"P@1": 1.0' in done.out


def test_inspect_reports_on_the_vocabulary(trained, call):
    done = call("inspect", trained)
    assert "languages en, fi, 2 notations, 1 concepts without a training document" in done.out
    assert json.loads(call("inspect", trained, "--json").out)["vocabulary"]["languages"] == ["en", "fi"]


def test_convert_writes_corpora_with_uris(corpus, call, tmp_path):
    (tmp_path / "d.csv").write_text("text,labels\nriver,water|tuli\n")
    options = ("--vocabulary", corpus / "vocabulary.csv", "--label-language", "en")
    assert call("convert", tmp_path / "d.csv", tmp_path / "c.tsv.gz", *options, "--annif").code == 0
    assert read(tmp_path / "c.tsv.gz").labels_of(0) == ["http://x/fire", "http://x/water"]


def test_unknown_labels_can_be_dropped_with_a_note(corpus, call, tmp_path):
    (tmp_path / "d.tsv").write_text("river\t<http://x/water> <http://y/9>\n")
    options = ("--vocabulary", corpus / "vocabulary.csv", "--label-language", "en", "--drop-unknown")
    done = call("convert", tmp_path / "d.tsv", tmp_path / "e.jsonl", *options)
    assert done.code == 0
    assert "note: left out: 1 label of 2, such as 'http://y/9', which the vocabulary lacks" in done.err
    assert json.loads((tmp_path / "e.jsonl").read_text())["labels"] == ["water"]


def test_bad_combinations_get_one_sentence(corpus, trained, refused, tmp_path):
    train, vocabulary = corpus / "train.tsv", ("--vocabulary", corpus / "vocabulary.csv")
    out = ("--out", tmp_path / "m")
    assert "names in en, fi: choose one" in refused("train", train, *vocabulary, *out)
    assert "no names in 'sv'" in refused("train", train, *vocabulary, "--label-language", "sv", *out)
    assert "--label-language is given without --vocabulary" in refused("train", train, "--label-language", "fi", *out)
    assert "--names and --vocabulary" in refused("train", train, *vocabulary, "--names", train, *out)
    (tmp_path / "d.tsv").write_text("river\t<http://x/water> <http://y/9>\n")
    options = (*vocabulary, "--label-language", "en")
    assert "lacks 1 label of 2" in refused("train", tmp_path / "d.tsv", *options, *out)
    assert "answer is 'key'" in refused("predict", trained, "a text", "--answer", "key")
    (tmp_path / "n.csv").write_text("text,labels\nriver,water\n")
    assert "is no URI" in refused("convert", tmp_path / "n.csv", tmp_path / "c.tsv", "--annif")
    assert not (tmp_path / "c.tsv").exists()
    assert not (tmp_path / "m").exists()
