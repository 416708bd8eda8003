"""The race's intervals and pairs are those of ramify's evaluate and compare."""

import numpy as np
import pytest
import scipy.sparse as sp

from racing import quality
from racing.matrices import Matrices
from racing.quality import MEASURES, measures, paired, read_answers
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
        assert both[name][2] - both[name][1] <= max(part[name][2] - part[name][1] for part in (one, other)) + 0.01
