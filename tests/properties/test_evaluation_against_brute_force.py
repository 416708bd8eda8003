"""Every measure against plain loops over sets, and the laws that measures keep."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, ndcg_score

from ramify import TopK
from ramify.evaluation import EvaluationConfig, compare, evaluate, evaluate_with, label_buckets, top_k

KS = (1, 2, 4)


def ranked(rows):
    labels = np.array(rows, np.int32)
    scores = np.where(labels >= 0, np.linspace(1, 0.1, labels.shape[1]), -np.inf).astype(np.float32)
    return TopK(labels, scores)


@st.composite
def problems(draw, n_labels=7, k=4):
    """(Y_test, TopK, Y_train) with at least one true label."""
    n = draw(st.integers(1, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    density = draw(st.sampled_from([0.1, 0.3, 0.8]))
    Y = (rng.random((n, n_labels)) < density).astype(np.float32)
    Y[rng.integers(n), rng.integers(n_labels)] = 1
    rows = []
    for _ in range(n):
        length = rng.integers(0, k + 1)
        rows.append([*rng.permutation(n_labels)[:length], *[-1] * (k - length)])
    Y_train = (rng.random((draw(st.integers(1, 40)), n_labels)) < rng.random(n_labels) ** 2).astype(np.float32)
    return Y, ranked(rows), Y_train


def weights_of(Y_train):
    n, Y_train = len(Y_train), Y_train.astype(int)
    constant = max(math.log(n) - 1, 0) * 2.5**0.55
    return [1 + constant / (int(sum(row[label] for row in Y_train)) + 1.5) ** 0.55 for label in range(Y_train.shape[1])]


def brute_force(Y, top, weights, bucket, k):
    """All measures at k of one bucket (a set of labels), document by document."""
    sums = dict.fromkeys(("P", "R", "nDCG", "Hit", "PSP", "PSP best", "PSnDCG", "PSnDCG best"), 0.0)
    right, predicted, true, n = {}, {}, {}, 0
    for row, guesses in zip(Y, top.labels, strict=True):
        every_true = {label for label in range(len(row)) if row[label]}
        if not every_true:
            continue
        truth = every_true & bucket
        for label in truth:
            true[label] = true.get(label, 0) + 1
        gained = discounted = scored = scored_discounted = 0.0
        for rank, label in enumerate(guesses[:k], start=1):
            if label in bucket:
                predicted[label] = predicted.get(label, 0) + 1
            if label in truth:
                right[label] = right.get(label, 0) + 1
                gained += 1
                discounted += 1 / math.log2(rank + 1)
                scored += weights[label]
                scored_discounted += weights[label] / math.log2(rank + 1)
        if not truth:
            continue
        n += 1
        best = sorted((weights[label] for label in truth), reverse=True)[:k]
        sums["P"] += gained / k
        sums["R"] += gained / len(truth)
        sums["Hit"] += gained > 0
        sums["nDCG"] += discounted / sum(1 / math.log2(rank + 1) for rank in range(1, len(best) + 1))
        sums["PSP"] += scored
        sums["PSP best"] += sum(best)
        sums["PSnDCG"] += scored_discounted
        sums["PSnDCG best"] += sum(weight / math.log2(rank + 1) for rank, weight in enumerate(best, start=1))
    measures = {name: sums[name] / n if n else math.nan for name in ("P", "R", "nDCG", "Hit")}
    for name in ("PSP", "PSnDCG"):
        measures[name] = sums[name] / sums[name + " best"] if n else math.nan
    total = sum(predicted.values()) + sum(true.values())
    measures["microF1"] = 2 * sum(right.values()) / total if total else math.nan
    each = [2 * right.get(label, 0) / (predicted.get(label, 0) + true[label]) for label in true]
    measures["macroF1"] = sum(each) / len(each) if each else math.nan
    measures["Coverage"] = sum(label in right for label in true) / len(true) if true else math.nan
    return measures


@settings(max_examples=150, deadline=None)
@given(problems())
def test_every_measure_of_every_bucket_equals_plain_loops(problem):
    Y, top, Y_train = problem
    report = evaluate(Y, top, Y_train=Y_train, ks=KS)
    weights = weights_of(Y_train)
    masks = label_buckets(Y_train.sum(axis=0).astype(int))
    buckets = {"": set(range(Y.shape[1])), **{name: set(np.flatnonzero(mask)) for name, mask in masks.items()}}
    checked = 0
    for name, bucket in buckets.items():
        for k in KS:
            for family, expected in brute_force(Y, top, weights, bucket, k).items():
                found = report[f"{name}/{family}@{k}" if name else f"{family}@{k}"]
                assert found == pytest.approx(expected, abs=1e-12, nan_ok=True), (name, family, k)
                checked += 1
    assert checked == len(report.values)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 2**32 - 1))
def test_values_are_bounded_monotone_and_blind_to_the_order_of_documents(problem, seed):
    Y, top, Y_train = problem
    report = evaluate(Y, top, Y_train=Y_train, ks=KS)
    assert all(math.isnan(value) or 0 <= value <= 1 for value in report.values.values())
    for rising in ("R", "Hit", "Coverage"):
        values = [report[f"{rising}@{k}"] for k in KS]
        assert values == sorted(values)
    order = np.random.default_rng(seed).permutation(len(Y))
    again = evaluate(Y[order], TopK(top.labels[order], top.scores[order]), Y_train=Y_train[::-1], ks=KS)
    assert again.values == pytest.approx(report.values, abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_true_labels_by_weight_are_perfect(problem):
    Y, _, Y_train = problem
    weights = np.array(weights_of(Y_train))
    report = evaluate(Y, top_k(np.where(Y > 0, weights, -np.inf), 7), Y_train=Y_train, ks=(1, 3, 7))
    for family in ("nDCG", "PSP", "PSnDCG", "Hit"):
        assert [report[f"{family}@{k}"] for k in (1, 3, 7)] == pytest.approx([1, 1, 1], abs=1e-12)
    for family in ("R", "microF1", "macroF1", "Coverage"):
        assert report[f"{family}@7"] == 1


@settings(max_examples=40, deadline=None)
@given(problems())
def test_values_per_document_explain_the_measure(problem):
    Y, top, Y_train = problem
    report = evaluate(Y, top, Y_train=Y_train, ks=KS)
    labelled = Y.any(axis=1)
    for name in ("P@4", "nDCG@2", "R@4", "Hit@1"):
        values = report.per_document(name)
        assert np.array_equal(~np.isnan(values), labelled)
        assert np.nanmean(values) == pytest.approx(report[name])
    for name in ("PSP@2", "PSnDCG@4", "microF1@4", "tail/PSP@4", "head/P@1"):
        numerators, denominators = report.contributions(name)
        assert len(numerators) == len(Y)
        if denominators.any():
            assert numerators.sum() / denominators.sum() == pytest.approx(report[name])


def test_ndcg_and_f1_agree_with_scikit_learn():
    rng = np.random.default_rng(5)
    Y = (rng.random((60, 12)) < 0.2).astype(int)
    Y[:, 0] |= ~Y.any(axis=1)
    scores = rng.random((60, 12))
    report = evaluate(Y, top_k(scores, 5), ks=(5,))
    taken = np.zeros_like(Y)
    np.put_along_axis(taken, np.argsort(-scores, axis=1)[:, :5], 1, axis=1)
    assert report["nDCG@5"] == pytest.approx(ndcg_score(Y, scores, k=5))
    assert report["microF1@5"] == pytest.approx(f1_score(Y, taken, average="micro"))
    present = np.flatnonzero(Y.any(axis=0))
    macro = f1_score(Y, taken, average="macro", labels=present, zero_division=0)
    assert report["macroF1@5"] == pytest.approx(macro)


@settings(max_examples=15, deadline=None)
@given(problems(), st.integers(1, 12))
def test_a_bootstrap_is_repeatable_and_holds_no_difference_between_equals(problem, times):
    Y, top, Y_train = problem
    config = EvaluationConfig(ks=KS, bootstrap=times, seed=3)
    first, second = (evaluate_with(config, Y, top, Y_train).as_dict() for _ in range(2))
    assert first == second
    for low, high in first["intervals"].values():
        assert low is None or 0 <= low <= high <= 1
    equal = compare(Y, top, top, Y_train=Y_train, ks=KS, bootstrap=times)
    for one in equal.differences.values():
        # no value where no resample holds a document of the bucket
        assert math.isnan(one.p) or (one.difference, one.low, one.high, one.p) == (0, 0, 0, 1)
        assert not one.significant
