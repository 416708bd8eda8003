"""Systems on texts: settings chosen on held-out documents, second seeds, ensembles of kept answers."""

import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from race_tools import run_row

import transformer_models
from contestants.taggers import TAGGERS
from racing import quality, text_systems
from racing.ensembles import merged
from racing.matrices import Matrices
from racing.rows import add_row, read_rows
from racing.systems import System
from racing.text_systems import LIBPECOS, chosen_settings, names, on, text_system
from racing.track import top_path
from ramify import Ensemble, TopK, XRLinear

N, N_LABELS = 60, 12


def trial(value, *, split=0, **settings):
    row = {"kind": "trial", "dataset": "small", "matrices": "m", "system": "frozen", "split": split}
    return row | {"settings": settings, "measures": dict.fromkeys(("P@1", "P@3", "P@5"), value)}


def choice(*rows, system="frozen", matrices="m"):
    return chosen_settings(rows, "small", matrices, system)


def test_the_settings_with_the_best_mean_are_chosen():
    rows = [trial(50.0), trial(52.0, dense_weight=1.0), trial(51.0, dense_weight=0.3)]
    assert choice(*rows) == {"dense_weight": 1.0}
    assert choice(*rows, trial(49.0, dense_weight=1.0)) == {"dense_weight": 0.3}  # the last row of a trial counts
    assert choice(*rows, trial(99.0, dense_weight=2.0) | {"failed": "why"}) == {"dense_weight": 1.0}
    assert choice(*rows, trial(40.0, split=1)) == {}  # only the defaults were tried on both parts
    assert choice(*rows, matrices="other") == choice(*rows, system="static") == choice() == {}


def test_settings_of_a_system_win_over_the_chosen_ones():
    system = System("frozen@50", "run.py", "1", settings={"steps": 50})
    found = on(system, "small", "m", [trial(50.0, steps=300, learning_rate=1e-4)])
    assert found.settings == {"steps": 50, "learning_rate": 1e-4}


def test_a_system_with_a_number_of_steps():
    assert text_system(f"{LIBPECOS.name}@50") == replace(LIBPECOS, name=f"{LIBPECOS.name}@50", settings={"steps": 50})


def test_a_row_stays_valid_for_its_settings_with_the_defaults():
    one = text_system("xr-linear")
    assert one.ours and one.identity() == text_system("xr-linear").identity()
    assert one.identity() != replace(one, settings=one.settings | {"beam": 5}).identity()


@pytest.mark.parametrize("name", ["xr-linear", "best", "best, second"])
def test_taggers_have_their_seeds_and_threads(name):
    tagger = TAGGERS[name](3, 2, {})
    assert tagger.model.threads == tagger.vectorizer.threads == 2
    assert tagger.model.seed == {"xr-linear": 3, "best": 300, "best, second": 5300}[name]
    assert set(names()) == {*TAGGERS, LIBPECOS.name}


@pytest.fixture
def members(tmp_path):
    """Kept answers of two fitted models, and the features that they answered."""
    rng = np.random.default_rng(0)
    X = sp.random(N, 20, 0.3, format="csr", dtype=np.float32, random_state=0)
    Y = sp.csr_matrix((rng.random((N, N_LABELS)) < 0.3).astype(np.float32))
    models = [XRLinear(seed=seed, threads=1).fit(X[: N // (1 + seed)], Y[: N // (1 + seed)]) for seed in range(2)]
    paths = []
    for number, model in enumerate(models):
        top = model.predict_topk(X, N_LABELS)
        paths.append(tmp_path / f"{number}.npz")
        np.savez(paths[-1], labels=top.labels, scores=top.scores)
    return models, paths, X


@pytest.mark.parametrize("combine", ["average", "rank", "softmax", "sigmoid"])
def test_kept_answers_are_merged_as_an_ensemble_does(members, combine):
    models, paths, X = members
    expected = Ensemble.of(models, combine=combine)
    expected.candidates = N_LABELS
    top, found = expected.predict_topk(X, 10), merged(paths, combine)
    assert np.array_equal(top.labels, found.labels)
    assert np.allclose(top.scores, found.scores)


@pytest.fixture
def race(tmp_path, monkeypatch):
    """``race(systems, minutes)`` runs fake systems, whose runs take so long, and returns the rows."""
    Y = sp.csr_matrix(np.eye(N_LABELS, dtype=np.float32))
    for name in ("X", "Y", "X_test", "Y_test"):
        sp.save_npz(tmp_path / f"{name}.npz", Y)
    matrices = Matrices("small", tmp_path, "m", {})
    (tmp_path / "top").mkdir()
    minutes = {}
    for module in (transformer_models, text_systems):
        monkeypatch.setattr(module, "ENCODERS", tmp_path / "rows.jsonl")
        monkeypatch.setattr(module, "ENCODER_TRIALS", tmp_path / "trials.jsonl")
    monkeypatch.setattr(transformer_models, "machine", lambda: "here")
    monkeypatch.setattr(quality, "RESAMPLES", 20)

    def take_turn(race, matrices, system, number):
        row = run_row(system.name, number, dataset="small", machine="here", matrices="m")
        row |= {"identity": "id", "train_wall_s": 60.0 * minutes["each"]}
        first = [1, 0, 2] if system.name == "best" else [0, 2, 1]
        labels = (np.arange(N_LABELS)[:, None] + [*first, *range(3, 10)]) % N_LABELS
        scores = np.tile(np.arange(10, 0, -1, dtype=np.float32), (N_LABELS, 1))
        np.savez(top_path(matrices, system.name, "id", number), labels=labels.astype(np.int32), scores=scores)
        known = [(one["system"], one.get("run")) for one in read_rows(race.rows)]
        if (system.name, number) not in known:
            add_row(race.rows, row)

    monkeypatch.setattr(transformer_models, "take_turn", take_turn)

    def run(names, each):
        minutes["each"] = each
        chosen = Namespace(data=tmp_path, runs=2, threads=2, limit=1.0, memory=1.0)
        transformer_models.run(matrices, [System(name, "run.py", "1") for name in names], chosen)
        return read_rows(tmp_path / "rows.jsonl")

    return run


def test_only_short_runs_have_a_second_seed(race):
    race(["xr-linear"], 19)
    found = [(row["system"], row["run"]) for row in race(["flat-transformer"], 21)]
    assert found == [("xr-linear", 1), ("xr-linear", 2), ("flat-transformer", 1)]


def test_ensembles_are_made_of_answers_and_compared_with_their_members(race, tmp_path):
    names = ["best", "xr-transformer"]
    rows = race(names, 1)
    ensembles = [row for row in rows if row["system"] == "best + xr-transformer" and row["kind"] == "run"]
    assert [row["run"] for row in ensembles] == [1, 2]
    assert ensembles[0]["train_cpu_s"] == 2.0  # the sum of its members
    assert ensembles[0]["settings"]["combine"] == "rank"
    assert ensembles[0]["measures"]["P@1"][0] == 100.0  # "best" alone has 0
    pairs = {(row["system"], row["peer"]) for row in rows if row["kind"] == "paired"}
    assert pairs == {("xr-transformer", "best"), *(("best + xr-transformer", name) for name in names)}
    assert race(names, 1) == rows  # nothing is done again


def test_the_rule_of_merging_is_that_of_the_trials(race, tmp_path):
    for combine, value in (("average", 40.0), ("softmax", 60.0)):
        row = trial(value, combine=combine) | {"system": "best + xr-transformer"}
        add_row(tmp_path / "trials.jsonl", row)
    rows = race(["best", "xr-transformer"], 1)
    runs = [row for row in rows if row["kind"] == "run" and row["system"] == "best + xr-transformer"]
    assert [row["settings"]["combine"] for row in runs] == ["softmax", "softmax"]


def test_trials_of_ensembles_are_made_of_the_kept_answers_of_their_members(tmp_path, monkeypatch):
    Y = sp.csr_matrix(np.eye(N_LABELS, dtype=np.float32))
    for name in ("Y", "Y_test"):
        sp.save_npz(tmp_path / f"{name}.npz", Y)
    monkeypatch.setattr(transformer_models, "ENCODER_TRIALS", tmp_path / "trials.jsonl")
    (tmp_path / "top").mkdir()
    shared = {"kind": "trial", "dataset": "small", "matrices": "m", "split": 0, "system": "best + xr-transformer"}
    part = Matrices("small", tmp_path, "part", {})
    for name in ("best", "xr-transformer"):
        transformer_models._try_ensemble(shared, part, ("best", "xr-transformer"))
        assert len(read_rows(tmp_path / "trials.jsonl")) == (0 if name == "best" else 1)  # not before both are there
        add_row(tmp_path / "trials.jsonl", trial(50.0, system=name) | {"system": name, "identity": f"{name} id"})
        top = TopK(np.tile(np.arange(10, dtype=np.int32), (N_LABELS, 1)), np.ones((N_LABELS, 10), np.float32))
        np.savez(tmp_path / "top" / f"{name}-{name} id-m-0.npz", labels=top.labels, scores=top.scores)
    for _ in range(2):
        transformer_models._try_ensemble(shared, part, ("best", "xr-transformer"))
    rows = [row for row in read_rows(tmp_path / "trials.jsonl") if row["system"] == shared["system"]]
    assert [row["settings"]["combine"] for row in rows] == ["average", "rank", "softmax", "sigmoid"]
    assert json.loads(json.dumps(rows[0]["models"])) == [{"system": "best"}, {"system": "xr-transformer"}]


def test_a_long_call_is_not_repeated(monkeypatch):
    contest = pytest.importorskip("contestants.contest")
    calls = []

    class Slow:
        def batch(self, model, X, setup):
            return lambda: calls.append(1)

    for patience, most in ((0.0, 1), (60.0, 100_000)):
        calls.clear()
        monkeypatch.setattr(contest, "PATIENCE_S", patience)
        monkeypatch.setattr(contest, "LEAST_S", 0.0)
        contest.measure_batch(Slow(), None, None, None)
        assert len(calls) == (1 if most == 1 else 4)


def test_what_is_installed_first_is_installed_apart(tmp_path, monkeypatch):
    from racing import environments

    calls = []
    monkeypatch.setattr(environments, "HERE", tmp_path)
    monkeypatch.setattr(environments, "_run", calls.append)
    environment = environments.Environment("peer", first=("torch==1",), bare=("peer==2",), requirements=("numpy",))
    environment.folder.mkdir()
    environment.ensure()
    assert [call[-1] for call in calls[1:]] == ["torch==1", "peer==2", "numpy"]
    assert [("--no-deps" in call) for call in calls[1:]] == [False, True, False]
    environment.ensure()
    assert len(calls) == 4
