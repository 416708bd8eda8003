"""Peers' settings are chosen on held-out parts of the training data, within a budget, and raced only when complete."""

import gzip
import json
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import peers
from racing import systems, track, trials
from racing.grids import DEFAULTS, GRIDS, SCORED, TRAININGS, Grid, Tried
from racing.held_out import parsed, quality, sampled, split
from racing.matrices import Matrices, read_held_back
from racing.peer_tables import peer_section
from racing.rows import read_rows
from racing.runner import Limits
from racing.sets import HELD_BACK, RACE, HeldBack


def trial(settings, value, *, number=0, **changes):
    row = {"kind": "trial", "system": "omikuji", "dataset": "gutenberg-lcsh", "matrices": "m", "split": number}
    row |= {"settings": settings, "measures": {"P@1": value, "P@3": value, "P@5": value, "PSP@1": 0.0}}
    return row | changes


def winner(rows, grid="omikuji", dataset="gutenberg-lcsh", matrices="m"):
    return Tried(grid, dataset, matrices, rows).winner()


def c(value):
    return {"linear_c": value}


TRIALS = [trial(c(0.5), 50.0), trial(c(1.0), 51.0), trial(c(2.0), 49.0)]


def test_the_best_mean_quality_wins():
    assert winner(TRIALS) == c(1.0)
    assert winner([*TRIALS, trial(c(2.0), 51.0)]) == c(1.0)  # equal: the one tried first
    assert winner([*TRIALS, trial(c(2.0), 51.0), trial(c(1.0), 40.0)]) is None  # the last row of a trial counts


@pytest.mark.parametrize(("edge", "beyond"), [(0.5, 0.25), (2.0, 4.0)])
def test_one_step_beyond_the_edge_is_tried(edge, beyond):
    rows = [*TRIALS, trial(c(edge), 60.0)]
    assert Tried("omikuji", "gutenberg-lcsh", "m", rows).settings()[3:] == [c(beyond)]
    assert winner(rows) is None
    assert winner([*rows, trial(c(beyond), 59.0)]) == c(edge)
    assert winner([*rows, trial(c(beyond), 61.0)]) == c(beyond)


def test_the_step_beyond_keeps_the_best_other_settings_and_is_scored_in_every_way():
    best = {"negatives": "tfn+man", "C": 2.0, "post_processor": "noop"}
    found = GRIDS["libpecos"].beyond(best)
    assert found == [best | {"C": 4.0, "post_processor": name} for name in ("l3-hinge", "noop")]
    assert GRIDS["libpecos"].models(found) == [found]
    assert GRIDS["libpecos"].beyond(best | {"C": 1.0}) == []


def test_the_mean_over_all_held_out_parts_counts():
    rows = [trial(c(cost), 50.0, number=part, dataset="bibtex") for cost in (0.5, 1.0, 2.0) for part in range(3)]
    rows += [trial(c(1.0), 60.0, number=0, dataset="bibtex")]
    assert winner(rows, dataset="bibtex") == c(1.0)
    rows += [trial(c(1.0), 44.0, number=part, dataset="bibtex") for part in (1, 2)]
    assert winner(rows, dataset="bibtex") is None  # 0.5 is the best and has an edge
    assert winner(rows[:-1], dataset="bibtex") == c(1.0)


@pytest.mark.parametrize("change", [{"matrices": "other"}, {"dataset": "other"}, {"system": "other"}, {"split": 1}])
def test_incomplete_trials_have_no_winner(change):
    assert winner([*TRIALS[1:], TRIALS[0] | change]) is None


def test_a_setting_that_failed_is_out():
    failed = {name: value for name, value in TRIALS[0].items() if name != "measures"} | {"failed": "too slow"}
    assert winner([failed, *TRIALS[1:]]) == c(1.0)
    everything = [failed | {"settings": row["settings"]} for row in TRIALS]
    assert winner(everything) is None


def test_the_page_shows_the_choice_beside_the_defaults():
    rows = [row | {"amount": 40000} for row in TRIALS]
    for cost in (0.5, 1.0, 2.0, 4.0):
        rows += [
            trial({"C": cost}, 50.0 + cost, dataset="bibtex", system="scikit-learn", number=part, amount=None)
            for part in range(3)
        ]
    page = peer_section(rows)
    assert "| gutenberg-lcsh | omikuji | linear_c 1.0 | 51.00 | 51.00 | 3 | 1 | 40,000 |" in page
    assert "| bibtex | scikit-learn | C 4.0 | 54.00 | 51.00 | 4 | 3 | – |" in page
    assert page.index("| bibtex") < page.index("| gutenberg-lcsh")
    assert peer_section(TRIALS[1:]) == peer_section([]) == ""


def test_every_grid_keeps_the_budget():
    for name, grid in GRIDS.items():
        assert DEFAULTS[name] in grid.settings()
        assert len(grid.models(grid.settings())) == len(grid.trainings) < TRAININGS
        assert len(grid.settings()) + len(grid.scorings) <= SCORED
    with pytest.raises(ValueError, match="at most"):
        Grid("C", tuple({"C": float(number)} for number in range(TRAININGS + 1)))


def test_quality_is_the_mean_precision():
    assert quality({"P@1": 3.0, "P@3": 2.0, "P@5": 1.0, "PSP@1": 90.0}) == 2.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bibtex", ("bibtex", None)), ("a:0.2", ("a", 0.2)), ("a-b:40000", ("a-b", 40000.0))],
)
def test_amounts_are_parsed(name, expected):
    assert parsed(name) == expected


@pytest.mark.parametrize("name", ["a:", "a:b", "a:0", "a:-1", "a:nan"])
def test_an_amount_that_is_no_number_is_refused(name):
    with pytest.raises(ValueError, match=f'"{name}": the amount'):
        parsed(name)


@pytest.mark.parametrize(("amount", "size"), [(None, 50), (1.0, 50), (0.2, 10), (7, 7), (90, 50)])
def test_a_sample_is_the_same_every_time(amount, size):
    X = sp.csr_matrix(np.arange(1, 51, dtype=np.float32)[:, None])
    found, labels = sampled(X, X, amount)
    assert found.shape == labels.shape == (size, 1)
    assert (found != labels).nnz == 0
    assert (np.diff(found.toarray().ravel()) > 0).all()  # in their order
    assert (sampled(X, X, amount)[0] != found).nnz == 0


SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np, scipy.sparse as sp
task, matrices, work, threads, seed, settings = sys.argv[1:]
work, settings = Path(work), json.loads(settings)
if settings["C"] == 0.5 and task == "train": sys.exit("no luck today")
if task == "train":
    (work / "trained").write_text("x")
    (work / "costs.json").write_text(json.dumps({"train_cpu_s": 1.234567}))
else:
    assert (work / "trained").exists()
    Y = sp.load_npz(Path(matrices) / "Y_test.npz").toarray()
    scores = Y * (1 if settings["score"] == "right" else -1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10].astype(np.int32)
    np.savez(work / "top.npz", labels=order, scores=np.take_along_axis(scores, order, 1))
    (work / "costs.json").write_text("{}")
"""


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """A peer with 3 trainings of 2 scorings on a small set: ``tuned()`` runs its trials and returns the rows."""
    rng = np.random.default_rng(0)
    Y = sp.csr_matrix((rng.random((60, 12)) < 0.2).astype(np.float32))
    for name in ("X", "Y"):
        sp.save_npz(tmp_path / f"{name}.npz", Y)
    script = tmp_path / "peer.py"
    script.write_text(SCRIPT)
    matrices = Matrices("small", tmp_path, "print", {})
    peer = systems.System("peer", str(script), "1", None)
    grid = Grid("C", tuple({"C": cost} for cost in (0.5, 1.0, 2.0)), ({"score": "wrong"}, {"score": "right"}))
    monkeypatch.setitem(GRIDS, "peer", grid)
    monkeypatch.setattr(peers, "all_systems", lambda: {"peer": peer})
    monkeypatch.setattr(systems.System, "ours", property(lambda self: False))
    monkeypatch.setattr(systems.System, "python", lambda self: sys.executable)
    for module in (peers, systems):
        monkeypatch.setattr(module, "TRIALS", tmp_path / "trials.jsonl")
    monkeypatch.setattr(trials, "CACHE", tmp_path)

    def run():
        peers.tune(matrices, "peer", 1, Limits(60.0, 1 << 40))
        assert not list(tmp_path.glob("run-*"))
        return read_rows(tmp_path / "trials.jsonl")

    run.system, run.matrices = replace(peer, name="peer-tuned", settings={"trees": 3}, grid="peer"), matrices
    return run


def test_trials_leave_rows_and_are_skipped_next_time(tuned):
    rows = tuned()
    assert [row["settings"] for row in rows] == GRIDS["peer"].settings()
    assert [bool(row.get("failed")) for row in rows] == [True, True, False, False, False, False]
    assert rows[2]["train_cpu_s"] == 1.2346
    assert rows[3]["measures"]["P@1"] > rows[2]["measures"]["P@1"]
    assert tuned() == rows


def test_trials_do_not_read_the_test_documents(tuned):
    """There is no X_test.npz: the held-out part of the training data takes its place."""
    tuned()
    (folder,) = tuned.matrices.folder.glob("held-out-*")
    X, _, X_held, Y_held = split(tuned.matrices.X, tuned.matrices.Y, 0)
    assert (sp.load_npz(folder / "X.npz") != X).nnz == 0
    assert (sp.load_npz(folder / "X_test.npz") != X_held).nnz == 0
    assert (sp.load_npz(folder / "Y_test.npz") != Y_held).nnz == 0


def test_a_tuned_peer_races_with_the_winner(tuned):
    assert tuned.system.on("small", "print") is None
    tuned()
    ready = tuned.system.on("small", "print")
    assert ready.settings == {"trees": 3, "C": 1.0, "score": "right"}
    assert ready.identity() != replace(ready, settings={"trees": 3}).identity()
    assert tuned.system.on("small", "other matrices") is None


def test_a_peer_without_complete_trials_is_left_out_of_the_race(tuned, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(track, "prepare", lambda dataset, data: tuned.matrices)
    race = track.Race(data=tmp_path, runs=1, threads=1, limits=Limits(60.0, 1 << 40), rows=tmp_path / "race.jsonl")
    track.run_race(race, ["small"], [tuned.system])
    assert read_rows(tmp_path / "race.jsonl") == []
    assert "no complete trials of peer-tuned; benchmarks/peers.py runs them" in capsys.readouterr().out


def test_a_held_back_set_trains_on_odd_documents_with_labels_of_some_ranks(tmp_path):
    """Columns are single words, and documents without a label of these ranks are left out."""
    (tmp_path / "source").mkdir()
    labels = ["rare" if number % 10 == 0 else f"label{number % 3}" for number in range(200)]
    texts = {
        name: [f"word{number % 7} other{number % 5} {name}" for number in range(200)] for name in ("train", "test")
    }
    for name, content in texts.items():
        with gzip.open(tmp_path / "source" / f"{name}.jsonl.gz", "wt") as file:
            for text, label in zip(content, labels, strict=True):
                file.write(json.dumps({"text": text, "labels": ["most", label]}) + "\n")
    X, Y, X_test, Y_test = read_held_back(HeldBack("source", range(1, 4)), tmp_path)
    kept = [number for number in range(200) if labels[number] != "rare"]
    odd = [number for number in kept if zlib.crc32(texts["train"][number].encode()) % 2 == 1]
    assert 0 < len(odd) < len(kept)
    assert X.shape == (len(odd), X_test.shape[1])
    assert X.shape[1] <= 7 + 5 + 1
    assert X_test.shape[0] == Y_test.shape[0] == len(kept)
    assert Y.shape[1] == Y_test.shape[1] == 3
    for matrix in (Y, Y_test):
        assert (np.diff(matrix.indptr) == 1).all()


def test_held_back_sets_are_not_among_the_sets_of_the_race():
    assert not set(HELD_BACK) & set(RACE)
