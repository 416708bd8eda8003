"""Bad input to the evaluation gives one sentence."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import InputError, TopK
from ramify.evaluation import (
    EvaluationConfig,
    compare,
    evaluate,
    evaluate_with,
    inverse_propensities,
    label_counts,
    popular,
    precision_at_k,
    psp_at_k,
    top_k,
)

Y = np.eye(3)


def predicted(rows, score=0.5):
    labels = np.array(rows, np.int32)
    return TopK(labels, np.full(labels.shape, score, np.float32))


TOP = predicted([[0, 1], [1, 2], [2, 0]])


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (predicted([[0, 1]]), "the predictions have 1 rows, but Y_test has 3"),
        (predicted([[0], [1], [2]]), "needs 2 labels per document, but the predictions have 1"),
        (predicted([[0, 3], [1, 2], [2, 0]]), r"must lie in 0..2 \(-1 for none\), not 0..3"),
        (predicted([[0, -2], [1, 2], [2, 0]]), "not -2..2"),
        (predicted([[0, 1], [1, 1], [2, 0]]), "row 1 of the predictions predicts a label twice"),
        (predicted([[0, 1], [1, 2], [-1, 0]]), "row 2 of the predictions has a label after a -1"),
        (predicted([[0, 1], [1, 2], [2, 0]], np.nan), "row 0 of the predictions has a NaN score"),
        (np.array([[0, 1]]), r"must be a TopK, not ndarray: make one with top_k\(scores, k\)"),
    ],
)
def test_predictions_that_cannot_be_judged(top, message):
    for call in (
        lambda: evaluate(Y, top, ks=(1, 2)),
        lambda: compare(Y, TOP, top, ks=(1, 2)),
        lambda: precision_at_k(Y, top, 2),
    ):
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ks": ()}, "ks is empty"),
        ({"ks": 5}, "ks is 5, but must be a sequence"),
        ({"ks": "135"}, "ks is '135'"),
        ({"ks": (0, 1)}, "a cut-off in ks is 0"),
        ({"ks": (1.5,)}, "a cut-off in ks is 1.5"),
        ({"ks": (True,)}, "a cut-off in ks is True"),
        ({"bootstrap": -1}, "bootstrap is -1"),
        ({"bootstrap": 2.0}, "bootstrap is 2.0"),
        ({"seed": -1}, "seed is -1"),
        ({"propensity": (0.5,)}, r"propensity is \(0.5,\)"),
        ({"propensity": (0.5, 0)}, "must be two numbers"),
        ({"propensity": (np.nan, 1.0)}, "must be two numbers"),
        ({"propensity": 0.5}, "propensity is 0.5"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        evaluate(Y, TOP, Y_train=Y, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head_share": 1.5}, "head_share is 1.5"),
        ({"head_share": "x"}, "head_share is 'x'"),
        ({"tail_at_most": -1}, "t"),
    ],
)
def test_bucket_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        EvaluationConfig(**settings)


def test_cut_offs_are_sorted_and_kept_once():
    report = evaluate(Y, TOP, ks=np.array([2, 1, 2]))
    assert report.ks == (1, 2)


@pytest.mark.parametrize(
    ("Y_test", "message"),
    [
        (np.zeros((3, 3)), "none of the 3 test documents has a true label"),
        (np.zeros((3, 0)), "predicted label ids must lie in"),
        (-np.eye(3), "negative value"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.ones(3), "1 dimension"),
        ([["a"]], "must hold real numbers"),
    ],
)
def test_truth_that_is_none(Y_test, message):
    with pytest.raises(InputError, match=message):
        evaluate(Y_test, TOP, ks=(1,))


def test_no_documents_at_all():
    empty = TopK(np.empty((0, 2), np.int32), np.empty((0, 2), np.float32))
    with pytest.raises(InputError, match="none of the 0 test documents"):
        evaluate(sp.csr_matrix((0, 3)), empty, ks=(1,))


def test_seen_labels_need_training_labels_and_leave_something():
    config = EvaluationConfig(seen_labels_only=True, ks=(1,))
    with pytest.raises(InputError, match="needs Y_train"):
        evaluate_with(config, Y, TOP)
    with pytest.raises(InputError, match="none of the 3 test documents"):
        evaluate_with(config, Y, TOP, np.zeros((2, 3)))


def test_a_comparison_needs_resamples():
    with pytest.raises(InputError, match="bootstrap is 0"):
        compare(Y, TOP, TOP, ks=(1,), bootstrap=0)


def test_an_empty_training_set_makes_every_label_unseen():
    report = evaluate(Y, TOP, Y_train=sp.csr_matrix((0, 3)), ks=(1,))
    assert report.buckets["0-shot"].labels == 3
    assert report["PSP@1"] == report["P@1"] == 1.0


def test_duplicate_and_unsorted_entries_of_a_sparse_truth_count_once():
    doubled = sp.csr_matrix((np.ones(4), np.array([1, 0, 0, 2]), np.array([0, 3, 3, 4])), shape=(3, 3))
    report = evaluate(doubled, TOP, ks=(2,))
    assert (report["P@2"], report["R@2"]) == (0.75, 1.0)


@pytest.mark.parametrize(
    ("labels", "n", "message"),
    [
        (np.array([1, 2]), None, "without n"),
        (np.array([1, -2]), 5, "at least 0"),
        (np.array([1.5]), 5, "whole numbers"),
        (np.array([7]), 5, "has 7 training instances, but n is 5"),
        (np.array([1]), -5, "n is -5"),
    ],
)
def test_counts_that_are_none(labels, n, message):
    with pytest.raises(InputError, match=message):
        inverse_propensities(labels, n)


def test_weights_must_fit():
    for weights in (np.ones(2), np.array([1, 1, np.nan]), np.array([1, 1, 0])):
        with pytest.raises(InputError, match="3 finite numbers above 0"):
            psp_at_k(Y, TOP, weights, 1)


def test_label_counts_refuse_a_matrix_that_is_too_wide():
    with pytest.raises(InputError, match="3 columns, but only 2"):
        label_counts(Y, 2)


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        (np.ones((2, 2)), 0, "k is 0"),
        (np.ones(2), 1, "not 1-d"),
        (np.array([["a"]]), 1, "real numbers"),
        (np.array([[1.0, np.nan]]), 1, "NaN"),
        (sp.csr_matrix(np.array([[1.0, np.nan]])), 1, "NaN"),
        (np.array([[1j]]), 1, "complex"),
    ],
)
def test_scores_that_cannot_be_ranked(scores, k, message):
    with pytest.raises(InputError, match=message):
        top_k(scores, k)


@pytest.mark.parametrize(
    ("Y_train", "n_rows", "k", "message"),
    [(Y, 1, 0, "k is 0"), (Y, -1, 1, "n_rows is -1"), (np.zeros((0, 3)), 1, 1, "no rows"), (np.ones(3), 1, 1, "dim")],
)
def test_popular_refuses(Y_train, n_rows, k, message):
    with pytest.raises(InputError, match=message):
        popular(Y_train, n_rows, k)
