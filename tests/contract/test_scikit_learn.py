"""scikit-learn's own checks, with a reason for each that cannot apply to multilabel classification by a tree."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from ramify import Ensemble, NearestInstances, Tagger, Tfidf, XRLinear

EXCUSED = {
    "check_dtype_object": "expects a TypeError for objects in X; here every bad input is an InputError, a ValueError",
    "check_n_features_in_after_fitting": "passes the labels as y=; they are called Y, as in the papers",
    "check_sample_weight_equivalence_on_dense_data": "weights scale costs only; the clustering of labels ignores them",
    "check_sample_weight_equivalence_on_sparse_data": "weights scale costs only; the clustering of labels ignores them",
}


def _excuses(_estimator):
    return EXCUSED


@parametrize_with_checks(
    [XRLinear(threads=1), XRLinear(threads=1, max_leaf=3, loss="logistic", precision="fp32", negatives="tfn+man")],
    expected_failed_checks=_excuses,
)
def test_xr_linear(estimator, check):
    check(estimator)


@parametrize_with_checks([Ensemble([XRLinear(), XRLinear(seed=1)], threads=1)], expected_failed_checks=_excuses)
def test_ensemble(estimator, check):
    check(estimator)


@parametrize_with_checks([NearestInstances(threads=1)], expected_failed_checks=_excuses)
def test_nearest_instances(estimator, check):
    check(estimator)


def test_another_width_is_named_by_every_method():
    """What check_n_features_in_after_fitting would see if it passed Y by place."""
    X, Y = np.eye(4, dtype=np.float32), np.eye(4)
    model = XRLinear(threads=1).fit(X, Y)
    calls = (model.predict, model.predict_topk, model.decision_function, lambda X: model.score(X, Y))
    for call in calls:
        with pytest.raises(ValueError, match="X has 3 features, but XRLinear is expecting 4 features as input"):
            call(X[:, :3])


def test_tagger_conventions():
    tagger = Tagger(XRLinear(beam=3, threads=1), vectorizer=Tfidf(min_df=1))
    again = clone(tagger).set_params(model__beam=4, vectorizer__min_df=2)
    assert (tagger.model.beam, again.model.beam, again.get_params()["vectorizer__min_df"]) == (3, 4, 2)
    for call in (lambda: tagger.tag(["a"]), lambda: tagger.predict_topk(["a"]), lambda: tagger.save("nowhere")):
        with pytest.raises(NotFittedError):
            call()
    fitted = tagger.fit(["red apple", "green pear", "red pear"], [["Red"], ["Green"], ["Red"]])
    assert fitted is tagger
    assert not hasattr(tagger.model, "tree_")
    tagger.tag(["red"])  # leaves a prepared call behind
    assert pickle.loads(pickle.dumps(tagger)).tag(["red", "pear"]) == tagger.tag(["red", "pear"])
