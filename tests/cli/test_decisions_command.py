"""ramify calibrate, and --decide of predict and evaluate."""

import json

import numpy as np
import pytest

LABELS = [f"label {number}" for number in range(10)]


def written(path, n, seed):
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for number in range(n):
            own = rng.choice(10, rng.integers(1, 4), replace=False)
            said = [label if rng.random() < 0.8 else rng.integers(10) for label in own]
            words = [f"word{label}x{rng.integers(3)}" for label in said for _ in range(2)]
            line = {"id": number, "text": " ".join(words), "labels": [LABELS[label] for label in own]}
            file.write(json.dumps(line) + "\n")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decisions")
    return [
        written(folder / f"{name}.jsonl", n, seed) for seed, (name, n) in enumerate([("a", 300), ("b", 300), ("c", 50)])
    ]


@pytest.fixture
def model(call, files, tmp_path):
    done = call("train", files[0], "--out", tmp_path / "model", "--calibrate", "no", "--quiet")
    assert done.code == 0, done.err
    return tmp_path / "model"


def test_calibrate_predict_and_evaluate(call, model, files):
    done = call("calibrate", model, files[1], "-k", 5, "--quiet")
    assert done.code == 0, done.err
    assert done.out.startswith("isotonic calibration on 300 documents, 5 labels each (error in percent)")
    assert [line.split()[0] for line in done.out.splitlines()[3:]] == ["all", "head", "middle", "tail", "0-shot"]
    done = call("predict", model, files[2], "--decide", "micro-f1", "--quiet")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 50
    assert 0.5 < np.mean([len(row["labels"]) for row in rows]) < 4
    assert all(0 < label["score"] < 1 for row in rows for label in row["labels"])
    done = call("evaluate", model, files[2], "--decide", "expected-f1", "--bootstrap", 50, "--quiet")
    assert done.out.startswith("label sets of 50 of 50 documents, ")
    found = json.loads(call("evaluate", model, files[2], "--decide", "micro-f1", "--json", "--quiet").out)
    assert found["values"]["microF1"] > 0.5
    out = call("calibrate", model, files[1], "--kind", "platt", "--json", "--quiet").out
    errors = json.loads(out)["errors"]
    assert "NaN" not in out
    assert errors["0-shot"]["scores"] is None
    assert errors[""]["probabilities"] < 0.1


def test_held_out_documents_of_training_calibrate_the_model(call, files, tmp_path):
    assert call("train", files[0], "--out", tmp_path / "m", "--holdout", 0.3, "--quiet").code == 0
    done = call("predict", tmp_path / "m", files[2], "--decide", "count", "--quiet")
    assert done.code == 0, done.err
    few = written(tmp_path / "few.jsonl", 12, 9)
    done = call("train", few, "--out", tmp_path / "n", "--holdout", 0.3)
    assert done.code == 0
    assert "note: the model is not calibrated, so scores are not probabilities: there are 8 training" in done.err
    assert call("predict", tmp_path / "n", files[2]).code == 0


def test_training_calibrates_by_default(call, files, tmp_path, refused):
    done = call("train", files[0], "--out", tmp_path / "m")
    assert (done.code, done.err) == (0, "")
    assert "  calibrate  " in done.out
    assert len(call("predict", tmp_path / "m", files[2], "--decide", "label-f1").out.splitlines()) == 50
    lines = [json.loads(line) for line in call("predict", tmp_path / "m", files[2], "-k", 3).out.splitlines()]
    sure = {
        one["label"]: one["score"]
        for one in json.loads(call("predict", tmp_path / "m", files[2], "--decide", "threshold=0").out.splitlines()[0])[
            "labels"
        ]
    }
    assert {one["label"]: one["probability"] for one in lines[0]["labels"]}.items() <= sure.items()
    assert all(0 < one["probability"] < 1 for line in lines for one in line["labels"])
    few = written(tmp_path / "few.jsonl", 99, 9)
    done = call("train", few, "--out", tmp_path / "n")
    assert done.code == 0
    assert (
        "note: the model is not calibrated, so scores are not probabilities: there are 99 training documents"
        in done.err
    )
    assert "--calibrate is 'maybe', but must be yes or no" in refused(
        "train", few, "--out", tmp_path / "n", "--calibrate", "maybe"
    )


def test_a_request_that_cannot_be_met_is_an_error_and_keeps_the_model(call, tmp_path, files):
    few = written(tmp_path / "few.jsonl", 99, 9)
    done = call("train", few, "--out", tmp_path / "n", "--calibrate", "yes", "--quiet")
    assert done.code == 2
    assert "has the trained model, but no calibration: there are 99 training documents" in done.err
    assert call("predict", tmp_path / "n", files[2]).code == 0
    found = json.loads(call("train", few, "--out", tmp_path / "n", "--json", "--quiet").out)["calibration"]
    assert found == {"reason": found["reason"]}
    found = json.loads(call("train", files[0], "--out", tmp_path / "n", "--json").out)["calibration"]
    assert (found["kind"], found["documents"]) == ("isotonic", 300)
    assert set(found["rules"]) == {"micro-f1", "macro-f1", "example-f1"}


def _failing(monkeypatch, error):
    from ramify.tagger.decide import cross_fit

    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr(cross_fit, "_predicted", fail)


def test_an_interrupted_calibration_leaves_the_model(call, tmp_path, files, monkeypatch, capsys):
    _failing(monkeypatch, KeyboardInterrupt)
    with pytest.raises(SystemExit) as ended:
        call("train", files[0], "--out", tmp_path / "n")
    assert ended.value.code == 130
    assert "has the trained model, without a calibration" in capsys.readouterr().err
    assert call("predict", tmp_path / "n", files[2]).code == 0


def test_a_full_disk_in_the_calibration_leaves_the_model(call, tmp_path, files, monkeypatch):
    _failing(monkeypatch, OSError(28, "No space left"))
    done = call("train", files[0], "--out", tmp_path / "n")
    assert done.code == 0
    assert "the model is not calibrated, so scores are not probabilities: [Errno 28] No space left" in done.err
    assert call("predict", tmp_path / "n", files[2]).code == 0


def test_few_held_out_documents_are_replaced_by_cross_fitting(call, files, tmp_path):
    done = call("train", files[0], "--out", tmp_path / "m", "--holdout", 0.02)
    assert (done.code, done.err) == (0, "")
    assert call("predict", tmp_path / "m", files[2], "--decide", "micro-f1").code == 0


def test_fine_tuned_models_are_calibrated_on_request(call, files, tmp_path):
    pytest.importorskip("torch")
    few = ("--set", "epochs=1", "--set", "warmup=0", "--set", "hidden=8", "--set", "embedding=4")
    train = ("train", files[0], "--out", tmp_path / "m", "--model", "label-chain", *few)
    done = call(*train)
    assert done.code == 0, done.err
    assert "takes long: add --holdout 0.1 or --calibrate yes" in done.err
    done = call(*train, "--calibrate", "yes")
    assert (done.code, "calibrated" in done.err) == (0, False)
    assert call("predict", tmp_path / "m", files[2], "--decide", "micro-f1").code == 0


def test_sentences(refused, call, model, files, tmp_path):
    assert "the model is not calibrated: run ramify calibrate" in refused(
        "predict", model, files[2], "--decide", "count"
    )
    assert "the model is not calibrated" in refused("evaluate", model, files[2], "--decide", "count")
    assert "--kind is 'spline'" in refused("calibrate", model, files[1], "--kind", "spline")
    assert "-k is 0" in refused("calibrate", model, files[1], "-k", 0)
    few = written(tmp_path / "few.jsonl", 5, 9)
    assert "a calibration needs 50 of each: hold out more documents" in refused("calibrate", model, few)
    assert call("calibrate", model, files[1], "--quiet").code == 0
    assert "there is no rule 'f1': choose micro-f1" in refused("predict", model, files[2], "--decide", "f1")
    assert "-k and --decide are given" in refused("predict", model, files[2], "--decide", "count", "-k", 3)
    assert "--threshold and --decide" in refused("predict", model, files[2], "--decide", "count", "--threshold", 0.1)
    compared = ("evaluate", model, files[2], "--decide", "count", "--compare", model)
    assert "--decide and --compare are given" in refused(*compared)
    assert "no threshold reaches a precision of 1" in refused("predict", model, files[2], "--decide", "precision=1")
