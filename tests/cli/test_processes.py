"""The true command in a process of its own: what only shows there."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_tools import SOURCE, Terminal, python_process, ramify_process

import ramify
from ramify.models.mixtures.choice import Trial


def finish(process):
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def test_help_is_light_and_lists_every_command(tmp_path):
    code = "import sys; from ramify.cli.entry import run; run(['--help']); " + (
        "print('HEAVY' if {'numpy', 'scipy', 'sklearn', 'torch'} & set(sys.modules) else 'LIGHT')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}, check=True
    )
    assert "LIGHT" in done.stdout
    for command in ("demo", "train", "settings", "predict", "evaluate", "inspect", "convert", "push", "pull", "serve"):
        assert command in done.stdout


def test_version_and_no_arguments(tmp_path):
    assert finish(ramify_process(["--version"], tmp_path)) == (0, f"ramify {ramify.__version__}\n", "")
    code, out, err = finish(ramify_process([], tmp_path))
    assert (code, err) == (0, "")
    assert "ramify train" in out


def test_train_then_predict_through_a_pipe(documents, tmp_path):
    code, out, err = finish(ramify_process(["train", documents, "--out", "m", "--json", "--calibrate", "no"], tmp_path))
    assert (code, err) == (0, "")
    assert json.loads(out)["documents"] == 60
    process = ramify_process(["predict", "m", "-", "-k", "1"], tmp_path, stdin=subprocess.PIPE)
    out, err = process.communicate('{"text": "flame smoke heat"}\n', timeout=120)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["labels"][0]["label"].startswith("fire")


def test_a_closed_pipe_ends_quietly(model, tmp_path):
    (tmp_path / "many.txt").write_text("river lake\n" * 50_000)
    process = ramify_process(["predict", model, "many.txt", "--plain"], tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"labels"')
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout(model, tmp_path):
    (tmp_path / "many.txt").write_text("river lake\n" * 5_000)
    with Path("/dev/full").open("w") as full:
        process = ramify_process(["predict", model, "many.txt", "--plain"], tmp_path, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == "ramify: stdout: cannot be written (No space left on device): check the space on the disk\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_leaves_the_old_model(number, code, documents, model, tmp_path):
    rng = np.random.default_rng(0)
    with (tmp_path / "large.jsonl").open("w") as file:
        for words in rng.integers(0, 30_000, (20_000, 40)).tolist():
            labels = [f"l{word % 8_000}" for word in words[:5]]
            file.write(json.dumps({"text": " ".join(f"w{word}" for word in words), "labels": labels}) + "\n")
    shutil.copytree(model, tmp_path / "m")
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}
    # Slow enough to be caught in the middle: the solver is asked for more than it needs.
    slow = ["--set", "epsilon=1e-9", "--set", "max_passes=300", "--threads", "1"]
    terminal = Terminal()
    process = ramify_process(["train", "large.jsonl", "--out", "m", *slow], tmp_path, stderr=terminal.slave)
    terminal.close_slave()
    try:
        assert "train " in terminal.read_until(b"train ")
        process.send_signal(number)
        seen = terminal.read_until(None)
        assert process.wait(timeout=60) == code
    finally:
        process.kill()
    assert ("interrupted; no partial output" in seen) is (number == signal.SIGINT)
    assert "Traceback" not in seen
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.jsonl", "m"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before


def test_ctrl_c_while_settings_are_chosen_leaves_no_model(documents, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\n"
        "from ramify.cli import main\n"
        "from ramify.models.trees import chosen\n"
        "chosen.chosen_cost = lambda *given, **options: time.sleep(60)\n"
        f"sys.argv = ['ramify', 'train', {str(documents)!r}, '--out', 'm', '--threads', '1']\n"
        "main()\n"
    )
    terminal = Terminal()
    process = python_process([slow], tmp_path, stderr=terminal.slave)
    terminal.close_slave()
    try:
        assert "choose " in terminal.read_until(b"choose ")
        process.send_signal(signal.SIGINT)
        seen = terminal.read_until(None)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
    assert "interrupted; no partial output" in seen
    assert "Traceback" not in seen
    assert [path.name for path in tmp_path.iterdir()] == ["slow.py"]


@pytest.mark.parametrize("place", ["cost of one tree", "cost of a blend", "members of a blend"])
def test_an_interrupt_in_a_choice_of_settings_leaves_no_model(place, call, documents, tmp_path, monkeypatch):
    reached = []

    def interrupt(*given, **options):
        reached.append(given)
        raise KeyboardInterrupt

    if place == "members of a blend":
        monkeypatch.setattr(Trial, "choose", interrupt)
    else:
        monkeypatch.setattr("ramify.models.trees.chosen.chosen_cost", interrupt)
    preset = "default" if place == "cost of one tree" else "best"
    done = call("train", documents, "--out", tmp_path / "m", "--preset", preset, "--threads", 1, "-q")
    assert reached
    assert (done.code, done.out, done.err) == (130, "", "ramify: interrupted; no partial output is left\n")
    assert list(tmp_path.iterdir()) == []
