"""Coverage of bootstrap intervals, and detection of true differences by comparisons."""

import numpy as np
import pytest

from ramify import TopK
from ramify.evaluation import compare, evaluate
from ramify.evaluation.bootstrap import resamples


def sample(rng, n, chance, n_labels=10):
    """Documents with one true label each, found at rank 1 with the given chance."""
    true = rng.integers(n_labels, size=n)
    guess = np.where(rng.random(n) < chance, true, (true + 1) % n_labels)
    top = TopK(guess.astype(np.int32)[:, None], np.ones((n, 1), np.float32))
    return np.eye(n_labels)[true], top


def test_resamples_draw_as_many_documents_as_there_are_whatever_the_block():
    blocks = np.vstack(list(resamples(50, 300, seed=1)))
    assert blocks.shape == (300, 50)
    assert (blocks.sum(axis=1) == 50).all()
    assert blocks.mean(axis=0) == pytest.approx(np.ones(50), abs=0.3)
    assert blocks.var() == pytest.approx(1, abs=0.05)  # of a multinomial: 1 - 1/n
    assert np.array_equal(np.vstack(list(resamples(50, 130, seed=1))), blocks[:130])


def test_intervals_of_a_mean_have_the_width_that_theory_gives():
    Y, top = sample(np.random.default_rng(0), 2000, 0.3)
    report = evaluate(Y, top, ks=(1,), bootstrap=1000)
    low, high = report.intervals["P@1"]
    error = np.sqrt(report["P@1"] * (1 - report["P@1"]) / 2000)
    assert low == pytest.approx(report["P@1"] - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(report["P@1"] + 1.96 * error, abs=0.25 * error)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(100):
        Y, top = sample(rng, 150, 0.4)
        low, high = evaluate(Y, top, ks=(1,), bootstrap=200, seed=trial).intervals["P@1"]
        covered += low <= 0.4 <= high
    assert 88 <= covered <= 100


def test_intervals_of_measures_over_labels_hold_the_measured_value():
    rng = np.random.default_rng(2)
    Y, top = sample(rng, 300, 0.3, n_labels=150)  # two documents per label: resamples lose many
    report = evaluate(Y, top, Y_train=Y, ks=(1,), bootstrap=300)
    for name in ("macroF1@1", "Coverage@1", "tail/macroF1@1", "tail/Coverage@1"):
        low, high = report.intervals[name]
        assert low < report[name] < high


def test_the_seed_decides_the_resamples():
    Y, top = sample(np.random.default_rng(3), 200, 0.5)
    first = evaluate(Y, top, ks=(1,), bootstrap=50, seed=1).intervals
    assert first == evaluate(Y, top, ks=(1,), bootstrap=50, seed=1).intervals
    assert first != evaluate(Y, top, ks=(1,), bootstrap=50, seed=2).intervals


def test_a_real_difference_is_significant_and_luck_is_not():
    rng = np.random.default_rng(4)
    Y, worse = sample(rng, 1000, 0.3)
    true = Y.argmax(axis=1).astype(np.int32)[:, None]
    lift = rng.random((1000, 1)) < 0.1
    better = TopK(np.where(lift, true, worse.labels), worse.scores)
    found = compare(Y, worse, better, ks=(1,), bootstrap=500)["P@1"]
    assert found.significant
    assert 0 < found.low <= found.difference <= found.high
    assert found.p == pytest.approx(2 / 501)  # the least that 500 resamples can show
    mirrored = compare(Y, better, worse, ks=(1,), bootstrap=500)["P@1"]
    assert (mirrored.difference, mirrored.p) == (-found.difference, found.p)

    swapped = worse.labels.copy()
    right, wrong = np.flatnonzero(worse.labels == true), np.flatnonzero(worse.labels != true)
    swapped[right[:50], 0] = (true[right[:50], 0] + 1) % 10
    swapped[wrong[:55]] = true[wrong[:55]]
    luck = compare(Y, worse, TopK(swapped, worse.scores), ks=(1,), bootstrap=500)["P@1"]
    assert luck.difference == pytest.approx(0.005)
    assert luck.p > 0.3
    assert not luck.significant


def test_false_alarms_are_about_as_rare_as_promised():
    rng = np.random.default_rng(11)
    alarms = 0
    for trial in range(100):
        Y, first = sample(rng, 150, 0.5)
        true = Y.argmax(axis=1)
        guess = np.where(rng.random(150) < 0.5, true, (true + 1) % 10).astype(np.int32)[:, None]
        found = compare(Y, first, TopK(guess, first.scores), ks=(1,), bootstrap=200, seed=trial)
        alarms += found["P@1"].significant
    assert alarms <= 12
