"""The study of label generation: all labels, held-out parts, kept answers, thresholds, ensembles, proposals."""

import gzip
import json
import math
import sys
from argparse import Namespace

import numpy as np
import pytest
import scipy.sparse as sp
from race_tools import BENCHMARKS

import generation
from racing import generation_answers, generation_extras, generation_join, generation_measures, text_sets
from racing.decision_answers import AnswerError
from racing.generation_answers import HELD_OUT, TEST, Answered, Problem
from racing.generation_extras import add_unjudged, judgements, trie_row
from racing.generation_measures import compared, measured, sets_of, threshold_sets
from racing.held_out import fifth
from racing.rows import read_rows
from racing.runner import Limits
from racing.systems import System
from racing.text_sets import prepare_texts
from ramify import TopK

N, TOPICS = 60, 6
CONTESTANT = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(BENCHMARKS / "contestants")!r})
import numpy as np
from contest import Setup

task, matrices, work, threads, seed, settings = sys.argv[1:]
setup = Setup(Path(matrices), Path(work), int(threads), int(seed), json.loads(settings))
with open(setup.settings["log"], "a") as log:
    log.write(json.dumps([task, setup.seed, [path.name for path in sorted(setup.matrices.iterdir())],
                          setup.matrix("Y").shape[0]]) + "\\n")
if setup.settings.get("broken"):
    sys.exit("no luck today")
if task == "train":
    setup.model.mkdir()
    costs = dict(train_wall_s=6.0, train_cpu_s=6.0, peak_bytes=2e6, model_bytes=1e6)
else:
    asked = json.loads((setup.matrices / (task + ".json")).read_text())
    names = json.loads((setup.matrices / "labels.json").read_text())
    first = np.array([names.index("topic" + text.split()[0][4:]) for text in asked])
    wrong = (first + 1) % len(names)
    right = setup.settings.get("right", True) in (True, task)
    order = (first, wrong) if right else (wrong, first)
    labels = np.full((len(asked), 100), -1, np.int32)
    scores = np.full((len(asked), 100), -np.inf, np.float32)
    labels[:, 0], labels[:, 1] = order
    scores[:, 0], scores[:, 1] = (0.9, 0.2) if right else (0.8, 0.3)
    found = dict(labels=labels, scores=scores)
    if setup.settings.get("writes"):
        found["own"] = labels[:, :1]
    np.savez(setup.work / "top.npz", **found)
    costs = dict(answer_wall_s=1.0, answer_cpu_s=1.0, answered=len(asked), weights=1000)
(setup.work / "costs.json").write_text(json.dumps(costs))
"""


@pytest.fixture
def matrices(tmp_path, monkeypatch):
    """Documents of six topics with one label each; a seventh topic is in the test documents only."""
    for module in (text_sets, generation_answers):
        monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    for part, topics in (("train", TOPICS), ("test", TOPICS + 1)):
        with gzip.open(folder / f"{part}.jsonl.gz", "wt") as file:
            for number in range(N):
                topic = number % topics
                line = {"text": f"word{topic} {part}{number}", "labels": [f"topic{topic}", f"also{topic}"]}
                file.write(json.dumps(line) + "\n")
    return prepare_texts("small", tmp_path / "data", every_label=True)


@pytest.fixture
def fake(tmp_path):
    """``fake(name, **settings)``: a system that ranks the topic of each text first, or second."""
    script = tmp_path / "fake.py"
    script.write_text(CONTESTANT)
    log = str(tmp_path / "log")
    return lambda name="fake", **settings: System(name, str(script), "1", settings={"log": log} | settings)


def calls(tmp_path):
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def problem_of(matrices, *, share=0.0, seed=0, tests=None, seconds=60.0):
    limits = Limits(seconds, 4_000_000_000)
    return Problem(matrices=matrices, share=share, seed=seed, tests=tests, threads=1, limits=limits)


def test_half_of_the_training_labels_are_hidden_and_no_test_label(matrices):
    whole, half = problem_of(matrices), problem_of(matrices, share=0.5)
    assert whole.Y.nnz == 2 * N and half.Y.nnz == N
    assert (whole.Y - half.Y).min() == 0  # what is left was there before
    assert half.Y_test.nnz == 2 * N and half.Y_test.shape[1] == whole.Y.shape[1] == 2 * (TOPICS + 1)
    assert (problem_of(matrices, share=0.5, seed=1).Y != half.Y).nnz > 0
    assert whole.truth(HELD_OUT)[0].shape[0] == N // 5 and whole.truth(HELD_OUT)[1].shape[0] == N - N // 5


def test_the_parts_of_a_split_share_no_document():
    rest, held = fifth(23, 0)
    assert sorted([*rest, *held]) == list(range(23)) and len(held) == 4
    assert held.tolist() != fifth(23, 1)[1].tolist()


def test_answers_are_made_once_in_processes_that_are_given_their_part(matrices, fake, tmp_path):
    problem, system = problem_of(matrices, tests=20, seed=1), fake()
    held, test = (problem.answers(system, part) for part in (HELD_OUT, TEST))
    given = ["Y.npz", "Y_test.npz", "held-out.json", "labels.json", "test.json", "train.json"]
    assert calls(tmp_path) == [[task, 1, given, N - N // 5] for task in ("train", "held-out", "test")]
    assert held.top.labels.shape == (N // 5, 100) and test.top.labels.shape == (20, 100)
    assert test.costs["train_wall_s"] == 6.0 and "busy" in test.costs
    assert problem.answers(system, TEST).top.labels.tolist() == test.top.labels.tolist()
    assert len(calls(tmp_path)) == 3
    assert test.sets("own") is None
    assert not list((tmp_path / "cache").glob("run-*"))


def test_a_failure_leaves_nothing_behind(matrices, fake, tmp_path):
    problem = problem_of(matrices)
    with pytest.raises(AnswerError, match="train: exit status 1: no luck today"):
        problem.answers(fake(broken=True), TEST)
    assert not list((tmp_path / "cache").glob("run-*"))
    assert not list((tmp_path / "cache" / "generation").iterdir())


def test_the_threshold_of_the_held_out_documents_separates_right_from_wrong(matrices, fake):
    problem, system = problem_of(matrices), fake(writes=True)
    held, test = (problem.answers(system, part) for part in (HELD_OUT, TEST))
    found = sets_of(problem, held, test)
    assert list(found) == ["own", "micro threshold", "macro threshold"]
    assert (found["own"] != found["micro threshold"]).nnz == 0  # the label of score 0.9, without that of 0.2
    row = measured(problem, TEST, test.top, found)
    assert row["measures"]["P@1"] == 100.0
    assert row["sets"]["own"]["micro F1"] == pytest.approx(
        100 * 2 / 3, abs=0.001
    )  # one of two labels, all of them true
    assert row["sets"]["own"]["0-shot F1"] == pytest.approx(100 * 2 / 3, abs=0.001)  # topic6, and not also6
    assert row["sets"]["own"]["1-shot F1"] is None  # no label has one training document
    assert row["sets"]["own"]["labels"] == 1.0


def test_shots_are_counted_after_hiding(matrices):
    for share, shot in ((0.0, 0.0), (1.0, 92.857)):  # all labels are without a training document, or those of topic6
        problem = problem_of(matrices, share=share)
        sets = problem.Y_test.multiply(matrices.Y.sum(axis=0) > 0).tocsr()  # all but those of topic6
        row = measured(problem, TEST, TopK(*ranking(problem.Y_test)), {"own": sets})
        assert row["sets"]["own"]["micro F1"] == 92.857 and row["sets"]["own"]["0-shot F1"] == pytest.approx(shot)


def ranking(Y):
    """Labels and scores of a ranking of the labels of each row, at least five."""
    labels = np.full((Y.shape[0], 5), -1, np.int32)
    labels[:, :2] = Y.indices.reshape(-1, 2)
    return labels, np.where(labels >= 0, 1.0, -np.inf).astype(np.float32)


def test_differences_are_tested_over_documents_and_seeds(matrices, fake, monkeypatch):
    monkeypatch.setattr(generation_measures, "RESAMPLES", 50)
    problems = [problem_of(matrices, seed=seed) for seed in (0, 1)]
    right, wrong = (
        [(one.top, one.sets("own")) for one in (problem.answers(system, TEST) for problem in problems)]
        for system in (fake("right", writes=True), fake("wrong", writes=True, right=False))
    )
    monkeypatch.setattr("racing.quality.RESAMPLES", 50)
    better, same = compared(problems, right, wrong), compared(problems, right, right)
    assert set(better) == {"P@1", "P@3", "P@5", "micro F1", "macro F1", "0-shot F1"}  # no 1-shot labels
    assert better["P@1"][0] == 100.0 and better["P@1"][3] < 0.05
    assert better["micro F1"][0] == pytest.approx(100 * 2 / 3, abs=0.001)
    assert all(values[0] == 0 and values[3] == 1 for values in same.values())


def test_the_weight_of_an_ensemble_is_chosen_on_held_out_documents(matrices, fake, monkeypatch):
    problem = problem_of(matrices)
    found = generation_join.joined(problem, fake("wrong", right=False), fake("right"))
    assert found.share >= 0.5 and found.test.k == 100
    names = [problem.names[label] for label in found.test.labels[:, 0]]
    assert names == [f"topic{number % (TOPICS + 1)}" for number in range(N)]
    assert generation_join.joined(problem, fake("right"), fake("wrong", right=False)).share <= 0.5
    found = generation_join.joined(problem, fake("wrong", right=False), fake("held", right="held-out"))
    assert found.share >= 0.5 and found.test.labels[0, 0] != problem.Y_test[0].indices[0]


def chosen(**changes):
    values = {"systems": ["xlgen-base", "xlgen-mcg", "xr-linear"], "shares": [0.0, 0.5], "seeds": 2, "test": None}
    values |= {"settings": {}, "threads": 1, "limit": 60.0, "memory": 4.0, "minutes": math.inf}
    return Namespace(**values | changes)


@pytest.fixture
def study(matrices, fake, tmp_path, monkeypatch):
    """``study(task, **changes)`` calls a task with fake systems; the rows that it adds."""
    rows = tmp_path / "xlgen.jsonl"
    monkeypatch.setattr(generation, "GENERATION", rows)
    for module in (generation_measures, sys.modules["racing.quality"]):
        monkeypatch.setattr(module, "RESAMPLES", 20)
    broken = []

    def system_of(name, dataset, settings):
        return fake(name, writes=name.startswith("xlgen"), right=name != "xlgen-base", broken=name in broken)

    monkeypatch.setattr(generation, "system_of", system_of)

    def call(task, **changes):
        broken[:] = changes.pop("broken", [])
        before = len(read_rows(rows))
        for row in generation.TASKS[task](chosen(**changes), matrices):
            generation.add_stamped(rows, row)
        return read_rows(rows)[before:]

    return call


def test_runs_are_skipped_when_they_have_rows(study, tmp_path):
    first = study("run", seeds=1)
    runs = [(row["system"], row["share"], row["seed"]) for row in first if row["kind"] == "run"]
    assert runs == [(name, share, 0) for share in (0.0, 0.5) for name in chosen().systems]
    pairs = [row for row in first if row["kind"] == "paired"]
    assert [(row["system"], row["peer"], row["share"]) for row in pairs] == [
        ("xlgen-mcg", "xlgen-base", 0.0), ("xlgen-mcg", "xlgen-base", 0.5),
    ]  # fmt: skip
    assert pairs[0]["differences"]["P@1"][0] == 100.0
    made = len(calls(tmp_path))
    assert study("run", seeds=1) == [] and len(calls(tmp_path)) == made
    assert {row["seed"] for row in study("run") if row["kind"] == "run"} == {1}


def test_no_system_begins_after_the_minutes(study, tmp_path, capsys):
    assert study("run", minutes=0.0) == [] and not (tmp_path / "log").exists()
    assert "xlgen-base: left out, since 0 minutes have passed" in capsys.readouterr().out


def test_a_failed_run_is_repeated_with_a_higher_limit_only(study):
    arguments = {"systems": ["xr-linear"], "shares": [0.0], "seeds": 1}
    assert [row["failed"] for row in study("run", broken=["xr-linear"], **arguments)] == [
        "train: exit status 1: no luck today"
    ]
    assert study("run", broken=["xr-linear"], **arguments) == []
    assert "failed" in study("run", broken=["xr-linear"], **arguments | {"limit": 90.0})[0]


def test_ensembles_are_made_of_kept_answers_only(study, tmp_path):
    assert study("join") == []
    systems = ["xlgen-base", "best", "best, second"]
    study("run", systems=systems, shares=[0.0], seeds=1)
    made = len(calls(tmp_path))
    rows = study("join", systems=systems, shares=[0.0])
    assert [(row["kind"], row["system"]) for row in rows] == [
        ("joined", "best + best, second"), ("joined", "best + xlgen-base"), ("paired", "best + xlgen-base"),
    ]  # fmt: skip
    assert rows[1]["weight"] <= 0.5 and rows[1]["measures"]["P@1"] == 100.0
    assert len(calls(tmp_path)) == made and study("join", systems=systems, shares=[0.0]) == []


def test_held_out_rows_of_other_settings(study):
    rows = study("tune", systems=["xlgen-mcg"])
    assert [(row["kind"], row["sets"]["own"]["labels"]) for row in rows] == [("trial", 1.0)]
    assert study("tune", systems=["xlgen-mcg"]) == []


def test_settings_in_the_name_of_a_system(capsys):
    assert generation.changed("clusters=100,order=random,held_out=0.1", {}) == {
        "clusters": 100, "order": "random", "held_out": 0.1,
    }  # fmt: skip
    found = generation.system_of("xlgen-mcg@epochs=3", "crs-bills-mini:200", {"denoise": 2})
    wanted = generation.SETTINGS["crs-bills-mini"] | {"system": "xlgen-mcg", "epochs": 3, "denoise": 2}
    assert found.settings == wanted and found.name == "xlgen-mcg@epochs=3"
    assert found.identity() != generation.system_of("xlgen-mcg", "crs-bills-mini:200", {}).identity()
    assert generation.system_of("xr-linear", "crs-bills-mini", {"denoise": 2}).settings == {"system": "xr-linear"}
    assert generation.system_of("xlgen-mcg@epoch=3", "crs-bills-mini", {}) is None
    assert "epoch" in capsys.readouterr().out


def test_proposals_need_a_kept_model(study, capsys):
    assert study("proposals") == []
    assert "small: no kept model of xlgen-base: call run first" in capsys.readouterr().out


def test_judgements_stay_when_proposals_are_added(tmp_path):
    path = tmp_path / "judged.json"
    documents = [{"text": "a", "proposals": [["x", 0.5], ["y", 0.2]]}]
    assert add_unjudged(documents, path) == 2
    rows = json.loads(path.read_text())
    rows[0]["judgement"] = "fits"
    path.write_text(json.dumps(rows))
    assert add_unjudged([*documents, {"text": "b", "proposals": [["x", 0.1]]}], path) == 2
    assert judgements(path) == {("a", "x"): "fits", ("a", "y"): "", ("b", "x"): ""}
    path.write_text(json.dumps([rows[0] | {"judgement": "great"}]))
    with pytest.raises(ValueError, match="'great', but must be one of fits, near, wrong"):
        judgements(path)


def test_the_kept_model_writes_labels_and_proposals_under_its_text_systems(matrices, tmp_path):
    """A real run of XLGen with a tiny encoder: training, rankings, own sets, true clusters, the kept model."""
    pytest.importorskip("torch", reason="needs the extra torch")
    from tiny_encoder import save_tiny_encoder

    names = [f"topic{topic}" for topic in range(TOPICS + 1)] + [f"also{topic}" for topic in range(TOPICS + 1)]
    words = [*names, *(f"word{topic}" for topic in range(TOPICS + 1))]
    encoder = save_tiny_encoder(tmp_path / "tiny", words, width=16, layers=1)
    settings = {"encoder": encoder, "epochs": 1, "max_target": 12, "max_tokens": 16, "held_out": 0.0, "clusters": 3}
    problem = problem_of(matrices, tests=10)
    system = generation.system_of("xlgen-bcl", "small", settings)
    found = problem.answers(system, TEST)
    assert found.top.labels.shape == (10, len(names))
    for kind in ("own", "upper"):
        assert found.sets(kind).shape == (10, len(names)) and found.sets(kind).nnz > 0
    assert {"greedy_wall_s", "weights", "model_bytes"} <= set(found.costs)
    assert not problem.model_home(system).exists()  # the base variant's model is kept
    base = generation.system_of("xlgen-base", "small", settings)
    assert problem.answers(base, TEST).sets("upper") is None
    row = generation_extras.proposal_row(problem, base)
    assert len(row["documents"]) == 20 and row["documents"][0]["true"]
    assert all({"labels", "proposals"} <= set(one) for one in row["documents"])
    trie = trie_row(names, encoder, 1)
    assert (trie["labels"], trie["nodes"], trie["tokens"]["longest"]) == (14, 15, 1)  # one token each, and the root


def test_each_half_of_the_held_out_documents_has_the_threshold_of_the_other(matrices, tmp_path):
    """Right labels score 0.9 in the first half and 0.5 in the last one, wrong ones 0.6 and 0.1."""
    problem = problem_of(matrices)
    truth = problem.truth(HELD_OUT)[0]
    n, half = truth.shape[0], truth.shape[0] // 2
    labels = np.full((n, 5), -1, np.int32)
    labels[:, :2] = truth.indices.reshape(-1, 2)
    labels[:, 2] = [min({*range(6)} - {*row}) for row in labels[:, :2].tolist()]
    scores = np.where(labels >= 0, 0.9, -np.inf).astype(np.float32)
    scores[:, 2] = 0.6
    scores[half:, :3] = 0.5, 0.5, 0.1
    np.savez(tmp_path / "held.npz", labels=labels, scores=scores, own=labels[:, :1])
    row = generation_measures.measured_in_halves(problem, Answered(tmp_path / "held.npz", truth.shape[1]))
    # the first half has the threshold 0.5 and keeps its wrong labels; the last one has 0.9 and keeps no label
    assert row["sets"]["micro threshold"]["micro F1"] == pytest.approx(100 * (4 / 5 + 0) / 2, abs=0.001)
    assert row["sets"]["micro threshold"]["labels"] == 1.5
    assert row["sets"]["own"]["micro F1"] == pytest.approx(100 * 2 / 3, abs=0.001)
    assert row["sets"]["own"]["1-shot F1"] is None and row["measures"]["P@1"] == 100.0
    np.savez(tmp_path / "tree.npz", labels=labels, scores=scores)
    tree = generation_measures.measured_in_halves(problem, Answered(tmp_path / "tree.npz", truth.shape[1]))
    assert list(tree["sets"]) == ["micro threshold", "macro threshold"]


def test_an_ensemble_keeps_as_many_labels_as_its_members(matrices, tmp_path, monkeypatch):
    answers = {}
    for name, first in (("one", 0), ("two", 60)):
        labels = np.full((3, 100), -1, np.int32)
        labels[:, :60] = np.arange(first, first + 60)
        scores = np.where(labels >= 0, np.linspace(1, 0.1, 100), -np.inf).astype(np.float32)
        np.savez(tmp_path / f"{name}.npz", labels=labels, scores=scores)
        answers[name] = Answered(tmp_path / f"{name}.npz", 120)
    monkeypatch.setattr(Problem, "answers", lambda problem, system, part: answers[system])
    monkeypatch.setattr(generation_join, "_quality", lambda problem, top: 1.0)
    found = generation_join.joined(problem_of(matrices), "one", "two")
    assert found.test.labels.shape == found.held.labels.shape == (3, 100)
    assert (found.test.labels >= 0).all()


def test_remedies_have_names():
    names = generation.with_remedies(["xr-linear", "remedies", "xlgen-base"])
    assert names[:4] == ["xr-linear", "xlgen-base", "xlgen-base@denoised", "xlgen-base@longer"]
    assert {"xlgen-bcl@fewer-clusters", "xlgen-mcg@more-clusters"} < set(names) and len(names) == 1 + 3 + 5 + 5
    found = generation.system_of("xlgen-mcg@denoised,longer,more-clusters", "crs-bills-mini", {})
    assert (found.settings["denoise"], found.settings["epochs"], found.settings["clusters"]) == (5, 40, 100)
    assert generation.system_of("xlgen-mcg@longer", "small", {}).settings["epochs"] == 20
    assert all(generation.system_of(name, "gutenberg-lcsh:100", {}) is not None for name in names)


def test_a_top_of_no_labels_is_measured(matrices):
    problem = problem_of(matrices)
    none = TopK(np.full((N, 20), -1, np.int32), np.full((N, 20), -np.inf, np.float32))
    held = TopK(none.labels[: N // 5], none.scores[: N // 5])
    sets = threshold_sets(problem, held, none)
    assert all(one.nnz == 0 for one in sets.values())
    assert measured(problem, TEST, none, {"own": sp.csr_matrix(problem.Y_test.shape)})["sets"]["own"]["micro F1"] == 0
