"""Neighbours among dense vectors: what exhaustive search finds, in few dimensions, saved and opened the same."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify import InputError, Partitioned
from ramify.errors import MissingExtraError
from ramify.label_vectors import unit_vectors
from ramify.models import DenseNeighbours
from ramify.testing.values import planted_clusters

pytest.importorskip("usearch", reason="needs the extra ann")

PROBLEM = planted_clusters()


def test_a_vote_by_hand():
    """Similarities to (1, 0): 1, 0.8 and 0; the third does not vote, and the labels of the others weigh 1 : 0.64."""
    X = np.array([[2.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    Y = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0]])
    top = DenseNeighbours(power=2.0).fit(X, Y).predict_topk([[1.0, 0.0]], 4)
    assert top.labels.tolist() == [[3, 0, 1, -1]]
    np.testing.assert_allclose(top.scores[0], [1, 1 / 1.64, 0.64 / 1.64, -np.inf], rtol=1e-6)


def test_equal_instances_are_one_point_with_the_mean_of_their_labels():
    X = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    model = DenseNeighbours().fit(X, Y)
    assert model.points_.shape == (2, 2)
    np.testing.assert_allclose(model.predict_topk([[1.0, 0.0]], 2).scores, [[2 / 3, 1 / 3]], rtol=1e-6)


def test_many_equal_instances_do_not_hide_the_others():
    X = np.repeat(np.eye(3), (3000, 500, 2), axis=0)
    top = DenseNeighbours(neighbours=5).fit(X, X).predict_topk(np.eye(3), 1)
    assert top.labels[:, 0].tolist() == [0, 1, 2]


def test_the_graph_finds_what_asking_all_points_finds():
    rng = np.random.default_rng(0)
    X, asked = (unit_vectors(rng.standard_normal((n, 16))) for n in (2000, 200))
    Y = np.eye(40, dtype=np.float32)[rng.integers(0, 40, 2000)]
    model = DenseNeighbours(neighbours=10, power=3.0, threads=2).fit(X, Y)
    found = model.predict_topk(asked, 1).labels[:, 0]
    similar = np.clip(asked @ X.T, 0, 1)
    similar[similar < np.sort(similar, axis=1)[:, [-10]]] = 0
    assert (found == (similar**3 @ Y).argmax(axis=1)).mean() > 0.97


def test_few_dimensions_keep_what_tells_instances_apart():
    reduced = DenseNeighbours(dimensions=60, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    assert reduced.components_.shape == (PROBLEM.X.shape[1], 60)
    assert reduced.points_.shape[1] == 60
    assert reduced.score(PROBLEM.X_test, PROBLEM.Y_test) > 0.9


@pytest.mark.parametrize("among", ["instances", "labels"])
def test_saved_and_opened_it_answers_the_same_with_any_threads(tmp_path, among):
    model = DenseNeighbours(among=among, dimensions=20, seed=3, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    model.save(tmp_path / "m")
    again = ramify.load(tmp_path / "m")
    other = DenseNeighbours(among=among, dimensions=20, seed=3, threads=3).fit(PROBLEM.X, PROBLEM.Y)
    wanted = model.predict_topk(PROBLEM.X_test, 5)
    for one in (again.predict_topk(PROBLEM.X_test, 5), other.predict_topk(PROBLEM.X_test, 5)):
        np.testing.assert_array_equal(one.labels, wanted.labels)
        np.testing.assert_array_equal(one.scores, wanted.scores)


def test_instances_of_which_nothing_is_known_get_nothing():
    X = sp.csr_matrix(np.array([[1.0, 0, 0], [0, 0, 0], [0, 1.0, 0]]))
    model = DenseNeighbours().fit(X, np.eye(3))
    assert model.predict_topk([[0.0, 0, 0], [0, 0, 1.0]], 2).labels.tolist() == [[-1, -1], [-1, -1]]
    empty = DenseNeighbours().fit(np.zeros((2, 3)), np.eye(2))
    assert empty.predict_topk([[1.0, 0, 0]], 1).labels.tolist() == [[-1]]


def test_as_a_matcher_by_name():
    model = Partitioned(matcher="dense", max_leaf=4, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    assert isinstance(model.matcher_, DenseNeighbours)
    assert model.score(PROBLEM.X_test, PROBLEM.Y_test) > 0.9


@pytest.mark.parametrize(
    "settings", [{"among": "words"}, {"dimensions": 0}, {"dimensions": 5000}, {"neighbours": 0}, {"effort": 1.5}]
)
def test_settings_out_of_range(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        DenseNeighbours(**settings).fit(PROBLEM.X, PROBLEM.Y)


def test_without_the_extra_one_sentence_names_it(monkeypatch):
    opened = DenseNeighbours.from_state(*DenseNeighbours().fit(np.eye(3), np.eye(3)).to_state())
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    for needs in (lambda: DenseNeighbours().fit(np.eye(3), np.eye(3)), lambda: opened.predict_topk(np.eye(3), 1)):
        with pytest.raises(MissingExtraError, match=r'pip install "ramify\[ann\]"'):
            needs()
