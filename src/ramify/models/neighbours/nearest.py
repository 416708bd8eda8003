"""The labels of the most similar training instances: the memory of single instances that a linear model lacks.

w   = 1 + ln((1 + n) / (1 + df)) per feature    with weighting "idf"; 1 with "none"
s_i = cosine(w ∘ x, w ∘ x_i)                    over the training instances
N   = the ``neighbours`` instances of largest s_i > 0
score(l) = Σ_N s_i^power · Y_il / Σ_N s_i^power

Only the proportions of the s_i count. So the kept instances carry w twice, and a query is asked as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.checks import THREADS, THRESHOLD, OneOf, Rules, thread_count
from ramify.errors import InputError, damage_told
from ramify.kernels.neighbours import NeighbourSearcher, VoteConfig
from ramify.match import restriction
from ramify.models.base.persistence import load_as
from ramify.models.base.ranking_model import RankingModel, assignments, instances
from ramify.models.base.stored import check_rows, matrix_over, stored_array, stored_size, stored_vectors
from ramify.values import CSR, Float32, Float64, Int32, StageProgress, TopK, as_label_matrix

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
    """Labels by vote of the most similar training instances.

    It needs no training and keeps all instances. Alone it is mostly weaker than ``XRLinear``; mixed with it in an
    ``Ensemble`` it adds what single instances tell.

    Parameters
    ----------
    neighbours : int, default 30
        Training instances that vote: those most similar by cosine, above 0; the earlier one among equals.
    power : float, default 3.0
        A neighbour of similarity s counts s**power; with 0 all count alike.
    weighting : {"none", "idf"}, default "idf"
        Whether features count more the fewer training instances have them: 1 + ln((1 + n) / (1 + df)), on
        top of what the values of X already say. ``fit`` weighs; a change afterwards changes nothing.
    decision_threshold : float, default 0.5
        Score from which ``predict`` gives a label.
    threads : int, optional
        None takes every CPU.

    Attributes
    ----------
    searcher_ : NeighbourSearcher
        The training instances by feature, and their labels.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        **VoteConfig.RULES,
        "weighting": OneOf(WEIGHTINGS),
        "decision_threshold": THRESHOLD,
        "threads": THREADS,
    }

    def __init__(
        self,
        *,
        neighbours: int = 30,
        power: float = 3.0,
        weighting: str = "idf",
        decision_threshold: float = 0.5,
        threads: int | None = None,
    ) -> None:
        self.neighbours = neighbours
        self.power = power
        self.weighting = weighting
        self.decision_threshold = decision_threshold
        self.threads = threads

    def fit(self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> NearestInstances:
        """Keep the instances, sorted by feature.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments: what is above 0 is positive.
        progress : callable, optional
            Told ("index", share done).

        Raises
        ------
        InputError
            Settings or data out of range; the sentence names which.
        """
        self._checked_settings()
        X = instances(X)
        Y = assignments(Y, X.shape[0], type(self).__name__)
        tell = progress or (lambda stage, done: None)
        tell("index", 0.0)
        self._set_searcher(NeighbourSearcher.of(X, Y, _weights(X) if self.weighting == "idf" else None))
        tell("index", 1.0)
        return self

    def _checked_settings(self) -> tuple[VoteConfig, int]:
        self.check_settings()
        return VoteConfig(neighbours=self.neighbours, power=self.power), thread_count(self.threads)

    def _set_searcher(self, searcher: NeighbourSearcher) -> NearestInstances:
        self.searcher_ = searcher
        self.n_features_in_, self.n_labels_ = searcher.n_features, searcher.n_labels
        return self

    @property
    def reach_(self) -> int:
        """Labels that the neighbours can have at most."""
        most = self._checked_settings()[0].neighbours
        return int(min(self.n_labels_, np.sort(np.diff(self.searcher_.Y.indptr))[-most:].sum()))

    def predict_topk(
        self,
        X: Any,
        k: int | None = None,
        *,
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
        allowed, forbidden : label ids, or matrix of shape (n, L), optional
            As ``XRLinear.predict_topk``. The neighbours stay the same; only their labels are restricted.
        progress : callable, optional
            Told ("predict", share done).

        Returns
        -------
        TopK
            Scores in [0, 1]; fewer than k labels where the neighbours have fewer, none where no feature is shared.

        Raises
        ------
        InputError
            k out of range, X of another width.
        """
        check_is_fitted(self)
        X = self._features(X)
        k = self._labels_asked(k)
        config, threads = self._checked_settings()
        only, never = restriction(allowed, forbidden, X.shape[0], self.n_labels_)
        found = self.searcher_.search(
            X,
            k,
            config,
            allowed=only,
            forbidden=never,
            threads=threads,
            progress=None if progress is None else lambda done: progress("predict", done),
        )
        return TopK(*found)

    def single(self, k: int) -> Callable[[Int32, Float32], tuple[Int32, Float32]]:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

        The fast way for single instances: settings are checked here once, the values are trusted.
        """
        check_is_fitted(self)
        k = self._labels_asked(k)
        request = self._checked_settings()[0].native(k, 1)
        searcher = self.searcher_
        return lambda indices, values: searcher.search_one(indices, values, request, k)

    def score_pairs(self, X: Any, pairs: Any) -> CSR:
        """Scores of given (instance, label) pairs only.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        pairs : matrix, shape (n, L)
            Its non-zero entries are asked for.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with their scores; -inf for a label that no neighbour has.
        """
        check_is_fitted(self)
        X = self._features(X)
        wanted = as_label_matrix(pairs, X.shape[0], n_labels=self.n_labels_)
        scores = np.full(wanted.nnz, -np.inf, np.float32)
        most = int(np.diff(wanted.indptr).max())
        if most:
            top = self.predict_topk(X, min(most, self.reach_), allowed=wanted)
            rows, ranks = np.nonzero(top.labels >= 0)
            asked = np.repeat(np.arange(X.shape[0]), np.diff(wanted.indptr)) * np.int64(self.n_labels_)
            place = np.searchsorted(asked + wanted.indices, rows * np.int64(self.n_labels_) + top.labels[rows, ranks])
            scores[place] = top.scores[rows, ranks]
        return sp.csr_matrix((scores, wanted.indices, wanted.indptr), shape=wanted.shape)

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels: a dense array of shape (n, L); -inf for a label that no neighbour has."""
        check_is_fitted(self)
        top = self.predict_topk(X, self.reach_)
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
        sizes = {"n_instances": int(Y.shape[0]), "n_features": self.n_features_in_, "n_labels": self.n_labels_}
        return {"settings": self._plain_settings(), "sizes": sizes}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> NearestInstances:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or arrays that do not fit.
        """
        with damage_told("the kept instances are"):
            model = cls(**({"weighting": "none"} | config["settings"]))  # before there was a choice, none was made
            model._checked_settings()
            return model._set_searcher(_stored_searcher(config["sizes"], arrays))

    @classmethod
    def load(cls, directory: str | Path, *, verify: bool = True, mapped: bool = True) -> NearestInstances:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped)


def _weights(X: CSR) -> Float64:
    """How much each feature says, shape (d,): 1 for one that no instance has, less the more have it."""
    n, frequencies = X.shape[0], np.bincount(X.indices[X.data != 0], minlength=X.shape[1])
    rarity = 1 + np.log((1 + n) / (1 + frequencies))
    weights: Float64 = rarity / (1 + np.log(1 + n))
    return weights


def _stored_searcher(sizes: dict[str, Any], arrays: dict[str, Any]) -> NeighbourSearcher:
    """What ``to_state`` told; native code trusts the arrays, so everything is looked at."""
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
