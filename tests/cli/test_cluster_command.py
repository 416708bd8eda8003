"""``ramify train --cluster``: the model of one process, its plan, an interrupted training, and bad input."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from cli_tools import Terminal, ramify_process

from ramify import CompositeChain, Ensemble, LabelChain, PopularLabels, XRLinear, XRTransformer
from ramify.errors import InputError
from ramify.scale.planning import check_plannable

SETTINGS = ("--max-leaf", 4, "--set", "branching=4", "--calibrate", "no")
"""A tree of several levels for the labels below."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 documents with 200 labels."""
    draw = random.Random(0)
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    lines = []
    for number in range(300):
        labels = [f"label {number % 200}", f"label {draw.randrange(200)}"]
        text = " ".join(f"word{label.split()[1]} more{draw.randrange(50)}" for label in labels)
        lines.append(json.dumps({"text": text, "labels": labels}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def arrays(model: Path) -> list[str]:
    """The file names of a model; that of the arrays has a hash of them."""
    return sorted(file.name for file in model.iterdir())


@pytest.fixture(scope="module")
def plain(many: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from ramify.cli.entry import run

    out = tmp_path_factory.mktemp("plain") / "model"
    assert run([str(word) for word in ("train", many, "--out", out, "-q", *SETTINGS)]) == 0
    return arrays(out)


@pytest.mark.parametrize("cluster", ["local", "local:1"])
def test_a_model_of_worker_processes_is_that_of_one_process(call, many, plain, tmp_path, cluster):
    done = call("train", many, "--out", tmp_path / "model", "--cluster", cluster, "--threads", 2, *SETTINGS)
    assert done.code == 0, done.err
    assert "no worker was used" not in done.err
    assert arrays(tmp_path / "model") == plain


def test_calibration_trains_on_the_cluster_as_well(call, many, tmp_path):
    same = ("--max-leaf", 4, "--set", "branching=4")
    assert call("train", many, "--out", tmp_path / "plain", "-q", *same).code == 0
    words = ("--cluster", "local:2", "--threads", 2, "--resume", tmp_path / "parts")
    assert call("train", many, "--out", tmp_path / "model", "-q", *words, *same).code == 0
    assert arrays(tmp_path / "model") == arrays(tmp_path / "plain")
    once = call("train", many, "--out", tmp_path / "once", "-q", "--cluster", "local:2", "--threads", 2,
                "--resume", tmp_path / "less", *SETTINGS)  # fmt: skip
    assert once.code == 0
    assert len(list((tmp_path / "parts").iterdir())) > len(list((tmp_path / "less").iterdir()))


def test_an_interrupted_training_continues(many, plain, tmp_path):
    words = ("train", many, "--out", tmp_path / "model", "--cluster", "local:2", "--threads", 2, "--resume", tmp_path / "parts", *SETTINGS)  # fmt: skip # noqa: E501
    terminal = Terminal()
    process = ramify_process(words, tmp_path, stderr=terminal.slave, start_new_session=True)
    terminal.read_until(b"train")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    terminal.close_slave()
    seen = terminal.read_until(None)  # ends when no worker is left
    assert process.wait(60) in (130, 0)
    assert "Traceback" not in seen
    assert not (tmp_path / "model").exists() or process.returncode == 0
    if process.returncode == 130:
        kept = any((tmp_path / "parts").glob("*.safetensors"))
        assert ("finished tasks are kept in" in seen) is kept
        assert ("no partial output is left" in seen) is not kept
    again = ramify_process(words, tmp_path)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert arrays(tmp_path / "model") == plain


@pytest.mark.parametrize("separator", [" ", "="])
def test_finished_tasks_are_named_after_an_interrupt(call, many, tmp_path, monkeypatch, separator):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ramify.cli.train._train", interrupted)
    words = ("train", many, "--out", tmp_path / "m", "--cluster", "local:2", *f"--resume{separator}{tmp_path}".split())
    nothing = "ramify: interrupted; no partial output is left\n"
    assert (done := call(*words)).code == 130 and done.err == nothing
    (tmp_path / "0.safetensors").write_text("")
    kept = f"ramify: interrupted; finished tasks are kept in {tmp_path}: run the same command again to continue\n"
    assert (done := call(*words)).code == 130 and done.err == kept


def test_the_plan_names_tasks_bytes_memory_and_time(call, many, tmp_path):
    words = ("train", many, "--cluster", "local:2", "--threads", 2, "--dry-run", *SETTINGS)
    done = call(*words)
    assert done.code == 0, done.err
    for part in ("level 0", "no task", "16 tasks of at most", "search", "2 tasks at a time, 1 thread each", "sent once",
                 "moved", "memory", "time"):  # fmt: skip
        assert part in done.out, part
    plan = json.loads(call(*words, "--json").out)
    assert plan["tasks"] > 16 and plan["slots"] == 2 and plan["hours"] > 0
    assert plan["levels"][-1]["nodes"] == 200 and plan["levels"][0]["parts"] == 0
    assert plan["memory_per_machine"] > plan["bytes_per_machine"] > 0
    assert not list(tmp_path.iterdir())


def test_a_dry_run_counts_the_tasks_that_run(call, many, tmp_path):
    plan = json.loads(call("train", many, "--cluster", "local:2", "--threads", 2, "--dry-run", "--json", *SETTINGS).out)
    done = call("train", many, "--out", tmp_path / "m", "--cluster", "local:2", "--threads", 2, "--resume", tmp_path / "p", *SETTINGS)  # fmt: skip # noqa: E501
    assert done.code == 0
    assert len(list((tmp_path / "p").glob("*.safetensors"))) == plan["tasks"]


def test_a_plan_counts_all_trees_of_an_ensemble(call, many, tmp_path):
    words = ("train", many, "--cluster", "local:2", "--threads", 2, "--trees", 3, *SETTINGS)
    shown = call(*words, "--dry-run")
    assert shown.code == 0, shown.err
    assert "trees" in shown.out and "3; the levels are those of the largest, the sums those of all" in shown.out
    plan = json.loads(call(*words, "--dry-run", "--json").out)
    assert plan["trees"] == 3
    assert call(*words, "--out", tmp_path / "m", "--resume", tmp_path / "p").code == 0
    assert len(list((tmp_path / "p").glob("*.safetensors"))) == plan["tasks"]


def test_a_plan_counts_the_rounds_of_disentanglement(call, many):
    done = call("train", many, "--cluster", "local:2", "--threads", 2, "--copies", 2, "--dry-run", "--json", *SETTINGS)
    assert done.code == 0, done.err
    assert json.loads(done.out)["trees"] == 2


def test_a_dry_run_does_not_change_the_folder_of_finished_tasks(call, many, tmp_path):
    words = ("train", many, "--cluster", "local:2", "--threads", 2, "--dry-run", "--json", *SETTINGS)
    assert call(*words, "--resume", tmp_path / "absent").code == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "parts").mkdir()
    assert call(*words, "--resume", tmp_path / "parts").code == 0
    assert list((tmp_path / "parts").iterdir()) == []
    (tmp_path / "parts" / "checkpoint.json").write_text('{"format": 1, "parts": 3}')
    assert json.loads(call(*words, "--resume", tmp_path / "parts").out)["levels"][-1]["parts"] == 3


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("popular-labels", "the model PopularLabels has no label tree"),
        ("label-chain", "the model LabelChain has no label tree: leave it out"),
        ("xlgen", "the model XLGen has no label tree: leave it out"),
        ("xr-transformer", "XRTransformer trains a network before its label trees, which this process would"),
        ("xlgen-with-tree", "XLGenWithTree trains a network before its label trees"),
    ],
)
def test_a_model_that_cannot_be_planned_is_refused_before_data_are_read(refused, tmp_path, model, reason):
    pytest.importorskip("torch", reason="needs the extra torch")
    arguments = ("--cluster", "local", "--dry-run", "--model", model)
    assert reason in refused("train", tmp_path / "absent.jsonl", *arguments)


def test_the_first_network_of_a_mixture_is_named():
    pytest.importorskip("torch", reason="needs the extra torch")
    models = [XRLinear(), CompositeChain(), LabelChain(), XRTransformer()]
    with pytest.raises(InputError, match="but CompositeChain trains a network, which this process would"):
        check_plannable(Ensemble(models))
    with pytest.raises(InputError, match="but XRTransformer trains a network before its label trees"):
        check_plannable(Ensemble(models[::-1]))
    with pytest.raises(InputError, match="the model Ensemble has no label tree"):
        check_plannable(Ensemble([LabelChain(), PopularLabels()]))


def test_a_model_without_a_tree_is_noted(call, many, tmp_path):
    done = call("train", many, "--out", tmp_path / "m", "--cluster", "local:1", "--calibrate", "no")
    assert done.code == 0 and "note: no worker was used: the model has no label tree with enough clusters" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "parts"], "--resume is given, but --cluster is not: add --cluster local, or an address"),
        (["--dry-run"], "--dry-run is given, but --cluster is not"),
        (["--cluster", "local:0"], "must be local, local:N with N in 1..4096, or HOST:PORT"),
        (["--cluster", "local:x"], "must be local, local:N with N in 1..4096, or HOST:PORT"),
        (["--cluster", "local:4", "--threads", "2"], "starts 4 worker processes, but --threads is 2"),
        (["--cluster", "local", "--resume", "many.jsonl"], "many.jsonl cannot be the folder of a checkpoint"),
        (["--cluster", "local", "--resume", "."], "holds other files than those of a checkpoint"),
        (["--cluster", "local", "--dry-run", "--model", "popular-labels"], "the model PopularLabels has no label tree"),
    ],
)
def test_bad_input(refused, many, monkeypatch, arguments, words):
    monkeypatch.chdir(many.parent)
    assert words in refused("train", many, "--out", "out", *arguments)
    assert [file.name for file in many.parent.iterdir()] == ["many.jsonl"]


def test_ray_that_is_not_installed(refused, many, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    sentence = refused("train", many, "--out", tmp_path / "m", "--cluster", "auto")
    assert 'pip install "ramify[ray]"' in sentence


def test_an_address_that_does_not_answer(refused, many, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    sentence = refused("train", many, "--out", tmp_path / "m", "--cluster", "127.0.0.1:9")
    assert "the Ray cluster '127.0.0.1:9' does not answer" in sentence
    assert not (tmp_path / "m").exists()
