"""Votes of the nearest dense vectors, found by graph search (HNSW; Malkov and Yashunin, TPAMI 2020).

v_i = x_i · C, scaled to length 1                 C: d × dimensions, leading right singular vectors of X
points = the v_i, or the sum of the v_i of each label
s_p = v · p                                        for the points that the graph search (usearch) returns
score(l) = Σ s_p^power · votes_pl / Σ s_p^power    over the ``neighbours`` points of largest s_p > 0

A model directory contains the points, not the graph, because usearch does not validate a stored graph. The same graph
is built again at the first prediction of a loaded model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.checks import SEED, THREADS, OneOf, Rules, Whole, rules_of
from ramify.errors import InputError, MissingExtraError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request
from ramify.kernels.check import csr_arrays
from ramify.kernels.neighbours import VoteConfig
from ramify.label_vectors import unit_vectors
from ramify.match import permitted
from ramify.models.base.model import RankingModel, best_labels
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import (
    check_label_space,
    check_rows,
    matrix_over,
    stored_array,
    stored_size,
    stored_vectors,
)
from ramify.models.neighbours.votes import VectorSpace
from ramify.values import CSR, Float32, TopK, as_csr, empty_csr

ROWS = 4096
"""Number of instances converted to dense vectors at a time."""

MOST_DIMENSIONS = 4096
LINKS = 16
"""Number of links per point of the graph."""

KINDS = ("instances", "labels")


class DenseNeighbours(RankingModel):
    """Votes of the nearest dense vectors, of instances or of labels.

    It needs the extra ``ann``. Unlike ``NearestInstances``, singular vectors make instances similar whose words often
    occur together. Prediction time grows with the logarithm of the number of points.

    Parameters
    ----------
    among : {"instances", "labels"}, default "instances"
        Points of the graph; "instances": the vector of each training instance; "labels": the mean vector of the
        instances of each label, which needs less memory.
    dimensions : int, default 128
        Dimensions of the vectors, at most 4096; X is not reduced if it has at most this number of columns.
    neighbours : int, default 30
        Number of vectors that vote: those with the largest cosine, above 0; equal vectors are merged into one.
    power : float, default 3.0
        A neighbour of similarity s votes with weight s**power.
    effort : int, default 128
        Number of candidates of the graph search; more increase recall and prediction time.
    seed : int, default 0
        Random seed of the singular value decomposition; the same seed gives the same model on one machine, for any
        number of threads.
    threads : int, optional
        Number of threads of prediction; None uses every CPU. The graph is built by one thread to be reproducible.

    Attributes
    ----------
    points_ : float32 array, shape (points, dimensions)
        The points, rows of length 1.
    votes_ : csr_matrix, shape (points, L)
        Share of the instances of each point that have each label.
    components_ : float32 array, shape (d, dimensions), or None
        C; None if X is not reduced.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "among": OneOf(KINDS),
        "dimensions": Whole(1, MOST_DIMENSIONS),
        "neighbours": Whole(1, 2**20),
        **rules_of(VoteConfig, "power"),
        "effort": Whole(1, 2**20),
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("among", "dimensions", "neighbours", "power", "effort")

    def __init__(
        self,
        *,
        among: str = "instances",
        dimensions: int = 128,
        neighbours: int = 30,
        power: float = 3.0,
        effort: int = 128,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.among = among
        self.dimensions = dimensions
        self.neighbours = neighbours
        self.power = power
        self.effort = effort
        self.seed = seed
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        """Compute the singular vectors and build the graph.

        Raises
        ------
        MissingExtraError
            The extra ``ann`` is not installed.
        """
        _index_class()
        X, Y = training.X, training.Y
        training.report("index", 0.0)
        self.n_features_in_, self.n_labels_ = X.shape[1], Y.shape[1]
        self.components_ = _components(X, self.dimensions, training.seed)
        vectors, votes = self._dense(X), Y
        if self.among == "labels":
            vectors = unit_vectors(sp.csr_matrix(Y.T) @ vectors)
            votes = sp.identity(Y.shape[1], np.float32, format="csr")
        self.points_, self.votes_ = _distinct(vectors, votes, mean=self.among == "instances")
        self._link()
        training.report("index", 1.0)

    def _link(self) -> Any:
        """Build the graph over the points."""
        index = _index_class()(
            ndim=self.points_.shape[1],
            metric="ip",
            dtype="f32",
            connectivity=LINKS,
            expansion_add=int(self.effort),
            expansion_search=int(self.effort),
        )
        if len(self.points_):
            index.add(np.arange(len(self.points_), dtype=np.uint64), np.ascontiguousarray(self.points_), threads=1)
        self._index = index
        return index

    def __getstate__(self) -> Any:
        return {name: value for name, value in super().__getstate__().items() if name != "_index"}

    def _dense(self, X: CSR) -> Float32:
        """Vectors of length 1, shape (n, dimensions); zero for an instance whose projection is zero."""
        if self.components_ is None:
            made: Float32 = unit_vectors(X.toarray())
            return made
        parts = [unit_vectors(unit_vectors(X[at : at + ROWS]) @ self.components_) for at in range(0, X.shape[0], ROWS)]
        return np.vstack(parts)

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"reasons"})

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The vectors that vote: see ``models.base.reasons``."""
        self.check_settings()
        checked = self._checked_request(request)
        weights = self._vote_weights(self._dense(checked.X), checked.threads)
        space = VectorSpace(self.components_, self.points_, self.votes_, self.power)
        points = "vector" if self.among == "instances" else "label"
        return [
            [space.reason(checked.X[row : row + 1], weights[row], label, points) for label in labels]
            for row in range(len(checked))
        ]

    def _reachable(self) -> int:
        return int(min(self.n_labels_, max(1, np.sort(np.diff(self.votes_.indptr))[-self.neighbours :].sum())))

    def _rank(self, request: CheckedRequest) -> TopK:
        """Rank the labels of the neighbours; restrictions drop labels, not neighbours.

        Raises
        ------
        MissingExtraError
            The extra ``ann`` is not installed.
        """
        self.check_settings()
        n, parts = len(request), []
        for first in range(0, n, ROWS):
            part = request.take(slice(first, first + ROWS))
            scores = sp.csr_matrix(self._vote_weights(self._dense(part.X), part.threads) @ self.votes_)
            scores.data = np.minimum(scores.data, 1)  # rounding can make the sum of the shares exceed 1
            parts.append(best_labels(permitted(scores, part.allowed, part.forbidden), part.k))
            request.report(min(n, first + ROWS) / n)
        return TopK(*(np.vstack([getattr(part, name) for part in parts]) for name in ("labels", "scores")))

    def _vote_weights(self, vectors: Float32, threads: int) -> CSR:
        """Weight of each point's vote, shape (n, points); rows sum to 1 or are empty."""
        n, n_points = len(vectors), len(self.points_)
        if n_points == 0:
            return empty_csr(n, 0)
        index = getattr(self, "_index", None) or self._link()
        most = min(self.neighbours, n_points)
        found = index.search(vectors, most, threads=threads)
        points, distances = found.keys.reshape(n, most), found.distances.reshape(n, most)
        given = (np.arange(most) < np.reshape(getattr(found, "counts", most), (-1, 1))) & (distances < 1)
        size = np.where(given, np.clip(1 - distances.astype(np.float64), 0, 1), 0) ** self.power * given
        total = size.sum(axis=1, keepdims=True)
        share = np.divide(size, total, out=np.zeros_like(size), where=total > 0)
        rows, places = np.nonzero(share)
        entries = (share[rows, places].astype(np.float32), (rows, points[rows, places].astype(np.int32)))
        return sp.csr_matrix(entries, shape=(n, n_points))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        check_label_space(self.n_labels_, self.votes_.nnz)
        pointers, labels, values = csr_arrays(self.votes_)
        arrays = {"points": self.points_, "votes/indptr": pointers, "votes/labels": labels, "votes/values": values}
        if self.components_ is not None:
            arrays["components"] = self.components_
        sizes = {"n_features": self.n_features_in_, "n_labels": self.n_labels_}
        return {"settings": self._plain_settings(), "sizes": sizes}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> DenseNeighbours:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the dense neighbours are"):
            model = cls(**config["settings"])
            model.check_settings()
            d, n_labels = (stored_size(config["sizes"][name], name) for name in ("n_features", "n_labels"))
            model.n_features_in_, model.n_labels_ = d, n_labels
            model.points_ = stored_vectors(arrays, "points", (None, None))
            width = model.points_.shape[1]
            reduced = "components" in arrays
            model.components_ = stored_vectors(arrays, "components", (d, width)) if reduced else None
            if not reduced and width != d:
                raise InputError(f"the points have {width} columns, but X has {d}")
            model.votes_ = _stored_votes(arrays, (len(model.points_), n_labels))
            check_label_space(n_labels, model.votes_.nnz)
        return model


def _index_class() -> Any:
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtraError("Neighbours among dense vectors", "ann") from None
    return Index


def _components(X: CSR, dimensions: int, seed: int) -> Float32 | None:
    """Leading right singular vectors of X with rows of length 1, shape (d, dimensions); None for a narrow X."""
    if X.shape[1] <= dimensions:
        return None
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the rounding of sums depends on the number of threads
        _, _, right = randomized_svd(unit_vectors(X), min(dimensions, *X.shape), random_state=seed)
    return np.ascontiguousarray(right.T, np.float32)


def _distinct(vectors: Float32, votes: CSR, *, mean: bool) -> tuple[Float32, CSR]:
    """Distinct non-zero vectors, and their votes: the mean over equal vectors, or the union of their labels.

    Many equal points would split the graph into components, because all their links lead to each other.
    """
    kept = np.flatnonzero(vectors.any(axis=1) & (np.diff(votes.indptr) > 0))
    _, first, group, sizes = np.unique(
        vectors[kept], axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))  # original order: sorted points give a graph of lower recall
    members = rank[group.reshape(-1)]
    ones = np.ones(len(kept), np.float32)
    joined = sp.csr_matrix(
        sp.csr_matrix((ones, (members, np.arange(len(kept)))), (len(first), len(kept))) @ votes[kept]
    )
    order = np.argsort(rank)
    shares = joined.data / np.repeat(sizes[order], np.diff(joined.indptr)) if mean else np.ones_like(joined.data)
    joined = sp.csr_matrix((shares, joined.indices, joined.indptr), shape=joined.shape)
    joined.sort_indices()
    return np.ascontiguousarray(vectors[kept][np.sort(first)]), as_csr(joined)


def _stored_votes(arrays: dict[str, Any], shape: tuple[int, int]) -> CSR:
    pointers = stored_array(arrays, "votes/indptr", np.int64, (shape[0] + 1,))
    labels = stored_array(arrays, "votes/labels", np.int32, (None,))
    values = stored_vectors(arrays, "votes/values", (len(labels),))
    check_rows(pointers, labels, shape)
    if not (values > 0).all():
        raise InputError("a vote is not above 0")
    return matrix_over((values, labels, pointers), shape)
