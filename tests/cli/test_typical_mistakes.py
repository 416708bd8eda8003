"""Mistakes of a first session: each gets a sentence with its own remedy."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import ramify
from ramify import Tagger
from ramify.cli.entry import run
from ramify.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "{model}", ""], "DATA is an empty string"),
        (["predict", "", "red rose"], "MODEL': the path is an empty string"),
        (["inspect", ""], "MODEL': the path is an empty string"),
        (["evaluate", "{model}", ""], "the data file is an empty string"),
        (["evaluate", "{model}", "{data}", "--compare", ""], "--compare': the path is an empty string"),
        (["train", "", "--out", "m"], "the data file is an empty string"),
        (["train", "{data}", "--out", ""], "the path is an empty string"),
        (["convert", "{data}", ""], "the data file is an empty string"),
        (["evaluate", "{model}", "{data}", "--ks", "99999999999"], "a cut-off in ks is 99999999999, but there are"),
        (["inspect", "{model}", "--member", "0"], "--member is given, but no tree is shown"),
        (["inspect", "{model}", "--tree", "--member", "1"], "the model is a single model"),
        (["inspect", "{model}", "--tree", "--member", "x"], "'--member': 'x' is not a whole number"),
        (["predict", "{model}", "{data}", "--threshold", "low"], "'--threshold': 'low' is not a number"),
        (["predict", "{model}", "{data}", "--format", "xml"], "'--format': 'xml' is not one of"),
        (["train", "nowhere", "--out", "m"], "nowhere: no such file"),
        (["evaluate", "{model}", "nowhere"], "nowhere: no such file"),
    ],
)
def test_empty_paths_and_numbers_out_of_place(refused, model, documents, arguments, words):
    given = [str(one).format(model=model, data=documents) for one in arguments]
    assert words in refused(*given)


@pytest.mark.parametrize("given", [None, 3, [], b"m", ""])
@pytest.mark.parametrize("what", [ramify.load, ramify.read, lambda path: _fitted().save(path)])
def test_a_value_that_is_no_path_is_named(what, given):
    with pytest.raises(InputError, match=r"but must be a path|is an empty string"):
        what(given)


def test_a_given_delimiter_that_the_header_does_not_have_is_replaced_by_the_one_it_has(refused, tmp_path):
    (tmp_path / "t.csv").write_text("text;labels\nriver water;a\nbank tax;b\n", "utf-8")
    refusal = refused("train", tmp_path / "t.csv", "--delimiter", "tab", "--out", tmp_path / "m")
    assert refusal.endswith("field 'text' is missing with the delimiter tab: give the delimiter ';'")


def test_too_few_label_names_are_counted(refused, tmp_path):
    (tmp_path / "t.txt").write_text("2 3 4\n0,1 0:1 1:1\n2,3 2:1\n", "utf-8")
    (tmp_path / "names.txt").write_text("x\n", "utf-8")
    refusal = refused("train", tmp_path / "t.txt", "--names", tmp_path / "names.txt", "--out", tmp_path / "m")
    assert "the number of label names is 1, but the data have 4 labels" in refusal


def test_models_without_a_common_label_are_not_compared(refused, documents, model, tmp_path):
    Tagger().fit(["red rose", "blue sky"] * 3, [["0"], ["1"]] * 3).save(tmp_path / "numbers")
    refusal = refused("evaluate", model, documents, "--compare", tmp_path / "numbers")
    assert "no label in common" in refusal
    assert "such as '0'" in refusal


def test_plain_text_on_stdin_gets_the_flag_for_it(refused, model):
    assert refused("predict", model, "-", stdin="river lake\n").endswith("or add --plain to read one text per line")


@pytest.mark.parametrize(("flags", "form"), [((), '{"text": "..."}'), (("--plain",), ", one text per line;")])
def test_the_note_at_a_terminal_shows_the_form_of_a_line(model, monkeypatch, capsys, tmp_path, flags, form):
    (tmp_path / "empty").write_bytes(b"")
    with (tmp_path / "empty").open("rb") as nothing:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=nothing, isatty=lambda: True))
        assert run(["predict", str(model), *flags]) == 0
    assert form in capsys.readouterr().err


def _fitted() -> Tagger:
    return Tagger().fit(["red rose", "blue sky"] * 3, [["a"], ["b"]] * 3)
