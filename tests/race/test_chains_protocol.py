"""Weights of ensembles and thresholds of label sets are fitted on held-out documents, never on test documents."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("torch", reason="needs the extra torch")

import chains
from racing.chain_members import Scores, Study
from racing.matrices import Matrices

N, N_LABELS = 200, 6
RNG = np.random.default_rng(0)
Y = (RNG.random((N, N_LABELS)) < 0.3).astype(np.float32)
Y[np.arange(N), RNG.integers(N_LABELS, size=N)] = 1


def _noisy(Y, noise, seed):
    """Scores of the labels of Y: informative for a small noise."""
    return (0.3 * Y + noise * np.random.default_rng(seed).random(Y.shape)).astype(np.float32)


@pytest.fixture
def row_of(tmp_path, monkeypatch):
    """The row of a system on documents with given test labels; both members have made-up scores."""

    def row_of(system, Y_test):
        for name, matrix in (("X", np.eye(N)), ("Y", Y), ("X_test", np.eye(N)), ("Y_test", Y_test)):
            sp.save_npz(tmp_path / f"{name}.npz", sp.csr_matrix(matrix.astype(np.float32)))
        run = chains.Run(Matrices("toy", tmp_path, "print", {"documents": N}), 0, 1)
        held = run.study.held.Y.toarray()

        def scores(self, name, number):
            return Scores(_noisy(held, 0.2 + number, number), _noisy(Y_test, 1.2 - number, number), 1.0, {})

        monkeypatch.setattr(Study, "scores", scores)
        return run, run.row(system)

    return row_of


@pytest.mark.parametrize("system", ["composite", "resequenced", "xr-linear"])
def test_test_labels_change_the_measures_but_nothing_that_is_fitted(row_of, system):
    (_, row), (_, other) = (row_of(system, Y_test) for Y_test in (Y, 1 - Y[::-1]))
    assert row["sets"]["threshold"] == other["sets"]["threshold"]
    assert row.get("weight") == other.get("weight")
    assert row["sets"]["micro F1"] != other["sets"]["micro F1"]
    assert row["P@1"] != other["P@1"]


def test_the_threshold_has_the_largest_f1_on_held_out_documents(row_of):
    run, row = row_of("composite", Y)
    scores, truth = run.scores("composite").held, run.study.held.Y.toarray() > 0
    found = [scores >= threshold for threshold in np.unique(scores)]
    best = max(2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()) for chosen in found)
    chosen = scores >= row["sets"]["threshold"]
    assert 2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()) == pytest.approx(best)
    assert row["weight"] < 0.5  # the first member's held-out scores are better, the second one's test scores


def test_held_out_scores_of_xr_linear_are_of_a_tree_that_was_not_trained_on_them(row_of):
    run, _ = row_of("composite", Y)
    found, truth = run.scores("xr-linear").held, run.study.held.Y.toarray()
    best = truth[np.arange(len(truth)), found.argmax(axis=1)]
    assert best.mean() < 0.8  # every document has a feature of its own: a tree that was trained on it has 1
