"""ramify tune: the settings file and its use, the report, limits, Ctrl-C, bad input."""

from __future__ import annotations

import json
import signal

import pytest
from cli_tools import Terminal, ramify_process

pytest.importorskip("optuna")

from ramify import load, read
from ramify.tuning import space, tune

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}


def write_documents(path, n=60):
    """Documents with two labels each: a topic, and a topic with another one."""
    topics = list(TOPICS.items())
    lines = []
    for number in range(n):
        (name, words), (other, more) = topics[number % 3], topics[(number // 3) % 3]
        text = f"{words} {more.split()[number % 4]} {number}x"
        lines.append(json.dumps({"id": number, "text": text, "labels": sorted({name, f"{name} {other}"})}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(autouse=True)
def no_static_vectors(monkeypatch):
    monkeypatch.setattr(space, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def more_documents(tmp_path_factory):
    return write_documents(tmp_path_factory.mktemp("tuning") / "all.jsonl", 150)


def test_training_with_the_file_gives_the_chosen_model(call, more_documents, tmp_path):
    out = tmp_path / "settings.json"
    flags = ("--trials", 8, "--measure", "PSP@3", "--seed", 3, "--threads", 1)
    done = call("tune", more_documents, *flags, "--out", out)
    assert done.code == 0, done.err
    assert f"train with:\n  ramify train {more_documents} --config {out} --out model" in done.out
    found = json.loads(out.read_text())
    assert found["about"]["command"] == f"ramify tune {more_documents} --trials 8 --measure PSP@3 --seed 3"
    assert found["about"]["trials"] == 8
    assert found["about"]["held_out_percent"]["PSP@3"].startswith("default ")
    assert found["seed"] == 3
    assert call("train", more_documents, "--config", out, "--out", tmp_path / "model", "-q").code == 0
    dataset = read(more_documents)
    tuned = tune(dataset, trials=8, measure="PSP@3", seed=3, threads=1)
    wanted = tuned.tagger().fit_dataset(dataset)
    assert load(tmp_path / "model").tag(dataset.texts, 3) == wanted.tag(dataset.texts, 3)
    shown = json.loads(call("train", "--config", out, "--show-config").out)
    assert shown == {name: value for name, value in found.items() if name != "about"}


def test_a_file_of_a_blend_with_other_features_is_read_back(call, more_documents, tmp_path, monkeypatch):
    """Whatever is chosen: the search is replaced by one that takes the first proposal."""
    from ramify.tuning import result
    from ramify.tuning.settings import Settings

    chosen = Settings(model="blend", model_settings={"trees": 3}, tfidf={"words": (1, 2), "min_df": 1}, static=False)
    first = tune(read(more_documents), trials=1, threads=1).default
    trial = result.Trial(**(vars(first) | {"number": 1, "settings": chosen}))
    monkeypatch.setattr("ramify.tuning.search.chosen", lambda trials, objective: trial)
    out = tmp_path / "settings.json"
    done = call("tune", more_documents, "--trials", 1, "--out", out)
    assert "vectorizer.words = 1,2" in done.out
    found = json.loads(out.read_text())
    assert (found["model"], found["model_settings"]["trees"]) == ("blend", 3)
    assert found["vectorizer_settings"]["words"] == [1, 2]
    assert call("train", more_documents, "--config", out, "--out", tmp_path / "model", "-q").code == 0
    assert load(tmp_path / "model").vectorizer_.plan_.words == (1, 2)


def test_features_of_a_matrix_are_tuned_too(call, tmp_path):
    lines = [f"{number % 3} {number % 3}:1 {3 + number % 5}:0.5" for number in range(80)]
    data = tmp_path / "train.txt"
    data.write_text("\n".join(["80 8 3", *lines]) + "\n")
    done = call("tune", data, "--trials", 4, "--out", tmp_path / "s.json", "--json", "-q")
    assert done.err == ""
    found = json.loads(done.out)
    assert [one["state"] for one in found["trials"]].count("failed") == 0
    assert found["trials"][0]["changes"] == {}
    assert call("train", data, "--config", tmp_path / "s.json", "--out", tmp_path / "m", "-q").code == 0


def test_the_report_has_the_picture_and_the_trials(call, more_documents, tmp_path):
    pytest.importorskip("jinja2")
    page = tmp_path / "page.html"
    flags = ("--trials", 6, "--out", tmp_path / "s.json", "-q")
    assert call("tune", more_documents, *flags, "--report", page).code == 0
    html = page.read_text("utf-8")
    assert html.count("<svg") > 5
    for words in (
        "Held-out measure of the trials over time",
        "choice so far",
        "choices of settings were compared on",
        "ramify train",
    ):
        assert words in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert call("tune", more_documents, *flags, "--report", tmp_path / "page.md").code == 0
    assert "| trial" in (tmp_path / "page.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--minutes", 0], "minutes is 0"),
        (["--minutes", "-3"], "minutes is -3"),
        (["--minutes", "ten"], "'ten' is not a number"),
        (["--trials", 0], "trials is 0"),
        (["--measure", "P5"], "measure is 'P5', but must be mean, or one of P, nDCG"),
        (["--model", "label-chain"], "--model is 'label-chain', but must be one of xr-linear, blend"),
        (["--out", "no/such/folder/s.json"], "no/such/folder/s.json: cannot be written (No such file or directory)"),
        (["--out", "."], "it is a directory"),
        (["--report", "page.txt"], "must be a .html or .md file"),
        (["--out", "a.html", "--report", "a.html"], "--out and --report are the same file"),
        (["--text", "title"], "title"),
    ],
)
def test_bad_input_is_refused_before_the_search(flags, words, refused, more_documents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(tmp_path.iterdir())
    monkeypatch.setattr("ramify.tuning.search._Search.run", lambda *given: pytest.fail("the search began"))
    assert words in refused("tune", more_documents, *flags)
    assert list(tmp_path.iterdir()) == before


def test_the_data_file_is_not_overwritten(refused, tmp_path):
    data = write_documents(tmp_path / "all.jsonl")
    before = data.read_bytes()
    assert "--out and the data file are the same file" in refused("tune", data, "--trials", 1, "--out", data)
    assert data.read_bytes() == before


def test_too_few_documents_leave_an_old_file_alone(refused, tmp_path):
    data = write_documents(tmp_path / "few.jsonl", 20)
    old = tmp_path / "settings.json"
    old.write_text("old")
    assert "20 documents with a label, but tuning holds some out" in refused("tune", data, "--trials", 1, "--out", old)
    assert old.read_text() == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["few.jsonl", "settings.json"]


def test_missing_extras_are_named(refused, more_documents, tmp_path, monkeypatch):
    monkeypatch.setattr("ramify.tuning.search.find_spec", lambda name: None)
    assert 'pip install "ramify[tune]"' in refused("tune", more_documents, "--out", tmp_path / "s.json")


def test_ctrl_c_writes_what_was_found(more_documents, tmp_path):
    terminal = Terminal()
    process = ramify_process(["tune", more_documents, "--minutes", 10, "--threads", 1], tmp_path, stderr=terminal.slave)
    terminal.close_slave()
    terminal.read_until(b"trials, best", seconds=30)
    process.send_signal(signal.SIGINT)
    shown = terminal.read_until(None)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "left" in shown
    assert "interrupted: settings.json has the best settings of the" in " ".join(shown.split())
    assert "Traceback" not in shown
    assert "saved in settings.json" in out
    assert json.loads((tmp_path / "settings.json").read_text())["about"]["stopped"] == "interrupted"
    assert [one.name for one in tmp_path.iterdir()] == ["settings.json"]
