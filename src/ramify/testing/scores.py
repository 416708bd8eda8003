"""Checks that all prediction methods agree: top k, all scores, pairs, labels, restrictions, sub-trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.exchange import Request
from ramify.models.base.adapter import SURE_SCORE, as_model, settings_of
from ramify.models.base.model import RankingModel
from ramify.testing.values import (
    Factory,
    NotApplicableError,
    Problem,
    need_ability,
    need_method,
    planted_clusters,
    same,
)
from ramify.values import Float32, TopK

WIDE = 10_000
"""A beam larger than any level of the tested trees."""


def _fitted(factory: Factory) -> tuple[Any, Problem]:
    problem = planted_clusters(6, 3)
    return factory().fit(problem.X, problem.Y), problem


def _wide(model: Any) -> dict[str, int]:
    return {"beam": WIDE} if "beam" in as_model(model).abilities else {}


def check_topk_is_in_order(factory: Factory) -> None:
    """Scores descend, labels are distinct and in range, and rows are filled with label -1 and score -inf."""
    model, problem = _fitted(factory)
    n_labels = problem.Y.shape[1]
    for k in (1, 4, n_labels):
        top = model.predict_topk(problem.X_test, k)
        assert isinstance(top, TopK), f"predict_topk returned a {type(top).__name__}, but must return a TopK"
        assert top.labels.shape == (problem.X_test.shape[0], k), (
            f"predict_topk with k = {k} returned shape {top.labels.shape}"
        )
        assert (top.scores[:, :-1] >= top.scores[:, 1:]).all(), "scores do not descend"
        assert ((top.labels == -1) == np.isneginf(top.scores)).all(), "labels of -1 and scores of -inf do not coincide"
        for row in top.labels:
            given = row[row >= 0]
            assert len(np.unique(given)) == len(given), "a label is returned twice for one instance"
            assert (given < n_labels).all(), "a returned label does not exist"


def check_exact_scores_agree(factory: Factory) -> None:
    """With a beam that keeps all nodes, predict_topk returns the largest entries of decision_function."""
    model, problem = _fitted(factory)
    need_ability(model, "decision_function")
    scores = model.decision_function(problem.X_test)
    assert scores.shape == problem.Y_test.shape, f"decision_function returned shape {scores.shape}"
    top = model.predict_topk(problem.X_test, 5, **_wide(model))
    _agree(top, scores)
    assert np.array_equal(top.scores, -np.sort(-scores, axis=1)[:, :5]), "predict_topk misses labels of higher score"


def _agree(top: TopK, scores: Float32) -> None:
    rows, ranks = np.nonzero(top.labels >= 0)
    ranked, exact = top.scores[rows, ranks], scores[rows, top.labels[rows, ranks]]
    assert np.array_equal(ranked, exact), "predict_topk and decision_function score a label differently"


def check_pairs_agree(factory: Factory) -> None:
    """score_pairs returns the requested entries of decision_function, and no others."""
    model, problem = _fitted(factory)
    need_ability(model, "score_pairs")
    scores = model.decision_function(problem.X_test)
    pairs = model.score_pairs(problem.X_test, problem.Y_test)
    assert np.array_equal(pairs.indptr, problem.Y_test.indptr), "score_pairs returned other pairs than requested"
    assert np.array_equal(pairs.indices, problem.Y_test.indices), "score_pairs returned other pairs than requested"
    rows = np.repeat(np.arange(len(scores)), np.diff(pairs.indptr))
    assert np.array_equal(pairs.data, scores[rows, pairs.indices]), "score_pairs and decision_function disagree"


def check_predict_agrees(factory: Factory) -> None:
    """``predict`` returns the labels with scores of at least the threshold."""
    model, problem = _fitted(factory)
    need_method(model, "predict")
    top = model.predict_topk(problem.X_test, problem.Y.shape[1])
    _check_above(model.predict(problem.X_test), top, SURE_SCORE, problem.Y_test.shape)
    if getattr(type(model), "decided", None) is RankingModel.decided:  # others may compare other scores, or have none
        middle = float(np.median(top.scores[top.labels >= 0]))
        _check_above(model.predict(problem.X_test, threshold=middle), top, middle, problem.Y_test.shape)


def _check_above(found: Any, top: TopK, threshold: float, shape: tuple[int, int]) -> None:
    sparse = sp.issparse(found)
    assert sparse, "predict returned a dense matrix"
    assert found.shape == shape, f"predict returned shape {found.shape}"
    wanted = np.zeros(shape)
    rows, ranks = np.nonzero((top.labels >= 0) & (top.scores >= np.float32(threshold)))
    wanted[rows, top.labels[rows, ranks]] = 1
    assert np.array_equal(found.toarray(), wanted), (
        "predict and predict_topk disagree on the labels above the threshold"
    )


def check_batch_equals_single(factory: Factory) -> None:
    """Predictions for a single instance and within a batch are bitwise equal."""
    model, problem = _fitted(factory)
    whole = model.predict_topk(problem.X_test, 4)
    for row in range(0, len(whole), 17):
        alone = model.predict_topk(problem.X_test[row], 4)
        assert same(alone, TopK(whole.labels[row : row + 1], whole.scores[row : row + 1])), (
            f"the prediction for instance {row} differs between a single call and a batch"
        )
    for cut in (1, 100):
        parts = [model.predict_topk(part, 4) for part in (problem.X_test[:cut], problem.X_test[cut:])]
        joined = TopK(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "scores")))
        assert same(joined, whole), f"the predictions differ if the batch is split at {cut}"


def check_single_call_agrees(factory: Factory) -> None:
    """The function of ``single`` and predict_topk give bitwise equal results."""
    model, problem = _fitted(factory)
    predict_one, whole = as_model(model).single(3), model.predict_topk(problem.X_test, 3)
    for row in range(0, len(whole), 23):
        one = problem.X_test[row]
        labels, scores = predict_one(one.indices, one.data)
        assert same(TopK(labels, scores), TopK(whole.labels[row : row + 1], whole.scores[row : row + 1])), (
            f"single() and predict_topk differ for instance {row}"
        )


def check_restrictions(factory: Factory) -> None:
    """Restricted rankings equal the filtered full ranking, for restrictions on all instances and per instance."""
    model, problem = _fitted(factory)
    X, n_labels, wide = problem.X_test[:40], problem.Y.shape[1], _wide(model)
    rng = np.random.default_rng(5)
    mask, per_row = rng.random(n_labels) < 0.4, rng.random((40, n_labels)) < 0.3
    full = model.predict_topk(X, n_labels, **wide)
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"allowed": np.flatnonzero(mask)}, np.tile(mask, (40, 1))),
        ({"allowed": mask}, np.tile(mask, (40, 1))),
        ({"forbidden": np.flatnonzero(mask).tolist()}, np.tile(~mask, (40, 1))),
        ({"allowed": sp.csr_matrix(per_row)}, per_row),
        ({"forbidden": per_row}, ~per_row),
        ({"allowed": mask, "forbidden": per_row}, mask & ~per_row),
        ({"allowed": per_row, "forbidden": mask}, ~mask & per_row),
        ({"allowed": per_row, "forbidden": ~per_row}, per_row),
        ({"allowed": []}, np.zeros_like(per_row)),
    ]
    for given, may in cases:
        top = model.predict_topk(X, n_labels, **given, **wide)
        assert same(top, _filtered(full, may)), (
            f"with {', '.join(given)}, the ranking differs from the filtered full ranking"
        )


def _filtered(top: TopK, may: Any) -> TopK:
    labels, scores = np.full_like(top.labels, -1), np.full_like(top.scores, -np.inf)
    for row in range(len(top)):
        kept = (top.labels[row] >= 0) & may[row, np.maximum(top.labels[row], 0)]
        labels[row, : kept.sum()], scores[row, : kept.sum()] = top.labels[row, kept], top.scores[row, kept]
    return TopK(labels, scores)


def check_single_call_follows_settings(factory: Factory) -> None:
    """The function of ``single`` uses the current settings, like predict_topk."""
    model, problem = _fitted(factory)
    one = problem.X_test[0]
    answer = as_model(model).single(4)
    answer(one.indices, one.data)
    changes = {"beam": 1, "neighbours": 1, "candidates": 1, "normalize": False}
    known = [name for name in changes if name in model.get_params(deep=False)]
    for name in known:
        model.set_params(**{name: changes[name]})
        wanted = model.predict_topk(one, 4)
        assert same(TopK(*answer(one.indices, one.data)), wanted), f"single() ignores a change of {name}"


def check_answering_changes_nothing(factory: Factory) -> None:
    """A request with beam, threads and restrictions changes no setting of the model or its parts."""
    model, problem = _fitted(factory)
    before = _all_settings(model)
    beam = 3 if "beam" in as_model(model).abilities else None
    as_model(model).answer(Request(X=problem.X_test[:5], k=2, allowed=[0, 1, 2], threads=2, beam=beam))
    assert _all_settings(model) == before, "a request changes settings of the model"


def _all_settings(model: Any) -> list[dict[str, str]]:
    own = {name: repr(value) for name, value in settings_of(model).items()}
    return [own, *(one for part in as_model(model).inside().values() for one in _all_settings(part))]


def check_subtree(factory: Factory) -> None:
    """A sub-tree and the whole model, restricted to its labels, give the same ranking with ``path_weight=0``."""
    need_ability(factory(), "subtree")
    model, problem = _fitted(lambda: factory().set_params(path_weight=0.0))
    tree = model.tree_
    if tree.depth < 2 or tree.overlapping:
        raise NotApplicableError("the tree has no inner node, or labels with several leaves")
    for node in range(tree.level_sizes[-2]):
        part = model.subtree(tree.depth - 2, node)
        below = tree.leaf_labels[tree.parents[-1] == node]
        assert set(part.tree_.leaf_labels.tolist()) == set(below.tolist()), (
            "the labels of a sub-tree differ from those below its node"
        )
        restricted = model.predict_topk(problem.X_test, len(below), allowed=below, beam=WIDE)
        assert same(part.predict_topk(problem.X_test, len(below)), restricted), (
            "a sub-tree and the whole model rank its labels differently"
        )


SCORE_CHECKS = (
    check_topk_is_in_order,
    check_exact_scores_agree,
    check_pairs_agree,
    check_predict_agrees,
    check_batch_equals_single,
    check_single_call_agrees,
    check_single_call_follows_settings,
    check_answering_changes_nothing,
    check_restrictions,
    check_subtree,
)
