"""Votes of neighbours, taken apart: which points vote for a label, and which columns of X make them similar.

score = Σ_i share_i · votes_il              share_i = s_i^power / Σ s^power over the neighbours
s_i   = Σ_j product_ij                      so column j has the part Σ_i share_i · votes_il · product_ij / s_i
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.kernels.neighbours import NeighbourSearcher, VoteConfig
from ramify.label_vectors import unit_vectors
from ramify.models.base.reasons import Reasons, Vote, VoteReason
from ramify.values import CSR, Float32, Float64, Int32, Int64


def feature_weights(n: int, frequencies: Int64) -> Float64:
    """Weight of features by the number of the n instances that have them: 1 for none, smaller for more."""
    rarity = 1 + np.log((1 + n) / (1 + frequencies))
    weights: Float64 = rarity / (1 + np.log(1 + n))
    return weights


def instance_votes(searcher: NeighbourSearcher, X: CSR, config: VoteConfig, labels: Any, *, idf: bool) -> Reasons:
    """The reasons of ``NearestInstances``.

    Parameters
    ----------
    searcher : NeighbourSearcher
        The training instances and their labels.
    X : csr_matrix, shape (n, d)
        Instances.
    config : VoteConfig
        Number and weights of the votes.
    labels : sequence of int
        Label ids.
    idf : bool
        Whether the features are weighted by idf.
    """
    return [_instance_votes(searcher, X[row : row + 1], config, labels, idf) for row in range(X.shape[0])]


def _instance_votes(searcher: NeighbourSearcher, x: CSR, config: VoteConfig, labels: Any, idf: bool) -> Any:
    columns = searcher.columns
    weights = np.ones(x.nnz)
    if idf:
        weights = feature_weights(columns.shape[1], np.diff(columns.indptr)[x.indices])
    length = float(np.sqrt(np.square(weights * x.data).sum()))
    products = sp.diags(x.data.astype(np.float64)) @ columns[x.indices].astype(np.float64)  # shape (columns of x, n)
    similar = np.asarray(products.sum(axis=0)).ravel()
    voters = np.flatnonzero(similar > 0)
    voters = voters[np.argsort(-similar[voters].astype(np.float32), kind="stable")[: config.neighbours]]
    of_voters = np.asarray(sp.csc_matrix(products)[:, voters].todense()).T
    neighbours = Neighbours(
        points=voters,
        similar=similar[voters],
        cosines=similar[voters] / length if length else similar[voters],
        products=of_voters,
        columns=x.indices,
        Y=searcher.Y[voters],
    )
    return [neighbours.reason(label, config.power, "document") for label in labels]


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The voting points of one instance, by descending similarity.

    Parameters
    ----------
    points : int array, shape (m,)
        Their numbers.
    similar : float64 array, shape (m,)
        Their similarity, up to a factor of the instance.
    cosines : float64 array, shape (m,)
        The same as a cosine.
    products : float64 array, shape (m, columns)
        The part of each column in ``similar``; rows sum to it.
    columns : int32 array, shape (columns,)
        Numbers of the columns.
    Y : csr_matrix, shape (m, L)
        Votes of each point for the labels.
    """

    points: Any
    similar: Float64
    cosines: Float64
    products: Float64
    columns: Int32
    Y: CSR

    def reason(self, label: int, power: float, points: str) -> VoteReason:
        """The reason of one label's score."""
        size = (self.similar / self.similar.max()) ** power if len(self.similar) else self.similar
        share = size / size.sum() if len(size) else size
        parts = share * np.asarray(self.Y[:, [label]].todense(), np.float64).ravel()
        contributions = (parts / self.similar) @ self.products if len(share) else np.zeros(len(self.columns))
        used = np.flatnonzero(contributions)
        return VoteReason(
            votes=tuple(self._vote(at, share[at], parts[at]) for at in range(len(share))),
            points=points,
            power=power,
            columns=self.columns[used],
            contributions=contributions[used],
            score=float(min(1.0, parts.sum())),
            ranked=bool(parts.any()),
        )

    def _vote(self, at: int, share: float, part: float) -> Vote:
        labels = self.Y.indices[self.Y.indptr[at] : self.Y.indptr[at + 1]]
        numbers = {"similarity": float(self.cosines[at]), "weight": float(share), "part": float(part)}
        return Vote(point=int(self.points[at]), labels=labels, **numbers)


@dataclass(frozen=True, eq=False)
class VectorSpace:
    """The points of ``DenseNeighbours``.

    Parameters
    ----------
    components : float32 array, shape (d, m), or None
        Columns of X → vector; None if the vector is the row of X.
    points : float32 array, shape (n, m)
        Vectors of length 1.
    votes : csr_matrix, shape (n, L)
        Votes of each point.
    power : float
        As in ``VoteConfig``.
    """

    components: Float32 | None
    points: Float32
    votes: CSR
    power: float

    def reason(self, x: CSR, weights: CSR, label: int, points: str) -> VoteReason:
        """The reason of one label's score for one instance, whose votes have ``weights``, shape (1, n)."""
        voters = weights.indices
        unit = unit_vectors(x)
        rows = np.eye(self.points.shape[1])[x.indices] if self.components is None else self.components[x.indices]
        parts = unit.data[:, None].astype(np.float64) * rows
        length = float(np.sqrt(np.square(parts.sum(axis=0)).sum()))
        products = self.points[voters].astype(np.float64) @ parts.T / (length or 1.0)
        similar = products.sum(axis=1)
        order = np.argsort(-similar, kind="stable")
        neighbours = Neighbours(
            points=voters[order],
            similar=similar[order],
            cosines=similar[order],
            products=products[order],
            columns=x.indices,
            Y=self.votes[voters[order]],
        )
        return neighbours.reason(label, self.power, points)
