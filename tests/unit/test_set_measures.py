"""Measures of label sets, against scikit-learn and by hand."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from ramify.errors import InputError
from ramify.evaluation import EvaluationConfig, compare_sets, evaluate_sets, evaluate_sets_with, sets_of_true_size
from ramify.values import TopK, as_csr

TRUE = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], np.float32)
SETS = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], np.float32)


def random_sets(seed, n=60, n_labels=12):
    rng = np.random.default_rng(seed)
    true = (rng.random((n, n_labels)) < rng.random(n_labels) * 0.5).astype(np.float32)
    true[true.sum(axis=1) == 0, 0] = 1
    guessed = np.where(rng.random(true.shape) < 0.7, true, rng.random(true.shape) < 0.2).astype(np.float32)
    guessed[:3] = 0
    return true, guessed


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_scikit_learn(seed):
    true, sets = random_sets(seed)
    report = evaluate_sets(as_csr(true), as_csr(sets))
    present = true.any(axis=0)
    for average, prefix, columns in (
        ("samples", "", slice(None)),
        ("micro", "micro", slice(None)),
        ("macro", "macro", present),
    ):
        wanted = precision_recall_fscore_support(true[:, columns], sets[:, columns], average=average, zero_division=0)
        assert [report[f"{prefix}{kind}"] for kind in ("P", "R", "F1")] == pytest.approx(wanted[:3])
    assert report["exact"] == pytest.approx(accuracy_score(true, sets))
    assert report.mean_size == pytest.approx(sets.sum() / len(sets))
    assert report.mean_true == pytest.approx(true.sum() / len(true))


def test_measures_by_hand():
    """The last document has no true label and is left out."""
    report = evaluate_sets(TRUE, SETS)
    assert report.n_counted == 3
    assert report["P"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert report["R"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert report["exact"] == pytest.approx(1 / 3)
    assert report["microF1"] == pytest.approx(2 * 2 / (3 + 4))
    assert report["macroF1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    counted = evaluate_sets_with(EvaluationConfig(count_unlabelled=True), TRUE, SETS)
    assert counted.n_counted == 4
    assert counted["microP"] == pytest.approx(2 / 4)
    assert counted["F1"] == pytest.approx(3 / 4 * report["F1"])


def test_a_bucket_has_only_its_labels():
    train = np.zeros((20, 4), np.float32)
    train[:15, 0], train[15:, 1], train[0, 2] = 1, 1, 1
    report = evaluate_sets(TRUE, SETS, Y_train=train)
    assert report["1-shot/R"] == 0
    assert report["1-shot/microP"] == 0  # label 2 is predicted once, wrongly
    assert report["head/macroF1"] == 1
    assert np.isnan(report["0-shot/macroF1"])
    assert report["tail/microR"] == pytest.approx(1 / 3)
    assert set(report.buckets) == {"head", "middle", "tail", "1-shot", "0-shot"}


def test_intervals_contain_the_values_and_depend_on_the_seed_only():
    true, sets = random_sets(3, n=300)
    first, again, other = (evaluate_sets(true, sets, bootstrap=200, seed=seed) for seed in (0, 0, 1))
    assert first.intervals == again.intervals != other.intervals
    for name, (low, high) in first.intervals.items():
        assert low <= first[name] <= high
    assert first.intervals["F1"][1] - first.intervals["F1"][0] < 0.1


def test_a_comparison_finds_the_better_sets():
    true, sets = random_sets(0, n=200)
    worse = sets.copy()
    worse[:, 0] = 1 - worse[:, 0]
    found = compare_sets(true, worse, sets, bootstrap=200)
    assert found["microF1"].difference == pytest.approx(
        evaluate_sets(true, sets)["microF1"] - evaluate_sets(true, worse)["microF1"]
    )
    assert found["microF1"].significant
    assert compare_sets(true, sets, sets, bootstrap=50)["F1"].difference == 0
    with pytest.raises(InputError, match="bootstrap is 0"):
        compare_sets(true, sets, sets, bootstrap=0)


def test_a_comparison_lists_recall_and_macro_f1_of_buckets():
    true, sets = random_sets(0)
    rows = compare_sets(true, sets, sets, Y_train=true, bootstrap=10).grid().rows
    assert {"R", "macroF1", "exact", "head/R", "head/macroF1"} <= {row[0] for row in rows}


def test_a_set_of_all_labels_needs_no_more_memory_than_its_entries():
    """Padding all sets to the size of the largest would take 40 GB."""
    n, n_labels = 100_000, 100_000
    true = sp.identity(n, dtype=np.float32, format="csr")
    sets = sp.vstack([np.ones((1, n_labels), np.float32), true[1:]]).tocsr()
    report = evaluate_sets(true, sets)
    assert report["R"] == 1
    assert report["P"] == pytest.approx(1 - 1 / n, abs=1e-4)


def test_sets_of_true_size_are_prefixes_of_the_ranking():
    top = TopK(np.array([[2, 0, 1], [1, 0, -1], [0, 1, 2], [3, 2, 1]], np.int32), np.ones((4, 3), np.float32))
    sets = sets_of_true_size(TRUE, top)
    np.testing.assert_array_equal(sets.toarray(), [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_tables_and_json():
    train = (np.arange(40).reshape(10, 4) % 3 == 0).astype(np.float32)
    report = evaluate_sets(TRUE, SETS, Y_train=train, bootstrap=20)
    lines = str(report).splitlines()
    assert lines[0].startswith("label sets of 3 of 4 documents, 1.00 labels per set, 1.33 true labels per document")
    assert [line.split()[0] for line in lines[3:]] == list(report.as_dict()["values"])[:10]
    assert report.as_dict()["values"]["exact"] == pytest.approx(1 / 3)
    assert report.table().row_count == 10


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (SETS[:3], "the sets have 3 rows, but Y_test has 4"),
        (np.hstack([SETS, SETS]), "the sets have 8 labels, but Y_test and Y_train have 4"),
        (-SETS, "negative"),
    ],
)
def test_sets_that_do_not_fit(sets, message):
    with pytest.raises(InputError, match=message):
        evaluate_sets(TRUE, sets)
    with pytest.raises(InputError, match="no measure 'P@1'"):
        evaluate_sets(TRUE, SETS)["P@1"]


def test_narrower_sets_and_empty_sets():
    assert evaluate_sets(TRUE, sp.csr_matrix((4, 2), dtype=np.float32))["microF1"] == 0
    assert evaluate_sets(TRUE, SETS[:, :3])["F1"] == evaluate_sets(TRUE, SETS)["F1"]
