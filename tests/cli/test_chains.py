"""Chains from the command line: trained, asked, evaluated, inspected; settings refused in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the extra torch")

SMALL = (
    "--embedding",
    8,
    "--hidden",
    16,
    "--epochs",
    12,
    "--batch-size",
    16,
    "--learning-rate",
    0.03,
    "--set",
    "average=0",
)
SMALL += ("--threads", 1, "-q")


def test_a_chain_is_trained_asked_and_inspected(call, documents, tmp_path):
    flags = ("--model", "label-chain", "--order", "frequent-first", "--set", "held_out=0", *SMALL)
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.8
    answer = json.loads(call("predict", tmp_path / "m", documents, "-k", 2).out.splitlines()[0])
    assert len(answer["labels"]) == 2
    shown = call("inspect", tmp_path / "m").out
    assert "LabelChain" in shown
    assert "frequent-first" in shown


def test_two_processes_train_one_model(call, documents, tmp_path):
    flags = ("--model", "label-chain", "--set", "held_out=0", "--embedding", "8", "--hidden", "16", "--epochs", "8")
    flags += ("--batch-size", "16", "--learning-rate", "0.03", "--set", "average=0", "--threads", "1")
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "ramify")
    command = (*launcher, "train", str(documents), "--out", str(tmp_path / "m"), "--json", *flags)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["labels"]  # one report, of process 0
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.8


def test_chains_inside_a_chain_are_set(call, refused, documents, tmp_path):
    flags = ["--model", "composite-chain", "--threads", 1, "-q", "--held-out", 0.3]
    sets = ("resequenced.hidden=8", "resequenced.epochs=1", "reinforced.epochs=1", "reinforced.chain.epochs=1")
    for one in (*sets, "reinforced.reward=dcg"):
        flags += ["--set", one]
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    settings = json.loads(call("inspect", tmp_path / "m", "--json").out)["settings"]
    assert any(part.get("hidden") == 8 for part in settings.values())
    assert any(part.get("reward") == "dcg" for part in settings.values())
    message = refused("train", "--model", "composite-chain", "--set", "resequenced.hidden=0")
    assert "--set resequenced.hidden is 0" in message


def test_a_training_that_was_cut_goes_on_from_its_checkpoint(call, documents, tmp_path):
    flags = ["--model", "reinforced-chain", "--set", "chain.epochs=2", "--epochs", 1, "--threads", 1, "-q"]
    flags += ["--set", "chain.hidden=8", "--set", f"chain.checkpoint={tmp_path / 'ck'}"]
    assert call("train", documents, "--out", tmp_path / "first", *flags).code == 0
    assert (tmp_path / "ck" / "supervised").is_dir()
    assert call("train", documents, "--out", tmp_path / "again", *flags).code == 0  # finds all epochs there
    answers = [call("predict", tmp_path / name, documents, "-k", 2).out for name in ("first", "again")]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [("--order", "by-length", "resequenced"), ("--device", "tpu", "cpu"), ("--draws", 0, "draws")],
)
def test_settings_are_refused_before_training(refused, documents, tmp_path, flag, value, words):
    message = refused("train", documents, "--out", tmp_path / "m", "--model", "label-chain", flag, value)
    assert words in message
    assert not (tmp_path / "m").exists()
