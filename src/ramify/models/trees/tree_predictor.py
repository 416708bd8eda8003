"""Prediction with a model over one label tree: ranked labels, scores of given pairs, sub-models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.errors import InputError
from ramify.exchange import CheckedRequest, Request, Single, Sizes
from ramify.kernels.predict import NativeOptions, SearchConfig
from ramify.match import BeamSearch
from ramify.match.beam import RowSettings
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.base.unit import SAFE, UnitRowModel, unit_scale, unit_values
from ramify.models.trees.path_reasons import tree_reason
from ramify.values import CSR, Float32, Hybrid, Int32, TopK, as_label_matrix

Self = TypeVar("Self", bound="TreePredictor")

_ROW_TYPES = (sp.csr_matrix, sp.csr_array, Hybrid)
_ANY_LENGTH = float("inf")


class TreePredictor(UnitRowModel):
    """Base class for prediction with a tree model. A subclass implements ``_learn``, which calls ``_set_search``."""

    beam: int
    score_transform: str
    path_weight: float
    merge_copies: str
    threads: int | None

    def _set_search(self: Self, matcher: BeamSearch) -> Self:
        self.search_, self.tree_ = matcher, matcher.tree
        self.n_features_in_, self.n_labels_ = matcher.n_features, matcher.tree.n_labels
        return self

    def _with_search(self: Self, matcher: BeamSearch) -> Self:
        """A model with the same settings and another tree."""
        model = type(self)(**self.get_params(deep=False))._set_search(matcher)
        model.normalized_rows_ = self.normalized_rows_
        return model

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        methods = {"score_pairs", "decision_function", "leaf_scores", "subtree", "reasons"}
        return frozenset({"beam", "tree", "classifiers", *methods})

    def _reachable(self) -> int:
        widest = int(np.diff(self.tree_.first_children(self.tree_.depth - 1)).max())
        return min(self.n_labels_, self.beam * widest)

    def size(self) -> Sizes:
        """Sizes of the fitted model, level by level."""
        sizes, levels = super().size(), self.search_.level_sizes()
        return replace(sizes, weights=sum(level.weights for level in levels), levels=levels)

    def _search_config(self, beam: int | None = None) -> SearchConfig:
        beam = self.beam if beam is None else beam
        return SearchConfig(
            beam=beam, transform=self.score_transform, path_weight=self.path_weight, copies=self.merge_copies
        )

    def _rank(self, request: CheckedRequest) -> TopK:
        return self.search_.topk(
            request.X,
            request.k,
            self._search_config(request.beam),
            allowed=request.allowed,
            forbidden=request.forbidden,
            threads=request.threads,
            progress=None if request.progress is None else request.report,
        )

    def _row_topk(self, X: Any, k: Any) -> TopK | None:
        """A row that is checked by native code in one call; any other input, and every error, is left to ``answer``."""
        search: BeamSearch | None = getattr(self, "search_", None)
        if search is None or type(X) not in _ROW_TYPES or X.shape != (1, search.n_features):
            return None
        if type(k) is not int or not 1 <= k <= self.n_labels_:
            return None
        settings = (k, self.threads, self.beam, self.score_transform, self.path_weight, self.merge_copies)
        try:
            if isinstance(X, Hybrid):
                return self._hybrid_row_topk(X, settings)
            return search.topk_row(X, settings, SAFE if self.normalize else _ANY_LENGTH)
        except (InputError, TypeError):  # a setting out of range, or one without a hash
            return None

    def _hybrid_row_topk(self, X: Hybrid, settings: RowSettings) -> TopK | None:
        """A ``Hybrid`` is checked when it is made."""
        if X.dense_scale is not None or X.n_dense != self.search_.n_dense:
            return None
        options = self.search_.row_options(settings)
        values, scale = self._one_hybrid(X.sparse.data, X.dense[0])
        return TopK(*self.search_.topk_one(X.sparse.indices, values, settings[0], options, X.dense[0], scale))

    def _one_hybrid(self, values: Float32, dense: Float32) -> tuple[Float32, float]:
        """Sparse values and the factor of the dense block of one instance, with the bits of ``_features``."""
        weight = self._block_weight
        if not self.normalize:
            return values, weight
        shrink = float(1 / np.sqrt(1 + weight**2))
        scale = (unit_scale(dense) * (weight * shrink)).astype(np.float32)
        return (unit_values(values) * shrink).astype(np.float32), float(scale[0])

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``; the arrays of the instance are not checked."""
        check_is_fitted(self)
        k = self._checked_k(k)

        def hybrid(search: BeamSearch, options: NativeOptions) -> Single:
            def answer(indices: Int32, values: Float32, dense: Float32) -> tuple[Int32, Float32]:
                values, scale = self._one_hybrid(values, dense)
                return search.topk_one(indices, values, k, options, dense, scale)

            return answer

        def prepare() -> Single:
            search = self.search_
            options = self._search_config().native(k, 1)
            if search.n_dense:
                return hybrid(search, options)
            if not search.by_row:
                return lambda indices, values: self._one_by_topk(indices, values, k)
            if self.normalize:
                return lambda indices, values: search.topk_one(indices, unit_values(values), k, options)
            return lambda indices, values: search.topk_one(indices, values, k, options)

        def settings() -> tuple[Any, ...]:
            search = id(self.search_), self._block_weight
            return *search, self.beam, self.score_transform, self.path_weight, self.merge_copies, self.normalize

        return PreparedCall(settings, prepare)

    def _one_by_topk(self, indices: Int32, values: Float32, k: int) -> tuple[Int32, Float32]:
        """``single`` for a search that has no function for one row."""
        values = unit_values(values) if self.normalize else values
        X = sp.csr_matrix((values, indices, np.array([0, len(indices)])), shape=(1, self.n_features_in_))
        top = self.search_.topk(X, k, self._search_config())
        return top.labels, top.scores

    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Exact scores of given (instance, label) pairs, computed without beam search.

        Parameters
        ----------
        X : sparse or dense matrix, or Hybrid, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are scored.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label without a leaf.
        """
        check_is_fitted(self)
        X = self._features(X)
        wanted = as_label_matrix(pairs, X.shape[0], n_labels=self.n_labels_, name="pairs")
        return self.search_.scores(X, wanted, self._search_config(), threads=self._threads())

    def decision_function(self, X: Any) -> Float32:
        """Exact scores of all labels: a dense array of shape (n, L); -inf for a label without a leaf."""
        check_is_fitted(self)
        X = self._features(X)
        n, n_labels = X.shape[0], self.n_labels_
        indptr = np.arange(n + 1, dtype=np.int64) * n_labels
        indices = np.tile(np.arange(n_labels, dtype=np.int32), n)
        everything = sp.csr_matrix((np.ones(n * n_labels, np.float32), indices, indptr), shape=(n, n_labels))
        scored = self.search_.scores(X, everything, self._search_config(), threads=self._threads())
        return np.asarray(scored.data.reshape(n, n_labels))

    def leaf_scores(self, X: Any, label: int) -> Float32:
        """Score of each leaf of a label for each instance.

        Parameters
        ----------
        X : sparse or dense matrix, or Hybrid, shape (n, d)
            Features.
        label : int
            Label id.

        Returns
        -------
        float32 array, shape (n, leaves of the label)
            In the order of ``tree_.leaf_labels``; no columns for a label without a leaf.
        """
        check_is_fitted(self)
        leaves = np.flatnonzero(self.tree_.leaf_labels == label).astype(np.int32)
        return self.search_.leaf_scores(self._features(X), leaves, self._search_config(), threads=self._threads())

    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """The clusters above the leaves that the search reaches.

        Parameters
        ----------
        X : sparse or dense matrix, or Hybrid, shape (n, d)
            Features.
        beam : int, optional
            Nodes kept per level; the model's setting when None.

        Returns
        -------
        csr_matrix, shape (n, clusters)
            Path scores, above 0, of the clusters that an instance reaches.
        """
        check_is_fitted(self)
        return self.search_.clusters_reached(self._features(X), self._search_config(beam), threads=self._threads())

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """Contributions of the features to the margins on the paths of each label: see ``models.base.reasons``."""
        check_is_fitted(self)
        checked = self._checked_request(request)
        config, free = self._search_config(checked.beam), checked.allowed is None and checked.forbidden is None
        rows = [checked.take(slice(row, row + 1)).X for row in range(len(checked))]
        return [[tree_reason(self.search_, X, label, config, free=free) for label in labels] for X in rows]

    def subtree(self: Self, level: int, node: int) -> Self:
        """The part of the model below one inner node, over the same label space.

        Parameters
        ----------
        level, node : int
            Level and node number as in ``tree_``; level 0 is below the root.
        """
        check_is_fitted(self)
        return self._with_search(self.search_.subtree(level, node))
