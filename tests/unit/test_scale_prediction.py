"""Prediction and evaluation by the tasks of an executor: the answers of one process."""

import os
import signal
import warnings

import numpy as np
import pytest
from scale_tools import assert_same_answers, hybrid, problem, trained
from sklearn.exceptions import NotFittedError

from ramify import XRLinear, evaluate
from ramify.errors import InputError, RamifyWarning
from ramify.scale import Cluster, ProcessExecutor, SerialExecutor, cluster
from ramify.scale.parts import answer_part
from ramify.values import TopK


@pytest.fixture(scope="module")
def data():
    return problem(n=700, n_labels=300)


@pytest.fixture(scope="module")
def model(data):
    return trained(*data, threads=1)


@pytest.mark.parametrize("make", [SerialExecutor, lambda: ProcessExecutor(2)])
def test_tasks_give_the_answer_and_the_measures_of_one_process(data, model, make):
    X, Y = data
    whole = model.predict_topk(X, 5)
    with Cluster(make()) as workers:
        top = workers.predict_topk(model, X, 5)
        assert workers.tasks == 16
        assert_same_answers(top, whole)
        assert evaluate(Y, top).as_dict() == evaluate(Y, whole).as_dict()
        assert_same_answers(workers.predict_topk(model, X[:3], 5), model.predict_topk(X[:3], 5))


def test_a_dense_block_and_the_default_number_of_labels(data):
    X, Y = data
    dense = hybrid(X)
    model = trained(dense, Y, threads=1)
    with Cluster(SerialExecutor()) as workers:
        assert_same_answers(workers.predict_topk(model, dense), model.predict_topk(dense))


def test_other_forms_of_features_and_changed_ones(data, model):
    X = data[0][:60]
    whole = model.predict_topk(X, 5)
    with Cluster(SerialExecutor()) as workers:
        assert_same_answers(workers.predict_topk(model, X.tocsc(), 5), whole)
        assert_same_answers(workers.predict_topk(model, X.toarray(), 5), whole)
        changed = X.copy()
        workers.predict_topk(model, changed, 5)
        changed.data[:] = changed.data[::-1].copy()
        assert_same_answers(workers.predict_topk(model, changed, 5), model.predict_topk(changed, 5))


class Own:
    """An object that is no ``Model``."""

    n_labels_ = 300

    def fit(self, X, Y):
        return self

    def predict_topk(self, X, k):
        labels = np.tile(np.arange(k, dtype=np.int32), (X.shape[0], 1))
        return TopK(labels, np.linspace(1, 0.5, k, dtype=np.float32)[None].repeat(X.shape[0], axis=0))


def test_an_object_with_fit_and_predict(data, tmp_path):
    with Cluster(SerialExecutor()) as workers:
        assert workers.predict_topk(Own(), data[0], 3).labels.shape == (700, 3)
    with (
        Cluster(SerialExecutor(), checkpoint=tmp_path) as workers,
        pytest.raises(InputError, match="Own has no to_state"),
    ):
        workers.predict_topk(Own(), data[0], 3)


def test_a_lost_worker_is_replaced(data, model, tmp_path, monkeypatch):
    marker = tmp_path / "marker"

    def killed_once(model, X, first, *others):
        if first > 300 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return answer_part(model, X, first, *others)

    monkeypatch.setattr(cluster, "answer_part", killed_once)
    with (
        Cluster(ProcessExecutor(2)) as workers,
        pytest.warns(RamifyWarning, match="the prediction for the documents .* lost its worker"),
    ):
        assert_same_answers(workers.predict_topk(model, data[0], 5), model.predict_topk(data[0], 5))


def test_finished_tasks_are_read_from_the_checkpoint_of_the_same_model(data, model, tmp_path):
    X, Y = data
    Cluster(SerialExecutor(), checkpoint=tmp_path).predict_topk(model, X, 5)
    again = Cluster(SerialExecutor(), checkpoint=tmp_path)
    assert_same_answers(again.predict_topk(model, X, 5), model.predict_topk(X, 5))
    assert (again.tasks, again.resumed) == (0, 16)
    other = trained(X, Y, threads=1, beam=1)
    for changed, matrix, k in ((other, X, 5), (model, X[::-1], 5), (model, X, 4)):
        fresh = Cluster(SerialExecutor(), checkpoint=tmp_path)
        assert_same_answers(fresh.predict_topk(changed, matrix, k), changed.predict_topk(matrix, k))
        assert (fresh.tasks, fresh.resumed) == (16, 0)


def test_bad_input(data, model):
    with Cluster(SerialExecutor()) as workers:
        with pytest.raises(InputError, match="X has 0 sample"):
            workers.predict_topk(model, data[0][:0], 5)
        with pytest.raises(InputError, match="X has 5 features"):
            workers.predict_topk(model, data[0][:, :5], 5)
        with pytest.raises(InputError, match="k is 0"):
            workers.predict_topk(model, data[0], 0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # no task is begun again
            with pytest.raises(NotFittedError):
                workers.predict_topk(XRLinear(), data[0], 5)
