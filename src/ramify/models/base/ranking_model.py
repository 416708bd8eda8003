"""What every estimator that ranks labels answers from its ``predict_topk``: labels by a threshold, and P@1."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import THRESHOLD, Checked, Real, Whole
from ramify.errors import InputError
from ramify.evaluation import evaluate
from ramify.models.base.persistence import save
from ramify.values import CSR, TopK, as_csr, as_label_matrix
from ramify.wording import quoted

DEFAULT_K = 10

MOST_FEATURES = 2**28
"""Columns of X at most: training takes some bytes for each, used or not."""

HELD_OUT = Real(0, 0.9)
"""Share of the training instances that a choice is made by."""


class Part(NamedTuple):
    """Instances with their labels, (n, d) and (n, L)."""

    X: CSR
    Y: CSR

    def split(
        self, share: float, seed: int, *, most_rest: int | None = None, most_held: int | None = None
    ) -> tuple[Part, Part] | None:
        """What to train on, and a share of the labelled instances to keep back; None where that is nothing."""
        labelled = np.flatnonzero(np.diff(self.Y.indptr))
        n_held = int(share * len(labelled))
        n_held = n_held if most_held is None else min(most_held, n_held)
        if n_held == 0:
            return None
        order = np.random.default_rng(seed).permutation(labelled)
        last = len(order) if most_rest is None else n_held + most_rest
        rest, held = np.sort(order[n_held:last]), np.sort(order[:n_held])
        return Part(self.X[rest], self.Y[rest]), Part(self.X[held], self.Y[held])


def mean_precision(Y: CSR, top: TopK, Y_train: CSR) -> float:
    """Mean of P@1, P@3 and P@5, as far as there are labels: what settings are chosen by."""
    ranks = [k for k in (1, 3, 5) if k <= Y.shape[1]]
    best = TopK(top.labels[:, : ranks[-1]], top.scores[:, : ranks[-1]])
    report = evaluate(Y, best, Y_train=Y_train, ks=ranks)
    return float(np.mean([float(report[f"P@{k}"]) for k in ranks]))


class RankingModel(Checked, BaseEstimator):  # type: ignore[misc]
    """Base of the models over features: they bring ``fit`` and ``predict_topk``."""

    decision_threshold: float
    n_features_in_: int
    n_labels_: int

    @property
    def reach_(self) -> int:
        """Labels that the answer for one instance can hold at most; all of them unless a model knows better."""
        return self.n_labels_

    def predict_topk(self, X: Any, k: int | None = None) -> TopK:
        """The k best labels of each instance."""
        raise NotImplementedError

    def predict(self, X: Any) -> CSR:
        """0/1 matrix, shape (n, L): labels that the search reaches with a score of ``decision_threshold`` or more."""
        check_is_fitted(self)
        X = self._features(X)
        top = self.predict_topk(X, self.reach_)
        kept = (top.labels >= 0) & (top.scores >= self._decision_threshold())
        return top.matrix(kept, np.ones_like(top.scores), self.n_labels_)

    def score(self, X: Any, Y: Any) -> float:
        """Precision of the first label, P@1, for model selection."""
        top = self.predict_topk(X, 1)
        truth = as_label_matrix(Y, len(top), n_labels=self.n_labels_)
        rows = np.flatnonzero(top.labels[:, 0] >= 0)
        return float(np.asarray(truth[rows, top.labels[rows, 0]]).sum() / max(1, len(top)))

    def _decision_threshold(self) -> float:
        threshold: float = THRESHOLD.check("decision_threshold", self.decision_threshold)
        return threshold

    def _labels_asked(self, k: Any) -> int:
        """The checked k; the default where it is None."""
        if k is None:
            return min(DEFAULT_K, self.n_labels_)
        if not Whole(1, self.n_labels_).fits(k):
            raise InputError(
                f"k is {quoted(k)}, but must be a whole number in 1..{self.n_labels_}, the number of labels"
            )
        return int(k)

    def _features(self, X: Any) -> CSR:
        X = instances(X)
        if X.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {X.shape[1]} features, but {type(self).__name__} "
                f"is expecting {self.n_features_in_} features as input"
            )
        return X

    def _plain_settings(self) -> dict[str, Any]:
        """What ``__init__`` was told, for a model directory: NumPy's scalars become Python's."""
        settings = self.get_params(deep=False)
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}

    def save(self, directory: str | Path) -> None:
        """Write a model directory; an older model there is replaced in one step (see ``store.save_model``)."""
        save(self, directory)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def instances(X: Any) -> CSR:
    """X as the kernels take it; InputError where it has no row, no column, or more columns than a model is made for."""
    X = as_csr(X)
    if X.shape[0] == 0:
        raise InputError(f"X has 0 sample(s) (shape={X.shape}) while a minimum of 1 is required: give instances")
    if X.shape[1] == 0:
        raise InputError(f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required: give features")
    if X.shape[1] > MOST_FEATURES:
        raise InputError(
            f"X has {X.shape[1]:,} features, but a model holds at most {MOST_FEATURES:,}: fit a Tagger, which selects "
            "the used columns, or hash into fewer"
        )
    return X


def assignments(Y: Any, n: int, model: str) -> CSR:
    """Y of n instances as 0/1; InputError where there is none, or nothing to learn from it."""
    if Y is None:
        raise InputError(f"{model} requires y to be passed, but the target y is None: give label assignments Y")
    Y = as_label_matrix(Y, n)
    if Y.nnz == 0:
        raise InputError("Y has no positive entry, so there is nothing to learn: give labelled instances")
    return Y


def best_labels(scores: CSR, k: int) -> TopK:
    """The k largest entries of each row, ties to the smaller label."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    rank = np.arange(len(rows)) - scores.indptr[rows]
    kept = rank < k
    top = TopK(np.full((scores.shape[0], k), -1, np.int32), np.full((scores.shape[0], k), -np.inf, np.float32))
    place = (rows[kept], rank[kept])
    top.labels[place], top.scores[place] = scores.indices[order[kept]], scores.data[order[kept]]
    return top
