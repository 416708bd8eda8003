"""Transformers from the command line: trained, asked, evaluated, inspected; bad input is refused in one sentence."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

SMALL = ("--steps", 2, "--batch-size", 8, "--threads", 1, "-q")


@pytest.mark.parametrize("kind", ["xr-transformer", "x-transformer", "flat-transformer"])
def test_a_transformer_is_trained_asked_and_inspected(call, documents, tmp_path, tiny_encoder, kind):
    flags = ("--model", kind, "--encoder", tiny_encoder, "--set", "ranker.max_leaf=3", *SMALL)
    done = call("train", documents, "--out", tmp_path / "m", *flags)
    assert done.code == 0, done.err
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.8
    answer = json.loads(call("predict", tmp_path / "m", documents, "-k", 2).out.splitlines()[0])
    assert len(answer["labels"]) == 2
    shown = json.loads(call("inspect", tmp_path / "m", "--json").out)["settings"]
    assert shown["model"]["encoder"] == tiny_encoder
    assert any(part.get("max_leaf") == 3 for part in shown.values())


def test_an_interrupted_training_continues_at_its_checkpoint(call, documents, tmp_path, tiny_encoder):
    flags = ("--model", "x-transformer", "--encoder", tiny_encoder, "--checkpoint", tmp_path / "state", *SMALL)
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    assert (tmp_path / "state" / "stage-0").is_dir()
    assert call("train", documents, "--out", tmp_path / "m", *flags).code == 0
    done = call("train", documents, "--out", tmp_path / "m", *flags, "--max-leaf", 2)
    assert done.code == 2
    assert "holds the checkpoint of another run" in done.err


def test_long_texts_are_counted_once(call, tmp_path, tiny_encoder):
    rows = [{"text": "river lake " * number, "labels": ["even" if number % 2 else "odd"]} for number in range(1, 30)]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    flags = ("--model", "x-transformer", "--encoder", tiny_encoder, "--max-tokens", 32, *SMALL[:-1])
    done = call("train", path, "--out", tmp_path / "m", *flags)
    assert done.code == 0, done.err
    assert done.err.count("14 of 29 texts have more than 32 tokens, and their end is not used") == 1


@pytest.mark.parametrize("kind", ["xr-transformer", "flat-transformer"])
def test_bad_input_is_refused(refused, documents, tmp_path, tiny_encoder, kind):
    flags = ("train", documents, "--out", tmp_path / "m", "--model", kind, *SMALL)
    assert "/nowhere" in refused(*flags, "--encoder", "/nowhere/at/all")
    assert "encoder is ''" in refused(*flags, "--encoder", "")
    assert "--steps is 0" in refused(*flags[:-5], "--steps", 0)
    if not torch.cuda.is_available():
        assert "torch finds no GPU" in refused(*flags, "--encoder", tiny_encoder, "--device", "cuda")
    features = tmp_path / "features.txt"
    features.write_text("3 4 2\n0 1:1\n1 2:1\n0 3:1\n")
    assert "needs texts" in refused("train", features, "--out", tmp_path / "m", "--model", kind, *SMALL)
    assert not (tmp_path / "m").exists()
