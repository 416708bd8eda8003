"""The nearest instances vote as documented; they work in ensembles, taggers, files and on the command line."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

import ramify
from ramify import Ensemble, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.cli.entry import run
from ramify.errors import InputError
from ramify.kernels.neighbours import VoteConfig
from ramify.reference.neighbours import nearest_labels
from ramify.testing.values import planted_clusters, same
from ramify.values import as_csr

TEXTS = ["water pollution control", "water rights of farms", "tax on income", "income tax credit", "farms and soil"] * 4
LABELS = [["Water", "Pollution"], ["Water", "Farms"], ["Tax"], ["Tax", "Income"], ["Farms"]] * 4


def test_a_vote_by_hand():
    """Similarities to (1, 0): 1, 0.8 and 0; the third does not vote, and the labels of the others weigh 1 : 0.64."""
    X = np.array([[2.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    Y = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0]])
    model = NearestInstances(power=2.0).fit(X, Y)
    top = model.predict_topk([[1.0, 0.0]], 4)
    assert top.labels.tolist() == [[3, 0, 1, -1]]
    np.testing.assert_allclose(top.scores[0], [1, 1 / 1.64, 0.64 / 1.64, -np.inf], rtol=1e-6)
    assert model._reachable() == 4
    assert NearestInstances(neighbours=1).fit(X, Y)._reachable() == 2
    assert model.predict([[1.0, 0.0]]).toarray().tolist() == [[1, 0, 0, 1]]


def test_nothing_shared_gives_nothing():
    model = NearestInstances().fit([[1.0, 0, 0], [0, 1.0, 0]], [[1, 0], [0, 1]])
    for row in ([0.0, 0, 0], [0, 0, 1.0], [-1.0, -1.0, 0]):
        top = model.predict_topk([row], 2)
        assert top.labels.tolist() == [[-1, -1]]
        assert np.isneginf(top.scores).all()


def test_equals_go_to_the_earlier_instance_and_the_smaller_label():
    X = np.ones((6, 2))
    top = NearestInstances(neighbours=3).fit(X, np.eye(6)).predict_topk([[1.0, 1.0]], 6)
    assert top.labels.tolist() == [[0, 1, 2, -1, -1, -1]]


def _sparse_problem(seed):
    rng = np.random.default_rng(seed)
    common = rng.random((90, 12)) < np.linspace(0.05, 0.9, 12)
    X = as_csr(np.where(common, rng.random((90, 12)), 0).astype(np.float32))
    Y = as_csr((rng.random((70, 8)) < 0.2).astype(np.float32))
    return X[:70], Y, X[70:]


@pytest.mark.parametrize("seed", range(3))
def test_rare_features_count_more(seed):
    """Both sides weighed plainly by what scikit-learn calls the smoothed idf; the vote then is the unweighted one."""
    X, Y, X_test = _sparse_problem(seed)
    idf = TfidfTransformer().fit(X).idf_
    weighed = [as_csr((rows.toarray() * idf).astype(np.float32)) for rows in (X_test, X)]
    labels, scores = nearest_labels(weighed[0], (weighed[1], Y), 5, VoteConfig(neighbours=7, power=3.0))
    model = NearestInstances(neighbours=7, threads=1).fit(X, Y)
    top = model.predict_topk(X_test, 5)
    np.testing.assert_allclose(top.scores, scores, rtol=1e-4)
    assert (top.labels != labels).mean() < 0.02, "only near ties may turn"
    plain = NearestInstances(neighbours=7, weighting="none", threads=1).fit(X, Y).predict_topk(X_test, 5)
    assert (top.labels != plain.labels).any()


def test_every_method_weighs(tmp_path):
    X, Y, X_test = _sparse_problem(3)
    model = NearestInstances(neighbours=5, threads=1).fit(X, Y)
    top = model.predict_topk(X_test, 8)
    ask = model.single(8)
    for row, one in enumerate(X_test):
        labels, scores = ask(one.indices, one.data)
        assert (labels.tolist(), scores.tolist()) == (
            top.labels[row : row + 1].tolist(),
            top.scores[row : row + 1].tolist(),
        )
    dense = model.decision_function(X_test)
    kept = top.labels >= 0
    assert np.array_equal(np.take_along_axis(dense, np.maximum(top.labels, 0), axis=1)[kept], top.scores[kept])
    assert np.array_equal(model.score_pairs(X_test, np.ones((20, 8))).toarray(), dense)
    model.save(tmp_path / "model")
    again = ramify.load(tmp_path / "model")
    assert again.weighting == "idf"
    assert same(again.predict_topk(X_test, 8), top)


def test_settings_are_checked():
    X, Y = np.eye(3), np.eye(3)
    for settings, named in (
        ({"neighbours": 0}, "neighbours is 0"),
        ({"neighbours": 2.5}, "neighbours is 2.5"),
        ({"power": -1}, "power is -1"),
        ({"power": "much"}, "power is 'much'"),
        ({"weighting": "bm25"}, "weighting is 'bm25', but must be one of none, idf"),
    ):
        with pytest.raises(InputError, match=named):
            NearestInstances(**settings).fit(X, Y)


def test_in_an_ensemble(tmp_path):
    problem = planted_clusters(6, 3)
    members = [XRLinear(threads=1), NearestInstances()]
    mixed = Ensemble(members, weights=[0.7, 0.3], candidates=18, threads=1).fit(problem.X, problem.Y)
    linear, instances = mixed.members_
    top = mixed.predict_topk(problem.X_test, 5)
    scores = [np.maximum(member.decision_function(problem.X_test), 0) for member in (linear, instances)]
    exact = 0.7 * scores[0].astype(np.float64) + 0.3 * scores[1].astype(np.float64)
    np.testing.assert_allclose(top.scores, -np.sort(-exact, axis=1)[:, :5], atol=1e-6)
    mixed.save(tmp_path / "model")
    assert same(ramify.load(tmp_path / "model").predict_topk(problem.X_test, 5), top)


def test_in_a_tagger(tmp_path):
    tagger = Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1, threads=1)).fit(TEXTS, LABELS)
    assert [name for name, _ in tagger.tag(["tax on income"], k=1)[0]] == ["Tax"]
    assert tagger.tag(["quantum"]) == [[]]
    tagger.save(tmp_path / "model")
    loaded = ramify.load(tmp_path / "model")
    assert loaded.tag(TEXTS, k=3) == tagger.tag(TEXTS, k=3)
    assert [loaded.tag([text], k=3)[0] for text in TEXTS] == loaded.tag(TEXTS, k=3)
    assert loaded.tag(TEXTS[:1], k=2, allowed=["Pollution"])[0][0][0] == "Pollution"


def test_on_the_command_line(tmp_path, capsys):
    rows = [json.dumps({"text": text, "labels": names}) for text, names in zip(TEXTS, LABELS, strict=True)]
    data, model = tmp_path / "data.jsonl", str(tmp_path / "model")
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    train = ["train", str(data), "--out", model, "--model", "nearest-instances", "--neighbours", "3", "--min-df", "1"]
    assert run(train) == 0
    inner = ramify.load(model).model_
    assert (type(inner), inner.neighbours) == (NearestInstances, 3)
    assert run(["evaluate", model, str(data)]) == 0
    assert run(["inspect", model]) == 0
    assert "NearestInstances" in capsys.readouterr().out
    assert run(["predict", model, str(data), "-k", "2"]) == 0
    assert "Water" in capsys.readouterr().out
    assert run([*train, "--beam", "3"]) == 2
    assert "Traceback" not in capsys.readouterr().err
