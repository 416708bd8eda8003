"""A generator joined with a tree, and ensembles of generators, from the command line."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

QUICK = ("--threads", 1, "-q")


@pytest.fixture(scope="session")
def encoder(documents, tmp_path_factory):
    from tiny_encoder import save_tiny_encoder

    rows = [json.loads(line) for line in documents.read_text("utf-8").splitlines()]
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), [row["text"] for row in rows])


@pytest.mark.parametrize("way", ["constrain", "rerank"])
def test_trained_asked_measured_and_inspected(call, documents, encoder, tmp_path, way):
    inside = ("--set", f"generator.encoder={encoder}", "--set", "generator.epochs=2", "--set", "tree.max_leaf=3")
    flags = ("--model", "xlgen-with-tree", "--way", way, "--candidates", 2, "--share", 0.1, *inside)
    shown = call("train", *flags, "--show-config")
    (tmp_path / "settings.json").write_text(shown.out, "utf-8")
    done = call("train", documents, "--out", tmp_path / "m", "--config", tmp_path / "settings.json", *QUICK)
    assert done.code == 0, done.err
    assert json.loads(call("evaluate", tmp_path / "m", documents, "--json").out)["values"]["P@1"] > 0.9
    answers = [json.loads(line) for line in call("predict", tmp_path / "m", documents, "-k", 5).out.splitlines()]
    widest = max(len(answer["labels"]) for answer in answers)
    assert widest == 2 if way == "constrain" else widest > 2
    facts = json.loads(call("inspect", tmp_path / "m", "--json").out)
    assert [member["model"] for member in facts["members"]] == ["XRLinear", "XLGen"]
    assert {"way": way, "candidates": 2, "share": 0.1}.items() <= facts["settings"]["model"].items()
    assert call("inspect", tmp_path / "m", "--label", "water").code == 0


def test_an_ensemble_of_two_generators(call, documents, encoder, tmp_path):
    flags = ("--model", "xlgen", "--encoder", encoder, "--epochs", 1, "--trees", 2, "--combine", "rank")
    done = call("train", documents, "--out", tmp_path / "m", *flags, *QUICK)
    assert done.code == 0, done.err
    facts = json.loads(call("inspect", tmp_path / "m", "--json").out)
    assert [member["seed"] for member in facts["members"]] == [0, 1]
    assert json.loads(call("predict", tmp_path / "m", documents, "-k", 2).out.splitlines()[0])["labels"]


def test_bad_input_is_refused(refused, documents, tmp_path):
    train = ("train", documents, "--out", tmp_path / "m", "--model", "xlgen-with-tree")
    assert "--way is 'both', but must be one of constrain, rerank" in refused(*train, "--way", "both")
    assert "--candidates is 0, but must be a whole number" in refused(*train, "--candidates", 0)
    assert "--share is 2.0, but must be a number" in refused(*train, "--share", 2)
    assert "but must be one of xlgen or none" in refused(*train, "--set", "generator=blend")
    assert "use --seed" in refused(*train, "--set", "generator.seed=3")
    assert "use 'sigmoid'" in refused(*train, "--set", "tree.score_transform=log-sigmoid")
    features = tmp_path / "features.txt"
    features.write_text("3 4 2\n0 1:1\n1 2:1\n0 3:1\n")
    assert "needs texts" in refused("train", features, "--out", tmp_path / "m", "--model", "xlgen-with-tree")
    assert not (tmp_path / "m").exists()
