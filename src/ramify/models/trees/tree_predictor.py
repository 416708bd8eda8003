"""What every estimator over one label tree answers: ranked labels, scores of given pairs, decisions, sub-models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.checks import thread_count
from ramify.kernels.predict import SearchConfig
from ramify.match import BeamMatcher, restriction
from ramify.models.base.unit import UnitRowModel, unit_values
from ramify.values import CSR, Float32, Int32, StageProgress, TopK, as_label_matrix

Self = TypeVar("Self", bound="TreePredictor")


class TreePredictor(UnitRowModel):
    """The prediction side of a tree model. ``fit`` is the model's own; it ends with ``_set_matcher``."""

    beam: int
    score_transform: str
    path_weight: float
    merge_copies: str
    threads: int | None

    def _set_matcher(self: Self, matcher: BeamMatcher) -> Self:
        self.matcher_, self.tree_ = matcher, matcher.tree
        self.n_features_in_, self.n_labels_ = matcher.n_features, matcher.tree.n_labels
        return self

    def _with_matcher(self: Self, matcher: BeamMatcher) -> Self:
        """A model of the same settings around another tree."""
        model = type(self)(**self.get_params(deep=False))._set_matcher(matcher)
        model.normalized_rows_ = self.normalized_rows_
        return model

    @property
    def reach_(self) -> int:
        """Labels that the beam can reach at most."""
        widest = int(np.diff(self.tree_.first_children(self.tree_.depth - 1)).max())
        return min(self.n_labels_, self.beam * widest)

    def _search(self, beam: int | None = None) -> SearchConfig:
        beam = self.beam if beam is None else beam
        return SearchConfig(
            beam=beam, transform=self.score_transform, path_weight=self.path_weight, copies=self.merge_copies
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
        k = self._labels_asked(k)
        only, never = restriction(allowed, forbidden, X.shape[0], self.n_labels_)
        return self.matcher_.topk(
            X,
            k,
            self._search(beam),
            allowed=only,
            forbidden=never,
            threads=thread_count(self.threads),
            progress=None if progress is None else lambda done: progress("predict", done),
        )

    def single(self, k: int) -> Callable[[Int32, Float32], tuple[Int32, Float32]]:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

        The fast way for single instances: settings are checked here once, the arrays are trusted.
        """
        check_is_fitted(self)
        k = self._labels_asked(k)
        options = self._search().native(k, 1)
        matcher = self.matcher_
        if self.normalize:
            return lambda indices, values: matcher.topk_one(indices, unit_values(values), k, options)
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

    def leaf_scores(self, X: Any, label: int) -> Float32:
        """How well each leaf of a label suits each instance: for a label with copies, which sense is meant.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        label : int
            Label id.

        Returns
        -------
        float32 array, shape (n, leaves of the label)
            In the order of ``tree_.leaf_labels``; no column for a label that is in no leaf.
        """
        check_is_fitted(self)
        leaves = np.flatnonzero(self.tree_.leaf_labels == label).astype(np.int32)
        return self.matcher_.leaf_scores(self._features(X), leaves, self._search(), threads=thread_count(self.threads))

    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """Where the search would send instances: the clusters above the leaves.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        beam : int, optional
            Another beam than the model's.

        Returns
        -------
        csr_matrix, shape (n, clusters)
            The score of the path, above 0, where an instance reaches a cluster.
        """
        check_is_fitted(self)
        return self.matcher_.clusters_reached(self._features(X), self._search(beam), threads=thread_count(self.threads))

    def subtree(self: Self, level: int, node: int) -> Self:
        """What is below one inner node, as a model of its own over the same label space.

        Parameters
        ----------
        level, node : int
            As in ``tree_``: level 0 is below the root.
        """
        check_is_fitted(self)
        return self._with_matcher(self.matcher_.subtree(level, node))
