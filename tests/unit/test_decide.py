"""Calibration and rules for label sets, on predictions whose true probabilities are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from ramify.errors import InputError
from ramify.evaluation import evaluate_sets
from ramify.tagger.decide import Calibration, Evidence, reliability
from ramify.tagger.decide.choice import KINDS, chosen_kinds
from ramify.tagger.decide.decisions import Decisions
from ramify.tagger.decide.fitting import CHOSEN, FITTED, WANTED, fit_rule
from ramify.tagger.decide.measures import MEASURES
from ramify.tagger.decide.rules import Counted, ExpectedF1, Thresholds
from ramify.tagger.decide.sweeps import best_threshold, best_threshold_of_each
from ramify.values import TopK, as_csr

N_LABELS = 60


def drawn(n, seed, k=20):
    """Labels of Zipf frequencies; scores are too sure, and those of rare labels (from 20 on) much too sure.

    Returns Y, a TopK, and the true probabilities of its labels.
    """
    rng = np.random.default_rng(seed)
    base = -0.5 - 0.06 * np.arange(N_LABELS)
    logits = base + 2.0 * rng.normal(size=(n, N_LABELS)) - 1.5
    Y = rng.random((n, N_LABELS)) < expit(logits)
    shift = np.where(np.arange(N_LABELS) < 20, 0.3, 2.0)
    scores = expit(1.7 * logits + shift).astype(np.float32)
    labels = np.argsort(-scores, axis=1)[:, :k].astype(np.int32)
    top = TopK(labels, np.take_along_axis(scores, labels.astype(np.int64), axis=1))
    return as_csr(Y.astype(np.float32)), top, np.take_along_axis(expit(logits), labels.astype(np.int64), axis=1)


@pytest.fixture(scope="module")
def train():
    """160 training documents of each frequent label, 3 of each rare one."""
    return as_csr((np.arange(400)[:, None] < np.where(np.arange(N_LABELS) < 20, 160, 3)).astype(np.float32))


@pytest.fixture(scope="module")
def evidence(train):
    Y, top, _ = drawn(3000, 0)
    return Evidence.of(Y, top, train)


@pytest.mark.parametrize("kind", ["isotonic", "platt", "beta"])
def test_probabilities_are_the_true_ones_on_new_documents(kind, evidence):
    Y, top, true = drawn(3000, 1)
    hits = Evidence.of(Y, top, np.asarray(Y.todense())).hits
    found = Calibration.fit(evidence, kind).probabilities(top)
    assert found.dtype == np.float32
    assert reliability(top.scores, hits).ece > 0.08
    assert reliability(found, hits).ece < (
        0.025 if kind == "platt" else 0.015
    )  # the scores are not those of Platt's model
    assert np.abs(found - true).mean() < 0.3 * np.abs(top.scores - true).mean()


def test_groups_of_labels_have_maps_of_their_own(evidence):
    Y, top, _ = drawn(3000, 1)
    hits = Evidence.of(Y, top, np.asarray(Y.todense())).hits
    rare = evidence.bucket_of[top.labels] == 2
    one, each = (Calibration.fit(evidence, by_frequency=own).probabilities(top) for own in (False, True))
    assert reliability(each[rare], hits[rare]).ece < 0.5 * reliability(one[rare], hits[rare]).ece
    assert set(Calibration.fit(evidence, by_frequency=False).points) == {""}


@pytest.mark.parametrize("kind", ["isotonic", "platt", "beta"])
def test_a_calibration_is_monotone_and_restored_from_its_state(kind, evidence):
    fitted = Calibration.fit(evidence, kind)
    for points in fitted.points.values():
        assert (np.diff(points[0]) > 0).all() or kind == "isotonic"
        assert (np.diff(points[1]) >= 0).all()
        assert 0 < points[1][0] <= points[1][-1] < 1
    again = Calibration.from_state(*fitted.to_state())
    top = drawn(50, 3)[1]
    np.testing.assert_array_equal(again.probabilities(top), fitted.probabilities(top))


def test_missing_labels_have_the_probability_0(evidence):
    labels = np.array([[3, -1], [-1, -1]], np.int32)
    found = Calibration.fit(evidence).probabilities(
        TopK(labels, np.where(labels >= 0, 0.9, -np.inf).astype(np.float32))
    )
    assert found[0, 0] > 0
    assert (found.ravel()[1:] == 0).all()


def test_too_little_evidence_and_wrong_scores(train):
    Y, top, _ = drawn(10, 0)
    with pytest.raises(InputError, match="but a calibration needs 50 of each: hold out more documents"):
        Calibration.fit(Evidence.of(Y, top, train))
    Y, top, _ = drawn(500, 0)
    margins = TopK(top.labels, top.scores * 4 - 1)
    with pytest.raises(InputError, match="calibration is 'beta', but scores are between"):
        Calibration.fit(Evidence.of(Y, margins, train), "beta")
    with pytest.raises(InputError, match="calibration"):
        Calibration.fit(Evidence.of(Y, top, train), "spline")


@pytest.mark.parametrize("kind", ["platt", "beta"])
def test_scores_that_say_nothing_have_the_share_of_true_labels_as_probability(kind, train):
    means = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        top = TopK(np.zeros((600, 1), np.int32), rng.random((600, 1)).astype(np.float32))
        Y = np.zeros((600, N_LABELS), np.float32)
        Y[:, 0] = rng.random(600) < 0.2
        Y[0, 1] = 1
        found = Calibration.fit(Evidence.of(Y, top, train), kind).probabilities(top)
        means.append(found.mean() - Y[:, 0].mean())
    assert np.abs(means).max() < 0.02


def test_scores_that_are_not_finite(train):
    Y, top, _ = drawn(300, 0)
    broken = TopK(top.labels, np.where(np.arange(20) == 19, np.float32(-np.inf), top.scores))
    with pytest.raises(InputError, match="a score that is no finite number"):
        Calibration.fit(Evidence.of(Y, broken, train))
    nan = TopK(top.labels[:1], np.full((1, 20), np.nan, np.float32))
    assert not Calibration.fit(Evidence.of(Y, top, train)).probabilities(nan).any()


def test_training_labels_can_be_more_than_held_out_ones():
    Y, top, _ = drawn(300, 0)
    found = Evidence.of(Y, top, np.ones((2, N_LABELS + 5), np.float32))
    assert found.truth.shape[1] == len(found.bucket_of) == N_LABELS + 5


def test_reliability_by_hand():
    found = reliability(np.array([0.1, 0.9, 0.1, 0.9, 0.5]), np.array([0, 1, 1, 1, 0], bool), bins=3)
    np.testing.assert_array_equal(found.counts.sum(), 5)
    np.testing.assert_allclose(found.predicted, [(0.1 + 0.1 + 0.5) / 3, 0.9])
    np.testing.assert_allclose(found.true, [1 / 3, 1.0])
    assert found.ece == pytest.approx((3 * (1 / 3 - 0.7 / 3) + 2 * 0.1) / 5)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).ece)
    assert reliability(np.full(8, 0.25), np.arange(8) < 2).ece == 0


# --- sweeps ---


def mean_f1(p, hits, group, true, threshold):
    kept = p >= threshold
    right = np.bincount(group[kept & hits], minlength=len(true))
    return (2 * right / np.maximum(np.bincount(group[kept], minlength=len(true)) + true, 1)).mean()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n_groups", [1, 5, 40])
def test_the_best_threshold_is_that_of_an_exhaustive_search(seed, n_groups):
    rng = np.random.default_rng(seed)
    p, group = np.round(rng.random(200), 2), rng.integers(n_groups, size=200)
    hits = rng.random(200) < p**2
    true = np.bincount(group[hits], minlength=n_groups) + rng.integers(3, size=n_groups)
    found = best_threshold(p, hits, group, true)
    every = [mean_f1(p, hits, group, true, value) for value in np.append(np.unique(p), np.inf)]
    assert mean_f1(p, hits, group, true, found) == pytest.approx(max(every))
    each = best_threshold_of_each(p, hits, group, true)
    for number in range(n_groups):
        own = group == number
        one = np.zeros(own.sum(), np.int64)
        wanted = best_threshold(p[own], hits[own], one, true[[number]]) if own.any() else np.nan
        np.testing.assert_equal(each[number], wanted)


def test_without_a_true_prediction_nothing_is_accepted():
    assert best_threshold(np.array([0.5, 0.2]), np.zeros(2, bool), np.zeros(2, np.int64), np.array([3])) == np.inf
    assert best_threshold(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64), np.array([3])) == np.inf


# --- rules ---


@pytest.fixture(scope="module")
def decided(evidence, train):
    """Measures on new documents of each rule, fitted on the evidence."""
    calibration = Calibration.fit(evidence)
    p = calibration.probabilities(TopK(evidence.labels, evidence.scores))
    Y, top, _ = drawn(3000, 1)
    names = [*FITTED, "precision=0.8", "recall=0.6", "coverage=0.7", "threshold=0.5"]
    rules = {name: fit_rule(name, evidence, p) for name in names}
    new = calibration.probabilities(top)
    return {name: evaluate_sets(Y, rule.sets(top, new, N_LABELS), Y_train=train) for name, rule in rules.items()}


ONE_THRESHOLD = {"one-micro-f1": "microF1", "one-macro-f1": "macroF1", "one-example-f1": "F1"}


@pytest.mark.parametrize(("rule", "measure"), ONE_THRESHOLD.items())
def test_a_rule_for_a_measure_is_better_at_it_than_one_half_and_than_the_others(rule, measure, decided):
    own = decided[rule][measure]
    assert own > decided["threshold=0.5"][measure] + 0.01
    others = [decided[name][measure] for name in ONE_THRESHOLD]
    assert own > max(others) - 0.005


def test_thresholds_per_group_correct_scores_that_are_not_calibrated(evidence):
    Y, top, _ = drawn(3000, 1)
    rules = {
        name: fit_rule(name, evidence, evidence.scores)
        for name in ("one-micro-f1", "one-macro-f1", "group-f1", "label-f1")
    }
    found = {name: evaluate_sets(Y, rule.sets(top, top.scores, N_LABELS)) for name, rule in rules.items()}
    assert found["group-f1"]["microF1"] > found["one-micro-f1"]["microF1"] + 0.01


def test_thresholds_per_group_have_the_largest_macro_f1_of_their_labels(evidence, train):
    """Against one threshold, on scores whose error differs between groups; and no pair of thresholds is better."""
    rules = {name: fit_rule(name, evidence, evidence.scores) for name in ("one-macro-f1", "group-macro-f1")}
    Y, top, _ = drawn(3000, 1)
    found = {name: evaluate_sets(Y, rule.sets(top, top.scores, N_LABELS))["macroF1"] for name, rule in rules.items()}
    assert found["group-macro-f1"] > found["one-macro-f1"] + 0.003
    fitted = MEASURES["macro-f1"](evidence, rules["group-macro-f1"].kept(evidence.top, evidence.scores))
    groups = evidence.bucket_of == evidence.bucket_of[0]
    for low in np.linspace(0.05, 0.95, 10):
        for high in np.linspace(0.05, 0.95, 10):
            other = Thresholds(np.where(groups, low, high).astype(np.float32))
            assert MEASURES["macro-f1"](evidence, other.kept(evidence.top, evidence.scores)) <= fitted + 1e-9


def test_labels_have_thresholds_of_their_own():
    """Each label's threshold has the largest F1 that its probabilities let expect, also with one true document."""
    train = np.zeros((40, 3), np.float32)
    train[:20, 0], train[20:, 1], train[:1, 2] = 1, 1, 1
    rng = np.random.default_rng(0)
    p = (rng.random((4000, 3)) ** [1, 3, 8]).astype(np.float32)
    true = (rng.random((4000, 3)) < p).astype(np.float32)
    top = TopK(np.tile(np.arange(3, dtype=np.int32), (4000, 1)), p)
    rule = fit_rule("label-f1", Evidence.of(true, top, train), p)
    for label in range(3):
        at = np.linspace(0.01, 0.99, 99)
        f1 = [2 * (p[:, label] * (p[:, label] >= t)).sum() / ((p[:, label] >= t).sum() + p[:, label].sum()) for t in at]
        assert rule.values[label] == pytest.approx(at[np.argmax(f1)], abs=0.02)
    assert rule.values[2] < rule.values[1] < rule.values[0]


def test_label_f1_gains_macro_f1_over_one_threshold_where_labels_differ_in_difficulty():
    """Half of the labels are told apart by their scores, the other half nearly not at all."""

    def drawn_labels(seed):
        rng = np.random.default_rng(seed)
        logits = -2 + np.where(np.arange(40) < 20, 4.0, 0.3) * rng.normal(size=(500, 40))
        p = expit(logits).astype(np.float32)
        every = TopK(np.tile(np.arange(40, dtype=np.int32), (500, 1)), p)
        return as_csr((rng.random((500, 40)) < p).astype(np.float32)), every

    (Y, top), (Y_new, new) = drawn_labels(0), drawn_labels(1)
    found = {}
    for name in ("label-f1", "one-macro-f1"):
        rule = fit_rule(name, Evidence.of(Y, top, Y), top.scores)
        found[name] = evaluate_sets(Y_new, rule.sets(new, new.scores, 40))["macroF1"]
    assert found["label-f1"] > found["one-macro-f1"] + 0.02


def test_a_label_without_predictions_has_the_threshold_of_macro_f1(evidence):
    labels = np.where(evidence.labels == 0, -1, evidence.labels)
    without = replace(evidence, labels=labels, hits=evidence.hits & (labels >= 0))
    rules = [fit_rule(name, without, evidence.scores) for name in ("label-f1", "one-macro-f1")]
    assert rules[0].values[0] == rules[1].values[0]
    assert len(np.unique(rules[0].values)) > 3


def test_a_group_without_a_true_prediction_is_left_out():
    """Label 0 is frequent and true above 0.3; label 1 is rare and always wrong."""
    train = np.zeros((100, 2), np.float32)
    train[:, 0], train[:3, 1] = 1, 1
    scores = np.column_stack([np.linspace(0, 1, 50), np.linspace(0, 1, 50)]).astype(np.float32)
    true = np.column_stack([scores[:, 0] > 0.3, np.zeros(50)]).astype(np.float32)
    top = TopK(np.tile(np.array([0, 1], np.int32), (50, 1)), scores)
    evidence = Evidence.of(true, top, train)
    np.testing.assert_array_equal(fit_rule("group-f1", evidence, scores).sets(top, scores, 2).toarray(), true)


def test_lower_bounds_are_kept_although_predictions_of_a_document_are_alike():
    """A document effect: its predictions are nearly all right or nearly all wrong."""
    broken = {"precision=0.6": 0, "recall=0.6": 0}
    for seed in range(60):
        parts = []
        for part in range(2):
            rng = np.random.default_rng([seed, part])
            effect, own = 1.5 * rng.normal(size=(200, 1)), rng.normal(size=(200, 10))
            order = np.argsort(-own, axis=1)
            hits = rng.random((200, 10)) < expit(own + effect)
            p = expit(np.take_along_axis(own, order, axis=1)).astype(np.float32)
            parts.append((as_csr(hits.astype(np.float32)), TopK(order.astype(np.int32), p)))
        (Y, top), (Y_new, new) = parts
        for name in broken:
            rule = fit_rule(name, Evidence.of(Y, top, Y), top.scores)
            report = evaluate_sets(Y_new, rule.sets(new, new.scores, 10), Y_train=Y)
            kept = report["microP" if name.startswith("precision") else "microR"]
            broken[name] += kept < float(name.split("=")[1]) - 0.03
    assert max(broken.values()) <= 6


def test_counts_and_expected_f1_gain_example_f1(decided):
    assert decided["expected-f1"]["F1"] > decided["threshold=0.5"]["F1"] + 0.01
    assert abs(decided["count"].mean_size - decided["count"].mean_true) < 0.3


def test_promises_are_kept_on_new_documents(decided, evidence):
    assert 0.79 < decided["precision=0.8"]["microP"] < 0.85
    assert 0.58 < decided["recall=0.6"]["microR"] < 0.66
    assert 0.68 < decided["coverage=0.7"]["R"] < 0.73


def test_conformal_sets_cover_on_average_over_small_held_out_parts(train):
    covered = []
    for seed in range(40):
        Y, top, _ = drawn(60, 100 + seed)
        rule = fit_rule("coverage=0.6", Evidence.of(Y, top, train), top.scores)
        Y, top, _ = drawn(400, 1000 + seed)
        covered.append(evaluate_sets(Y, rule.sets(top, top.scores, N_LABELS))["R"])
    assert 0.595 < np.mean(covered) < 0.66


def test_expected_f1_is_the_best_prefix():
    top = TopK(np.array([[0, 1, 2]], np.int32), np.array([[0.9, 0.5, 0.05]], np.float32))
    p = np.array([[0.9, 0.5, 0.05]], np.float32)
    assert ExpectedF1(1.0, 0.0).kept(top, p).tolist() == [[True, True, False]]
    assert ExpectedF1(1.0, 0.0).kept(top, p[:, ::-1]).tolist() == [[False, True, True]]
    assert ExpectedF1(30.0, 0.0).kept(top, p).tolist() == [[True, True, True]]
    assert ExpectedF1(1.0, 50.0).kept(top, p).tolist() == [[True, True, True]]
    assert Counted(np.array([[0.0, 3.0], [0.0, 3.0]])).kept(top, p).tolist() == [[True, False, False]]


@pytest.mark.parametrize("name", [*FITTED, *(f"{one}=0.3" for one in WANTED)])
def test_a_batch_equals_single_documents(name, evidence):
    p = Calibration.fit(evidence).probabilities(TopK(evidence.labels, evidence.scores))
    rule = fit_rule(name, evidence, p)
    top = drawn(30, 5)[1]
    found = rule.kept(top, top.scores)
    for row in range(30):
        one = TopK(top.labels[row : row + 1], top.scores[row : row + 1])
        np.testing.assert_array_equal(rule.kept(one, one.scores)[0], found[row])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("f1", "there is no rule 'f1': choose micro-f1, "),
        ("micro-f1=0.5", "there is no rule"),
        ("precision", "there is no rule"),
        ("precision=high", "precision is 'high'"),
        (0.5, "there is no rule 0.5"),
        ("recall=1.5", "recall is 1.5"),
        ("precision=0.9999", "no threshold reaches a precision of 0.9999 on the held-out documents"),
        ("recall=0.999", "no threshold reaches a recall of 0.999 .* predict more labels per document"),
        ("coverage=0.999", "no threshold reaches a coverage of 0.999"),
    ],
)
def test_rules_that_cannot_be_fitted(name, message, evidence):
    with pytest.raises(InputError, match=message):
        fit_rule(name, evidence, evidence.scores)


def test_a_threshold_for_all_labels_or_for_each():
    top = TopK(np.array([[0, 1]], np.int32), np.array([[0.4, 0.4]], np.float32))
    assert Thresholds(np.array([0.4], np.float32)).sets(top, top.scores, 3).toarray().tolist() == [[1, 1, 0]]
    each = Thresholds(np.array([0.5, 0.3, 0.1], np.float32))
    assert each.sets(top, top.scores, 3).toarray().tolist() == [[0, 1, 0]]


# --- the rule for a measure ---


def test_the_kind_for_a_measure_is_the_best_on_new_documents(evidence, train):
    decisions = Decisions.fit(evidence)
    assert set(decisions.chosen) == set(CHOSEN)
    Y, top, _ = drawn(3000, 1)
    p = decisions.calibration.probabilities(top)
    for name, measure in zip(CHOSEN, ("microF1", "macroF1", "F1"), strict=True):
        values = {
            kind: evaluate_sets(Y, decisions.rule(kind).sets(top, p, N_LABELS), Y_train=train)[measure]
            for kind in (f"one-{name}", *KINDS)
        }
        own = evaluate_sets(Y, decisions.rule(name).sets(top, p, N_LABELS), Y_train=train)[measure]
        assert own == values[decisions.chosen[name]]
        assert own > max(values.values()) - 0.006


@pytest.mark.parametrize(("name", "measure"), [("micro-f1", "microF1"), ("macro-f1", "macroF1"), ("example-f1", "F1")])
def test_measures_of_the_choice_are_those_of_the_evaluation(name, measure, evidence):
    evidence = evidence.of_rows(evidence.n_true > 0)  # the evaluation leaves out documents without a label
    kept = (evidence.scores > 0.4) & evidence.valid
    sets = evidence.top.matrix(kept, np.ones(kept.shape, np.float32), N_LABELS)
    assert MEASURES[name](evidence, kept) == pytest.approx(evaluate_sets(evidence.truth, sets)[measure])


def test_thresholds_per_label_are_chosen_where_they_gain():
    """Half of the labels are told apart by their scores, the other half nearly not at all."""
    rng = np.random.default_rng(3)
    p = expit(-2.5 + np.where(np.arange(40) < 20, 4.0, 0.3) * rng.normal(size=(3000, 40))).astype(np.float32)
    Y = as_csr((rng.random((3000, 40)) < p).astype(np.float32))
    every = TopK(np.tile(np.arange(40, dtype=np.int32), (3000, 1)), p)
    assert chosen_kinds(Evidence.of(Y, every, Y))["macro-f1"] == "label-f1"


def test_a_half_without_a_true_label_leaves_one_threshold(evidence):
    rows = np.zeros(len(evidence.labels), bool)
    rows[[int(np.argmax(evidence.n_true))]] = True
    found = chosen_kinds(evidence.of_rows(rows))
    assert set(found.values()) == {f"one-{name}" for name in CHOSEN}
