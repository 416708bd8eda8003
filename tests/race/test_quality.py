"""The race's intervals and pairs are those of ramify's evaluate and compare."""

import numpy as np
import pytest
import scipy.sparse as sp

from racing import quality
from racing.matrices import Matrices
from racing.quality import MEASURES, Answers, measures, paired, read_answers
from ramify import TopK, compare, evaluate

RESAMPLES = 100


@pytest.fixture
def race(tmp_path, monkeypatch):
    """A data set and three systems' answers: (Matrices, tops, judged answers)."""
    rng = np.random.default_rng(0)
    Y, Y_test = (sp.random(n, 30, 0.1, "csr", np.float32, rng, np.ones) for n in (80, 60))
    for name, matrix in (("Y", Y), ("Y_test", Y_test)):
        sp.save_npz(tmp_path / f"{name}.npz", matrix)
    matrices = Matrices("small", tmp_path, "print", {})
    tops = []
    for number in range(3):
        labels = np.argsort(rng.random((60, 30)) - 0.3 * Y_test.toarray(), axis=1)[:, :10].astype(np.int32)
        scores = np.tile(np.linspace(1, 0, 10, dtype=np.float32), (60, 1))
        np.savez(tmp_path / f"{number}.npz", labels=labels, scores=scores)
        tops.append(TopK(labels, scores))
    monkeypatch.setattr(quality, "RESAMPLES", RESAMPLES)
    return matrices, tops, [read_answers(matrices, tmp_path / f"{number}.npz") for number in range(3)]


def test_intervals_are_those_of_evaluate(race):
    matrices, (top, *_), (answers, *_) = race
    report = evaluate(matrices.Y_test, top, Y_train=matrices.Y, bootstrap=RESAMPLES)
    found = measures(answers)
    for name in MEASURES:
        assert found[name] == pytest.approx([100 * x for x in (report[name], *report.intervals[name])], abs=0.001)


def test_pairs_are_those_of_compare(race):
    matrices, (a, b, _), (peer, own, _) = race
    expected = compare(matrices.Y_test, a, b, Y_train=matrices.Y, bootstrap=RESAMPLES)
    found = paired([peer], [own])
    for name in MEASURES:
        one = expected[name]
        assert found[name][:3] == pytest.approx([100 * x for x in (one.difference, one.low, one.high)], abs=0.001)
        assert found[name][3] == pytest.approx(one.p, abs=1e-4)


def test_runs_are_averaged(race):
    _, _, (a, b, c) = race
    both, one, other = paired([a], [b, c]), paired([a], [b]), paired([a], [c])
    for name in MEASURES:
        assert both[name][0] == pytest.approx((one[name][0] + other[name][0]) / 2, abs=0.002)


def test_a_repeated_run_adds_no_spread(race):
    _, _, (a, b, _) = race
    assert paired([a, a], [b, b, b]) == paired([a], [b])


def made_up(rng, seed_spread, runs=3, documents=300):
    """Runs of a system with quality 50% and this standard deviation between seeds, as judged answers."""
    shift = rng.normal(0, seed_spread, (runs, 1, 1))
    hits = np.broadcast_to(rng.random((documents, 1)) < 0.5, (documents, len(MEASURES)))
    return [Answers(hits + one, np.ones(hits.shape)) for one in shift]


@pytest.mark.parametrize("seed_spread", [0.0, 0.08])
def test_differences_have_the_variance_of_documents_and_seeds(seed_spread, monkeypatch):
    """The mean width over many experiments is that of a normal interval with the true variance."""
    monkeypatch.setattr(quality, "RESAMPLES", 200)
    rng = np.random.default_rng(0)
    found = [paired(made_up(rng, seed_spread), made_up(rng, seed_spread))["P@1"] for _ in range(150)]
    variance = 2 * 0.25 / 300 + 2 * seed_spread**2 / 3
    widths = [(high - low) / 100 for _, low, high, _ in found]
    assert np.sqrt(np.mean(np.square(widths))) == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.1)
    covered = np.mean([low <= 0 <= high for _, low, high, _ in found])
    assert covered > 0.85
    if seed_spread:
        fixed = 2 * 1.96 * np.sqrt(2 * 0.25 / 300)  # documents alone
        assert np.mean([abs(difference) / 100 < fixed / 2 for difference, *_ in found]) < covered - 0.15


def test_runs_in_pairs_share_their_seeds(monkeypatch):
    """What both runs of a pair have in common cancels, in the interval as in the difference."""
    monkeypatch.setattr(quality, "RESAMPLES", 200)
    runs = made_up(np.random.default_rng(0), 0.1)
    better = [Answers(one.numerators + 0.01, one.denominators) for one in runs]
    difference, low, high, _ = paired(runs, better, runs_in_pairs=True)["P@1"]
    assert (difference, low, high) == pytest.approx((1.0, 1.0, 1.0), abs=0.001)
    assert paired(runs, better)["P@1"][1] < 0
    with pytest.raises(ValueError, match="equally many"):
        paired(runs[:2], better, runs_in_pairs=True)
