"""What every estimator over one label tree answers: ranked labels, scores of given pairs, decisions, sub-models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.errors import InputError
from ramify.kernels.check import real_number, thread_count
from ramify.kernels.predict import SearchConfig
from ramify.match import BeamMatcher, restriction
from ramify.values import CSR, Float32, Int32, TopK, as_csr, as_label_matrix

StageProgress = Callable[[str, float], None]
"""Called with the name of the stage (features, represent, index, train, pack, predict) and the share that is done."""

DEFAULT_K = 10

Self = TypeVar("Self", bound="TreePredictor")


class TreePredictor(BaseEstimator):  # type: ignore[misc]
    """The prediction side of a tree model. ``fit`` is the model's own; it ends with ``_set_matcher``."""

    beam: int
    score_transform: str
    path_weight: float
    beam_floor: float
    decision_threshold: float
    threads: int | None

    def _set_matcher(self: Self, matcher: BeamMatcher) -> Self:
        self.matcher_, self.tree_ = matcher, matcher.tree
        self.n_features_in_, self.n_labels_ = matcher.n_features, matcher.tree.n_labels
        return self

    def _with_matcher(self: Self, matcher: BeamMatcher) -> Self:
        """A model of the same settings around another tree."""
        return type(self)(**self.get_params(deep=False))._set_matcher(matcher)

    def _decision_threshold(self) -> float:
        return real_number("decision_threshold", self.decision_threshold, -1e30, 1e30)

    def _search(self, beam: int | None = None) -> SearchConfig:
        beam = self.beam if beam is None else beam
        return SearchConfig(
            beam=beam, transform=self.score_transform, path_weight=self.path_weight, beam_floor=self.beam_floor
        )

    def predict_topk(
        self,
        X: Any,
        k: int | None = None,
        *,
        beam: int | None = None,
        allowed: Any = None,
        forbidden: Any = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """The k best labels of each instance.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        k : int, optional
            Labels per instance, at most L; 10 by default, or L where it is less.
        beam : int, optional
            Another beam than the model's.
        allowed : label ids, or matrix of shape (n, L), optional
            The only labels that may be predicted: for all, or per instance (scored exactly, without a beam).
        forbidden : label ids, or matrix of shape (n, L), optional
            Labels that must not be predicted: for all, or per instance.
        progress : callable, optional
            Told ("predict", share done).

        Returns
        -------
        TopK
            Scores of the model's ``score_transform``.

        Raises
        ------
        InputError
            k or beam out of range, X of another width.
        """
        check_is_fitted(self)
        X = self._features(X)
        k = min(DEFAULT_K, self.n_labels_) if k is None else k
        self._check_k(k)
        only, never = restriction(allowed, forbidden, X.shape[0], self.n_labels_)
        return self.matcher_.topk(
            X,
            int(k),
            self._search(beam),
            allowed=only,
            forbidden=never,
            threads=thread_count(self.threads),
            progress=None if progress is None else lambda done: progress("predict", done),
        )

    def _check_k(self, k: int) -> None:
        whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not whole or not 1 <= k <= self.n_labels_:
            raise InputError(f"k is {k!r}, but must be a whole number in 1..{self.n_labels_}, the number of labels")

    def single(self, k: int) -> Callable[[Int32, Float32], tuple[Int32, Float32]]:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

        The fast way for single instances: settings are checked here once, the arrays are trusted.
        """
        check_is_fitted(self)
        self._check_k(k)
        options = self._search().native(int(k), 1)
        matcher = self.matcher_
        return lambda indices, values: matcher.topk_one(indices, values, k, options)

    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs only, exactly, without a beam.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are asked for.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label that is in no leaf.
        """
        check_is_fitted(self)
        X = self._features(X)
        wanted = as_label_matrix(pairs, X.shape[0], n_labels=self.n_labels_)
        return self.matcher_.scores(X, wanted, self._search(), threads=thread_count(self.threads))

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels, exactly: a dense array of shape (n, L); -inf for a label that is in no leaf."""
        check_is_fitted(self)
        X = self._features(X)
        n, n_labels = X.shape[0], self.n_labels_
        indptr = np.arange(n + 1, dtype=np.int64) * n_labels
        indices = np.tile(np.arange(n_labels, dtype=np.int32), n)
        everything = sp.csr_matrix((np.ones(n * n_labels, np.float32), indices, indptr), shape=(n, n_labels))
        scored = self.matcher_.scores(X, everything, self._search(), threads=thread_count(self.threads))
        return np.asarray(scored.data.reshape(n, n_labels))

    def predict(self, X: Any) -> CSR:
        """0/1 matrix, shape (n, L): labels that the beam reaches with a score of ``decision_threshold`` or more."""
        check_is_fitted(self)
        X = self._features(X)
        widest = int(np.diff(self.tree_.first_children(self.tree_.depth - 1)).max())
        k = min(self.n_labels_, self.beam * widest)
        top = self.predict_topk(X, k)
        kept = (top.labels >= 0) & (top.scores >= self._decision_threshold())
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        data = np.ones(int(indptr[-1]), np.float32)
        found = sp.csr_matrix((data, top.labels[kept], indptr), shape=(X.shape[0], self.n_labels_))
        found.sort_indices()
        return found

    def score(self, X: Any, Y: Any) -> float:
        """Precision of the first label, P@1, for model selection."""
        top = self.predict_topk(X, 1)
        truth = as_label_matrix(Y, len(top), n_labels=self.n_labels_)
        rows = np.flatnonzero(top.labels[:, 0] >= 0)
        return float(np.asarray(truth[rows, top.labels[rows, 0]]).sum() / max(1, len(top)))

    def subtree(self: Self, level: int, node: int) -> Self:
        """What is below one inner node, as a model of its own over the same label space.

        Parameters
        ----------
        level, node : int
            As in ``tree_``: level 0 is below the root.
        """
        check_is_fitted(self)
        return self._with_matcher(self.matcher_.subtree(level, node))

    def _features(self, X: Any) -> CSR:
        X = instances(X)
        if X.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {X.shape[1]} features, but {type(self).__name__} "
                f"is expecting {self.n_features_in_} features as input"
            )
        return X


def instances(X: Any) -> CSR:
    """X as the kernels take it; InputError where it has no row or no column."""
    X = as_csr(X)
    if X.shape[0] == 0:
        raise InputError(f"X has 0 sample(s) (shape={X.shape}) while a minimum of 1 is required: give instances")
    if X.shape[1] == 0:
        raise InputError(f"X has 0 feature(s) (shape={X.shape}) while a minimum of 1 is required: give features")
    return X
