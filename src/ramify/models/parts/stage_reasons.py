"""The score of a label by matcher and ranker, taken apart: (mean score of matched clusters) ^ path_weight × rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.exchange import Request
from ramify.models.base.reasons import ClusterReason, Reason, StagesReason, reasons_inside
from ramify.values import CSR, Features, Int32


def ranker_reason(ranker: Any, X: Features, label: int) -> Reason | None:
    """The reason of a ranker's score for one instance; None for a ranker without the method ``reason``."""
    method = getattr(ranker, "reason", None)
    return method(X, label) if callable(method) else None


def stages_reason(
    request: Request,
    matched: CSR,
    matcher: Any,
    ranked: tuple[float, Reason | None],
    label: int,
    clusters: CSR,
    power: float,
) -> StagesReason:
    """The reason of one label's score for one instance.

    Parameters
    ----------
    request : Request
        The request to the matcher, of one instance.
    matched : csr_matrix, shape (1, clusters)
        Scores of the matched clusters.
    matcher : object
        The fitted matcher.
    ranked : (float, Reason or None)
        Score and reason of the ranker.
    label : int
        The label.
    clusters : csr_matrix, shape (L, clusters)
        1 for each label and cluster that has it.
    power : float
        Exponent of the matcher's score.
    """
    own = clusters[label].indices
    found = [(cluster, score) for cluster, score in zip(matched.indices, matched.data, strict=True) if cluster in own]
    inside = reasons_inside(matcher, request, [int(cluster) for cluster, _ in found]) if found else None
    [inner] = [[None] * len(found)] if inside is None else inside
    rank, ranker = ranked
    match = float(np.mean([score for _, score in found], dtype=np.float32)) if found else 0.0
    return StagesReason(
        clusters=tuple(
            ClusterReason(
                cluster=int(cluster), labels=_labels_of(clusters, int(cluster)), score=float(score), reason=reason
            )
            for (cluster, score), reason in zip(found, inner, strict=True)
        ),
        path_weight=power,
        rank=rank,
        ranker=ranker,
        score=float(np.float32(rank * match**power)) if found else 0.0,
        ranked=bool(found),
    )


def _labels_of(clusters: CSR, cluster: int) -> Int32:
    """The labels of a cluster; a search in the entries is faster than a conversion to columns."""
    places = np.flatnonzero(clusters.indices == cluster)
    return (np.searchsorted(clusters.indptr, places, "right") - 1).astype(np.int32)
