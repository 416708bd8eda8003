"""ramify evaluate --report, and --compare with several models."""

import json
import os
import re

import pytest
from cli_tools import python_process

pytest.importorskip("jinja2", reason="the extra report is not installed")


@pytest.fixture
def second(call, documents, tmp_path):
    assert call("train", documents, "--out", tmp_path / "second", "--model", "nearest-instances", "-q").code == 0
    return tmp_path / "second"


def test_the_page_is_written_and_the_output_is_that_without_it(call, model, documents, tmp_path):
    page = tmp_path / "page.html"
    done = call("evaluate", model, documents, "--report", page, "--bootstrap", 20)
    assert done.code == 0, done.err
    assert done.err.splitlines()[-1] == f"report written to {page}"
    assert done.out == call("evaluate", model, documents, "--bootstrap", 20).out
    html = page.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert "Evaluation of model" in html
    assert "all.jsonl" in html
    assert not re.search(r"<script|<link|src=", html)
    assert page.stat().st_size < 500_000
    found = json.loads(call("evaluate", model, documents, "--report", page, "--json", "-q").out)
    assert found["intervals"]  # resamples are the default with --report
    assert {"read", "predict", "measure", "report"} <= set(found["stage_seconds"])


def test_the_markdown_twin(call, model, documents, tmp_path):
    assert call("evaluate", model, documents, "--report", tmp_path / "page.md", "--bootstrap", 20, "-q").err == ""
    text = (tmp_path / "page.md").read_text("utf-8")
    assert text.startswith("# Evaluation of model\n")
    assert "## Weakest labels" in text


def test_a_page_of_a_calibrated_model_uses_the_given_rule(call, documents, tmp_path):
    assert call("train", documents, "--out", tmp_path / "m", "-q").code == 0
    assert call("calibrate", tmp_path / "m", documents, "-k", 5, "-q").code == 0
    page = tmp_path / "page.md"
    done = call("evaluate", tmp_path / "m", documents, "--report", page, "--decide", "count", "--bootstrap", 20, "-q")
    assert done.out.startswith("label sets of 60 of 60 documents")
    assert "| choice of labels | rule count |" in page.read_text("utf-8")


def test_several_models_are_compared_with_the_first(call, model, second, documents, tmp_path):
    page = tmp_path / "page.md"
    others = ("--compare", second, "--compare", model)
    done = call("evaluate", model, documents, *others, "--report", page, "--bootstrap", 20, "-q")
    assert done.code == 0, done.err
    heads = [line for line in done.out.splitlines() if line.startswith("a is ")]
    assert heads == [f"a is {model}, b is {second}", f"a is {model}, b is {model}"]
    assert "second minus" in page.read_text("utf-8")
    found = json.loads(call("evaluate", model, documents, *others, "--bootstrap", 20, "--json", "-q").out)
    assert list(found["comparisons"]) == [str(second), str(model)]
    same = found["comparisons"][str(model)]["differences"]["P@1"]
    assert same["difference"] == 0
    alone = json.loads(call("evaluate", model, documents, *others[:2], "--bootstrap", 20, "--json", "-q").out)
    assert alone["differences"] == found["comparisons"][str(second)]["differences"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/page.html", "No such file or directory): check the directory and its space"),
        ("page.pdf", "the report is 'page.pdf', but must be a .html or .md file: change the extension"),
        ("page", "must be a .html or .md file"),
        ("folder.html", "it is a directory"),
        ("plain/page.html", "cannot be written"),
    ],
)
def test_a_bad_path_is_refused_before_the_prediction(refused, model, documents, tmp_path, monkeypatch, name, words):
    from ramify.tagger import assessment

    monkeypatch.setattr(assessment, "assess", lambda *_, **__: pytest.fail("predicted"))
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "plain").write_text("a file, not a folder")
    before = sorted(tmp_path.iterdir())
    assert words in refused("evaluate", model, documents, "--report", tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes to every folder")
def test_a_read_only_folder_is_refused(refused, model, documents, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    assert "Permission denied" in refused("evaluate", model, documents, "--report", folder / "page.html")


def test_a_page_inside_a_model_is_refused(refused, model, documents):
    assert "directory of a model" in refused("evaluate", model, documents, "--report", model / "page.html")


def test_a_failed_evaluation_keeps_the_previous_page(refused, model, documents, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("previous")
    assert "no such file" in refused("evaluate", model, tmp_path / "nowhere.jsonl", "--report", page)
    assert "not calibrated" in refused("evaluate", model, documents, "--report", page, "--decide", "count")
    assert page.read_text() == "previous"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_without_the_extra_the_command_names_it(model, documents, tmp_path):
    page, code = tmp_path / "page.html", "import sys; sys.modules['jinja2'] = None; from ramify.cli import main; main()"
    process = python_process(["-c", code, "evaluate", model, documents, "--report", page], tmp_path)
    _, noted = process.communicate()
    assert process.returncode == 2
    assert noted == 'ramify: reports need an optional dependency: pip install "ramify[report]"\n'
    assert not page.exists()


def test_jinja2_is_imported_for_a_report_only(model, documents, tmp_path):
    code = f"""
import sys
from ramify.cli.entry import run
assert run(["evaluate", {str(model)!r}, {str(documents)!r}, "-q"]) == 0
assert "jinja2" not in sys.modules
"""
    process = python_process(["-c", code], tmp_path)
    process.communicate()
    assert process.returncode == 0


def test_an_interrupt_leaves_no_file(model, documents, tmp_path):
    code = f"""
import os, signal
from ramify.tagger import assessment
predict = assessment.predictions
def interrupted(*arguments, **others):
    os.kill(os.getpid(), signal.SIGINT)
    return predict(*arguments, **others)
assessment.predictions = interrupted
import sys
sys.argv = ["ramify", "evaluate", {str(model)!r}, {str(documents)!r}, "--report", "page.html"]
from ramify.cli import main
main()
"""
    folder = tmp_path / "empty"
    folder.mkdir()
    process = python_process(["-c", code], folder)
    process.communicate()
    assert process.returncode == 130
    assert list(folder.iterdir()) == []
