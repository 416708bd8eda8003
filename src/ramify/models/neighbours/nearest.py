"""Votes of the most similar training instances (k nearest neighbours).

w   = 1 + ln((1 + n) / (1 + df)) per feature    with weighting "idf"; 1 with "none"
s_i = cosine(w ∘ x, w ∘ x_i)                    over the training instances
N   = the ``neighbours`` instances with the largest s_i > 0
score(l) = Σ_N s_i^power · Y_il / Σ_N s_i^power

Only the ratios of the s_i matter. The factor w is applied twice to the stored instances, so that queries need no
weighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.checks import THREADS, OneOf, Rules, whole_number
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Single
from ramify.kernels.neighbours import NeighbourSearcher, VoteConfig
from ramify.models.base.model import RankingModel
from ramify.models.base.prepared import PreparedCall
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import check_rows, matrix_over, stored_array, stored_size, stored_vectors
from ramify.models.neighbours.votes import feature_weights, instance_votes
from ramify.values import CSR, Features, Float32, Float64, Hybrid, TopK, as_label_matrix

TYPES = {
    "columns/indptr": np.int64,
    "columns/instances": np.int32,
    "columns/values": np.float32,
    "labels/indptr": np.int64,
    "labels/ids": np.int32,
}
"""Arrays of a model directory."""

WEIGHTINGS = ("none", "idf")


class NearestInstances(RankingModel):
    """Votes of the most similar training instances (k nearest neighbours).

    Of a ``Hybrid``, only the sparse block is used.

    It stores all instances and trains no weights. It is usually less precise than ``XRLinear``; an ``Ensemble`` of both
    is usually more precise than either.

    Parameters
    ----------
    neighbours : int, default 30
        Number of training instances that vote: those with the largest cosine, above 0; ties go to the earlier instance.
    power : float, default 3.0
        A neighbour of similarity s votes with weight s**power; with 0, all have the same weight.
    weighting : {"none", "idf"}, default "idf"
        Weights that the features are multiplied by; "idf": 1 + ln((1 + n) / (1 + df)). They are applied in ``fit``; a
        later change has no effect.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    searcher_ : NeighbourSearcher
        The training instances, indexed by feature, and their labels.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        **VoteConfig.RULES,
        "weighting": OneOf(WEIGHTINGS),
        "threads": THREADS,
    }
    FLAGS = ("neighbours", "power", "weighting")

    def __init__(
        self,
        *,
        neighbours: int = 30,
        power: float = 3.0,
        weighting: str = "idf",
        threads: int | None = None,
    ) -> None:
        self.neighbours = neighbours
        self.power = power
        self.weighting = weighting
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        """Store the instances, indexed by feature."""
        X = _sparse_block(training.X)
        training.report("index", 0.0)
        weights = _weights(X) if self.weighting == "idf" else None
        self._set_searcher(NeighbourSearcher.of(X, training.Y, weights), training.X.shape[1])
        training.report("index", 1.0)

    def _vote(self) -> VoteConfig:
        return VoteConfig(neighbours=self.neighbours, power=self.power)

    def _set_searcher(self, searcher: NeighbourSearcher, n_features: int) -> NearestInstances:
        self.searcher_ = searcher
        self.n_features_in_, self.n_labels_ = n_features, searcher.n_labels
        return self

    def _features(self, X: Any) -> CSR:
        features = _sparse_block(super()._features(X))
        if features.shape[1] != self.searcher_.n_features:
            raise InputError(
                f"X has {features.shape[1]} sparse features, but NearestInstances is expecting "
                f"{self.searcher_.n_features}: give the features of the training data"
            )
        return features

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"hybrid", "score_pairs", "decision_function", "reasons"})

    def _reachable(self) -> int:
        most = self._vote().neighbours
        return int(min(self.n_labels_, np.sort(np.diff(self.searcher_.Y.indptr))[-most:].sum()))

    def _rank(self, request: CheckedRequest) -> TopK:
        """Rank the labels of the neighbours; restrictions drop labels, not neighbours."""
        self.check_settings()
        found = self.searcher_.search(
            request.X,
            request.k,
            self._vote(),
            allowed=request.allowed,
            forbidden=request.forbidden,
            threads=request.threads,
            progress=None if request.progress is None else request.report,
        )
        return TopK(*found)

    def single(self, k: int) -> Single:
        """See ``RankingModel.single``; the arrays of the instance are not checked."""
        check_is_fitted(self)
        k = self._checked_k(k)

        def prepare() -> Single:
            searcher, request = self.searcher_, self._vote().native(k, 1)
            return lambda indices, values, dense=None: searcher.search_one(indices, values, request, k)

        return PreparedCall(lambda: (id(self.searcher_), self.neighbours, self.power), prepare)

    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are scored.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label that no neighbour has.
        """
        check_is_fitted(self)
        X = self._features(X)
        wanted = as_label_matrix(pairs, X.shape[0], n_labels=self.n_labels_, name="pairs")
        scores = np.full(wanted.nnz, -np.inf, np.float32)
        most = int(np.diff(wanted.indptr).max())
        if most:
            top = self.predict_topk(X, min(most, self._reachable()), allowed=wanted)
            rows, ranks = np.nonzero(top.labels >= 0)
            row_offsets = np.repeat(np.arange(X.shape[0]), np.diff(wanted.indptr)) * np.int64(self.n_labels_)
            place = np.searchsorted(
                row_offsets + wanted.indices, rows * np.int64(self.n_labels_) + top.labels[rows, ranks]
            )
            scores[place] = top.scores[rows, ranks]
        return sp.csr_matrix((scores, wanted.indices, wanted.indptr), shape=wanted.shape)

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The training instances that vote: see ``models.base.reasons``."""
        self.check_settings()
        checked = self._checked_request(request)
        return instance_votes(self.searcher_, checked.X, self._vote(), labels, idf=self.weighting == "idf")

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels: a dense array of shape (n, L); -inf for a label that no neighbour has."""
        check_is_fitted(self)
        top = self.predict_topk(X, self._reachable())
        rows, ranks = np.nonzero(top.labels >= 0)
        scores = np.full((len(top), self.n_labels_), -np.inf, np.float32)
        scores[rows, top.labels[rows, ranks]] = top.scores[rows, ranks]
        return scores

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        columns, Y = self.searcher_.columns, self.searcher_.Y
        parts = (columns.indptr, columns.indices, columns.data, Y.indptr, Y.indices)
        arrays = {name: np.asarray(part, TYPES[name]) for name, part in zip(TYPES, parts, strict=True)}
        sizes = {"n_instances": int(Y.shape[0]), "n_features": columns.shape[0], "n_labels": self.n_labels_}
        if self.n_features_in_ > columns.shape[0]:
            sizes["n_dense"] = self.n_features_in_ - columns.shape[0]
        return {"settings": self._plain_settings(), "sizes": sizes}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> NearestInstances:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the stored instances are"):
            model = cls(**config["settings"])
            model.check_settings()
            searcher = _stored_searcher(config["sizes"], arrays)
            n_dense = whole_number("n_dense", config["sizes"].get("n_dense", 0), 0, 2**31 - 1)
            return model._set_searcher(searcher, searcher.n_features + n_dense)


def _sparse_block(X: Features) -> CSR:
    return X.sparse if isinstance(X, Hybrid) else X


def _weights(X: CSR) -> Float64:
    """Weight of each feature, shape (d,): 1 for a feature without instances, smaller for more frequent features."""
    return feature_weights(X.shape[0], np.bincount(X.indices[X.data != 0], minlength=X.shape[1]))


def _stored_searcher(sizes: dict[str, Any], arrays: dict[str, Any]) -> NeighbourSearcher:
    """Restore the searcher; all arrays are checked, because native code does not check them."""
    n, d, n_labels = (stored_size(sizes[name], name) for name in ("n_instances", "n_features", "n_labels"))
    for name, wanted in TYPES.items():
        stored_array(arrays, name, wanted, (None,))
    pointers, kept, values, label_pointers, labels = (arrays[name] for name in TYPES)
    check_rows(pointers, kept, (d, n))
    check_rows(label_pointers, labels, (n, n_labels))
    stored_vectors(arrays, "columns/values", (len(kept),))
    if len(labels) == 0:
        raise InputError("no instance has a label")
    columns = matrix_over((values, kept, pointers), (d, n))
    return NeighbourSearcher(
        columns, matrix_over((np.ones(len(labels), np.float32), labels, label_pointers), (n, n_labels))
    )
