"""The content of the evaluation page: known answers, and agreement with the measures of the evaluation."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import precision_recall_curve

pytest.importorskip("jinja2", reason="the extra report is not installed")

from ramify import Dataset, LabelTree, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.errors import InputError
from ramify.evaluation import EvaluationConfig
from ramify.report import evaluation_report
from ramify.report.curves import ByFrequency, PrecisionRecall, Scores
from ramify.report.evaluation import evaluation_page
from ramify.report.facts import facts_of, page_width
from ramify.report.judged import Judged
from ramify.report.labels import confusions, weak_labels
from ramify.tagger.assessment import assess, evaluate_tagger
from ramify.tagger.decide.held_out import evaluate_decisions

CONFIG = EvaluationConfig(ks=(1, 3), bootstrap=20)
NAMES = [f"label {number}" for number in range(12)]


def documents(n, seed, names=NAMES):
    """Documents whose words name most of their labels."""
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for _ in range(n):
        own = rng.choice(len(names), rng.integers(1, 4), replace=False)
        words = [names[label if rng.random() < 0.7 else rng.integers(len(names))] for label in own for _ in range(2)]
        texts.append(" ".join(word.replace(" ", "") for word in words))
        rows.append(np.isin(np.arange(len(names)), own))
    return Dataset(csr_matrix(np.array(rows, np.float32)), names, texts=texts)


@pytest.fixture(scope="module")
def tree():
    tagger = Tagger(XRLinear(max_leaf=3, branching=2, threads=1), vectorizer=Tfidf(min_df=1))
    return tagger.fit_dataset(documents(300, 0))


@pytest.fixture(scope="module")
def calibrated(tree):
    return (
        Tagger(XRLinear(max_leaf=3, branching=2, threads=1), vectorizer=Tfidf(min_df=1))
        .fit_dataset(documents(300, 0))
        .calibrate_dataset(documents(300, 1), k=6)
    )


@pytest.fixture(scope="module")
def near():
    return Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(documents(200, 5, NAMES[3:]))


@pytest.fixture(scope="module")
def test_set():
    return documents(80, 2)


def facts(taggers, dataset, config=CONFIG, rule=None):
    found = assess(taggers, dataset, config, k=page_width(taggers))
    return facts_of(found, [f"model {number}" for number in range(len(taggers))], rule=rule)


def judged(labels, truth, n_labels, chosen=2):
    """Predictions of all labels given, with descending scores; the first ones are suggested."""
    labels = np.array(labels, np.int32)
    Y = np.zeros((len(labels), n_labels), np.float32)
    for row, own in enumerate(truth):
        Y[row, own] = 1
    hits = np.take_along_axis(Y, labels, axis=1) > 0
    scores = np.tile(np.linspace(0.9, 0.1, labels.shape[1], dtype=np.float32), (len(labels), 1))
    first = np.zeros(labels.shape, bool)
    first[:, :chosen] = True
    return Judged(labels, scores, None, hits, first, csr_matrix(Y), np.arange(len(labels)))


def test_curve_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 40, 300) / 40  # with ties
    hits = rng.random(300) < values
    curve = PrecisionRecall.of(values, hits, int(hits.sum()))
    precision, recall, thresholds = precision_recall_curve(hits, values)
    expected = {t: (p, r) for t, p, r in zip(thresholds, precision[:-1], recall[:-1], strict=True)}
    assert len(curve.thresholds) == len(thresholds)
    for threshold, *point in zip(curve.thresholds, curve.precision, curve.recall, strict=True):
        assert point == pytest.approx(expected[threshold])
    assert (np.diff(curve.thresholds) < 0).all()


def test_a_long_curve_keeps_its_ends():
    values = np.linspace(1, 0, 5000)
    hits = np.arange(5000) % 3 == 0
    curve = PrecisionRecall.of(values, hits, 4000)
    assert len(curve.recall) <= 120
    assert curve.thresholds[[0, -1]].tolist() == [1, values[4998]]  # the last true one
    assert curve.recall[-1] == pytest.approx(1667 / 4000)
    assert PrecisionRecall.of(np.zeros(0), np.zeros(0, bool), 3).recall.tolist() == []


def test_scores_are_shares_of_each_kind():
    one = Scores.of(np.array([0.02, 0.03, 0.97, 0.98]), np.array([False, True, True, True]))
    assert one.edges[[0, -1]].tolist() == [0, 1]
    assert (one.right[0], one.right[-1], one.wrong[0], one.wrong[-1]) == pytest.approx((1 / 3, 2 / 3, 1, 0))
    wide = Scores.of(np.array([-4.0, 2.0]), np.array([True, False]))
    assert wide.edges[[0, -1]].tolist() == [-4, 2]
    same = Scores.of(np.array([3.0, 3.0]), np.array([True, True]))
    assert same.right.sum() == 1


def test_quality_by_frequency():
    one = judged([[0, 1, 2], [3, 0, 1], [2, 4, 0]], [[0, 2], [3, 4], [4, 5]], 6)
    counts = np.array([1, 2, 3, 9, 4, 0])
    found = ByFrequency.of(one, counts)
    # suggested: 0 1 | 3 0 | 2 4; labels by group: {5}, {0}, {1, 2}, {4}, {3}
    assert found.low.tolist() == [0, 1, 2, 4, 8]
    assert found.high.tolist() == [0, 1, 3, 7, 15]
    assert found.true.tolist() == [1, 1, 1, 2, 1]
    assert found.recall.tolist() == [0, 1, 0, 0.5, 1]
    assert found.precision[1:].tolist() == [0.5, 0, 1, 1]
    assert math.isnan(found.precision[0])


def test_weak_labels_are_those_of_lowest_f1_that_occur_in_training():
    truth = [[0, 1], [0, 1], [0, 2], [3], [5]]
    one = judged([[0, 1], [0, 2], [2, 3], [1, 4], [4, 0]], truth, 6)
    found = weak_labels(one, NAMES, np.array([5, 5, 5, 5, 5, 0]))
    records = {record.name: record for record in found.records}
    assert found.records[0].name == "label 3"  # never found
    assert "label 5" not in records  # not in training
    assert "label 4" not in records  # no true document
    first = records["label 0"]
    assert (first.true, first.suggested, first.right, first.training) == (3, 3, 2, 5)
    assert first.f1 == pytest.approx(2 / 3)
    assert found.fewest == 1
    perfect = judged([[0], [1]], [[0], [1]], 2, chosen=1)
    assert weak_labels(perfect, NAMES, None).records == []


def test_confusions_are_counted_by_document_and_between_siblings_only():
    # 0 is missed in three documents, in two of them 1 is suggested, in two of them 3
    # and 4 in place of 1 in one document only
    one = judged([[1, 3], [1, 2], [3, 2], [0, 4]], [[0], [0, 2], [0, 2], [0, 1]], 6)
    free = confusions(one, NAMES, None)
    assert not free.siblings
    assert [(pair.missed, pair.instead, pair.documents, pair.missing) for pair in free.pairs] == [
        ("label 0", "label 1", 2, 3),
        ("label 0", "label 3", 2, 3),
    ]
    clusters = LabelTree(
        (np.array([0, 0], np.int32), np.array([0, 0, 0, 1, 1, 1], np.int32)), np.arange(6, dtype=np.int32), 6
    )
    found = confusions(one, NAMES, clusters)
    assert found.siblings
    assert [(pair.missed, pair.instead) for pair in found.pairs] == [("label 0", "label 1")]


def test_a_label_with_several_leaves_is_a_sibling_in_each_cluster():
    one = judged([[1, 3], [1, 3]], [[0], [0]], 6)
    leaves = np.array([0, 2, 5, 0, 3, 4, 1], np.int32)  # label 0 in both clusters
    tree = LabelTree((np.array([0, 0], np.int32), np.array([0, 0, 0, 1, 1, 1, 1], np.int32)), leaves, 6)
    assert {pair.instead for pair in confusions(one, NAMES, tree).pairs} == {"label 1", "label 3"}


def test_facts_agree_with_the_evaluation(calibrated, test_set):
    [model] = facts([calibrated], test_set, rule="count").models
    assert model.report.as_dict() == evaluate_tagger(calibrated, test_set, CONFIG).as_dict()
    sets = evaluate_decisions(calibrated, test_set, "count")
    assert model.sets.values == pytest.approx(sets.values, nan_ok=True)
    assert model.operating.precision == pytest.approx(sets["microP"])
    assert model.operating.recall == pytest.approx(sets["microR"])
    assert model.operating.mean_size == pytest.approx(sets.mean_size)


def test_the_operating_point_of_a_threshold_is_on_the_curve(calibrated, test_set):
    [model] = facts([calibrated], test_set, rule="threshold=0.5").models
    at = np.flatnonzero(model.curve.thresholds >= 0.5)[-1]
    assert model.curve.precision[at] == pytest.approx(model.operating.precision)
    assert model.curve.recall[at] == pytest.approx(model.operating.recall)


def test_a_second_model_with_other_labels_keeps_its_probabilities(calibrated, near, test_set):
    # The columns of the second model differ from its own label ids, so that groups and thresholds must be mapped back.
    near = Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(documents(200, 5, NAMES[:2:-1]))
    near.calibrate_dataset(documents(300, 6, NAMES[:2:-1]), k=5)
    alone = evaluate_decisions(near, test_set, "label-f1")
    both = facts([calibrated, near], test_set, rule="label-f1")
    for name in ("microP", "microR", "F1", "exact"):
        assert both.models[1].sets[name] == pytest.approx(alone[name])
    assert both.models[1].tree is None
    assert both.models[1].comparison is not None


def test_each_model_predicts_once(tree, near, test_set, monkeypatch):
    calls = []
    for kind in (XRLinear, NearestInstances):
        answer = kind.answer
        monkeypatch.setattr(
            kind, "answer", lambda self, request, answer=answer: (calls.append(type(self)), answer(self, request))[1]
        )
    page = evaluation_report({"a": tree, "b": near}, test_set, CONFIG)
    page.html()
    page.markdown()
    assert calls == [XRLinear, NearestInstances]


def test_examples_are_of_both_kinds_and_complete(calibrated, test_set):
    found = facts([calibrated], test_set)
    one = found.examples
    assert len(one.right) == len(one.wrong) == 3
    for example in (*one.right, *one.wrong):
        truth = {NAMES[label] for label in test_set.Y[example.number - 1].indices}
        suggested = {s.name: s.right for s in example.answers[0].suggestions}
        assert example.text == test_set.texts[example.number - 1]
        assert {name for name, right in suggested.items() if right} == truth & set(suggested)
        assert {missed.name for missed in example.missed} == truth - set(suggested)
    assert found.examples == facts([calibrated], test_set).examples  # the seed decides


def test_page_of_a_calibrated_model(calibrated, test_set):
    page = evaluation_report(calibrated, test_set, CONFIG)
    text = page.markdown()
    headings = [section.heading for section in page.sections]
    assert headings[0] == "In short"
    assert {"Measures", "Rare and frequent labels", "Weakest labels", "Label tree", "Example documents"} <= set(
        headings
    )
    assert "The rule micro-f1 chooses" in text
    assert "not calibrated" not in text
    assert len(page.html()) < 500_000


def test_page_of_a_model_without_calibration_tree_or_counts(near, test_set):
    near = Tagger.of(near.model_, near.label_names_, vectorizer=near.vectorizer_)
    text = evaluation_report(near, test_set, CONFIG).markdown()
    assert "Rare and frequent labels" not in text
    assert "The model is not calibrated." in text
    assert "All pairs of labels are compared" in text
    assert "Label tree" not in text


def test_models_are_compared_by_the_same_labels_if_one_is_not_calibrated(calibrated, near, test_set):
    found = facts([calibrated, near], test_set)
    assert found.models[0].operating.rule == "micro-f1"
    assert found.models[1].operating.rule is None
    sizes = [len(example.answers[0].suggestions) for example in found.examples.right]
    assert sizes == [3] * len(sizes)  # the last cut-off
    text = evaluation_page(found).markdown()
    assert "model 1: the model is not calibrated" in text
    assert "Suggested labels are the first 3 of each document." in text
    assert "Compared with model 0, model model 1 is" in text


def test_page_of_features_has_no_texts(test_set):
    X = Tfidf(min_df=1).fit_transform(test_set.texts)
    data = Dataset(test_set.Y, NAMES, X=X)
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(data)
    page = evaluation_report(tagger, data, CONFIG)
    assert "blockquote" not in str(page.body())
    assert "labels are scored for each document" in page.markdown()  # a tree without clusters


def test_labels_and_texts_are_escaped():
    names = ["<b>a</b>", "b|c", "d & e"]
    texts = ["<script>x</script> one", "<script>x</script> two | pipes", "<script> three"] * 20
    Y = csr_matrix(np.tile(np.eye(3, dtype=np.float32), (20, 1)))
    data = Dataset(Y, names, texts=texts)
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)
    page = evaluation_report({"<i>m</i>": tagger}, data, CONFIG)
    assert "<script" not in page.html()
    assert "<b>a" not in page.html()
    assert "&lt;script&gt;" in page.html()
    assert "<i>" not in page.markdown()


def test_bad_input_is_refused_before_the_prediction(tree, calibrated, near, test_set, monkeypatch):
    monkeypatch.setattr(XRLinear, "answer", lambda *_: pytest.fail("predicted"))
    with pytest.raises(InputError, match="not calibrated"):
        evaluation_report(tree, test_set, CONFIG, rule="count")
    with pytest.raises(InputError, match="there is no rule 'nonsense'"):
        evaluation_report(calibrated, test_set, CONFIG, rule="nonsense")
    other = Tagger(NearestInstances(), vectorizer=Tfidf(min_df=1)).fit(["one word", "two words"], [["x"], ["y"]])
    with pytest.raises(InputError, match="no label in common"):
        evaluation_report({"a": tree, "b": other}, test_set, CONFIG)


def test_one_cut_off_without_intervals(calibrated, test_set):
    text = evaluation_report(calibrated, test_set, EvaluationConfig(ks=(2,))).markdown()
    assert "First suggestion" not in text  # no cut-off 1
    assert "resamples" not in text
    assert "nan" not in text.lower().replace("names", "")


def test_one_document_and_one_label():
    data = Dataset(csr_matrix(np.ones((1, 1), np.float32)), ["only"], texts=["word"])
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)
    page = evaluation_report(tagger, data, EvaluationConfig(bootstrap=5))
    assert "only" in page.html()
