"""Measures, propensities and buckets against numbers worked out by hand."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import TopK
from ramify.evaluation import (
    EvaluationConfig,
    coverage_at_k,
    evaluate,
    evaluate_with,
    hit_rate_at_k,
    inverse_propensities,
    label_buckets,
    label_counts,
    macro_f1_at_k,
    micro_f1_at_k,
    ndcg_at_k,
    popular,
    precision_at_k,
    propensities,
    psndcg_at_k,
    psp_at_k,
    recall_at_k,
)


def ranked(rows):
    labels = np.array(rows, np.int32)
    scores = np.where(labels >= 0, np.linspace(1, 0.1, labels.shape[1]), -np.inf).astype(np.float32)
    return TopK(labels, scores)


# two documents, four labels: {0, 2} predicted as 2, 1, 0; {3} predicted as 1, 3, nothing
Y = np.array([[1, 0, 1, 0], [0, 0, 0, 1]])
TOP = ranked([[2, 1, 0], [1, 3, -1]])
LOG3 = 1 / math.log2(3)


def test_means_over_documents():
    assert precision_at_k(Y, TOP, 1) == pytest.approx((1 + 0) / 2)
    assert precision_at_k(Y, TOP, 3) == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert recall_at_k(Y, TOP, 2) == pytest.approx((1 / 2 + 1) / 2)
    assert hit_rate_at_k(Y, TOP, 1) == 0.5
    assert hit_rate_at_k(Y, TOP, 2) == 1.0
    assert ndcg_at_k(Y, TOP, 3) == pytest.approx(((1 + 0.5) / (1 + LOG3) + LOG3 / 1) / 2)


def test_f1_and_coverage():
    # @2: 4 predicted, 3 true, 2 right; label 0 never, 2 and 3 once right and never wrong
    assert micro_f1_at_k(Y, TOP, 2) == pytest.approx(2 * 2 / (4 + 3))
    assert macro_f1_at_k(Y, TOP, 2) == pytest.approx((0 + 1 + 1) / 3)
    assert coverage_at_k(Y, TOP, 2) == pytest.approx(2 / 3)
    # @3: the filling is no prediction, so 5 are predicted
    assert micro_f1_at_k(Y, TOP, 3) == pytest.approx(2 * 3 / (5 + 3))


def test_propensity_scored_measures_are_ratios_of_totals():
    weights = np.array([10.0, 1.0, 2.0, 4.0])
    assert psp_at_k(Y, TOP, weights, 1) == pytest.approx((2 + 0) / (10 + 4))
    assert psp_at_k(Y, TOP, weights, 2) == pytest.approx((2 + 4) / (12 + 4))
    gained = 2 + 4 * LOG3
    best = 10 + 2 * LOG3 + 4
    assert psndcg_at_k(Y, TOP, weights, 2) == pytest.approx(gained / best)


def test_propensities_follow_the_published_formula():
    # N = 1000, A = 0.55, B = 1.5: C = (ln 1000 - 1) * 2.5^0.55
    constant = (math.log(1000) - 1) * 2.5**0.55
    assert constant == pytest.approx(9.7789, abs=1e-3)
    weights = inverse_propensities(np.array([0, 1, 100]), 1000)
    assert weights == pytest.approx([1 + constant / 1.5**0.55, 1 + constant / 2.5**0.55, 1 + constant / 101.5**0.55])
    assert weights[1] == pytest.approx(math.log(1000))  # a label seen once always weighs ln N
    wikipedia = inverse_propensities(np.array([3]), 1000, A=0.5, B=0.4)
    assert wikipedia[0] == pytest.approx(1 + (math.log(1000) - 1) * 1.4**0.5 / 3.4**0.5)
    assert propensities(np.array([1]), 1000)[0] == pytest.approx(1 / math.log(1000))


def test_propensities_of_a_label_matrix_and_of_its_counts_agree():
    Y_train = sp.random(200, 9, density=0.3, random_state=1, format="csr")
    Y_train.data[:] = 1
    counts = label_counts(Y_train)
    assert counts.tolist() == Y_train.toarray().sum(axis=0).tolist()
    assert np.array_equal(inverse_propensities(Y_train), inverse_propensities(counts, 200))


def test_tiny_training_sets_weigh_all_labels_alike():
    assert inverse_propensities(np.array([0, 1]), 1).tolist() == [1.0, 1.0]


def test_buckets_split_by_frequency():
    counts = np.array([40, 30, 30, 10, 6, 5, 2, 1, 1, 0])  # 125 in total, a third is 41.7
    buckets = {name: np.flatnonzero(mask).tolist() for name, mask in label_buckets(counts).items()}
    assert buckets == {
        "head": [0, 1, 2],  # 40 do not make a third; both labels of 30 come together
        "middle": [3, 4],
        "tail": [5, 6, 7, 8],
        "1-shot": [7, 8],
        "0-shot": [9],
    }
    wider = label_buckets(counts, head_share=0.1, tail_at_most=10)
    assert np.flatnonzero(wider["head"]).tolist() == [0]
    assert np.flatnonzero(wider["tail"]).tolist() == [3, 4, 5, 6, 7, 8]


def test_bucket_measures_look_at_the_buckets_labels_only():
    Y_train = np.zeros((20, 4), int)
    Y_train[:, 0] = 1  # head
    Y_train[0, 2] = 1  # tail, 1-shot; labels 1 and 3 are 0-shot
    report = evaluate(Y, TOP, Y_train=Y_train, ks=(1, 3))
    assert report["tail/R@1"] == 1.0  # document 0 alone has label 2
    assert report["tail/P@3"] == pytest.approx(1 / 3)
    assert report["head/R@1"] == 0.0
    assert report["head/R@3"] == 1.0
    assert report["0-shot/R@3"] == 1.0  # label 3 in document 1; document 0 is left out
    assert report["0-shot/microF1@3"] == pytest.approx(2 * 1 / (3 + 1))  # label 1 is wrong in both documents
    assert math.isnan(report["middle/P@1"])
    assert report.buckets["0-shot"].labels == 2
    assert report.buckets["0-shot"].test_labels == 1
    assert report.buckets["0-shot"].documents == 1


def test_unlabelled_documents_are_left_out_unless_counted():
    wider = np.vstack([Y, np.zeros((2, 4), int)])
    top = ranked([[2, 1, 0], [1, 3, -1], [0, 1, 2], [0, 1, 2]])
    report = evaluate(wider, top, ks=(1, 3))
    assert report["P@1"] == 0.5
    assert (report.n_documents, report.n_counted) == (4, 2)
    counted = evaluate_with(EvaluationConfig(count_unlabelled=True, ks=(1, 3)), wider, top, Y)
    assert counted["P@1"] == 0.25
    assert counted["R@3"] == 0.5
    assert counted["PSP@3"] == evaluate(wider, top, Y_train=Y, ks=(1, 3))["PSP@3"]
    assert counted["microF1@3"] == pytest.approx(2 * 3 / (11 + 3))


def test_label_spaces_of_different_widths_meet():
    top = ranked([[0], [2]])
    narrow_training = evaluate([[1, 0, 0], [0, 0, 1]], top, Y_train=[[1], [0]], ks=(1,))
    assert narrow_training.n_labels == 3
    assert narrow_training.buckets["0-shot"].labels == 2
    narrow_test = evaluate([[1], [1]], top, Y_train=np.ones((2, 3)), ks=(1,))
    assert narrow_test["P@1"] == 0.5


def test_unseen_labels_can_be_taken_from_the_truth():
    Y_train = np.array([[1, 0, 1, 0]] * 3)
    report = evaluate_with(EvaluationConfig(seen_labels_only=True, ks=(3,)), Y, TOP, Y_train)
    assert report.n_counted == 1  # document 1 has label 3 alone, which is unseen
    assert report["R@3"] == 1.0


def test_popular_predicts_the_frequent_labels():
    Y_train = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    top = popular(Y_train, n_rows=2, k=4)
    assert top.labels.tolist() == [[2, 1, 0, -1]] * 2
    assert top.scores.tolist() == [[0.75, 0.5, 0.25, -np.inf]] * 2
