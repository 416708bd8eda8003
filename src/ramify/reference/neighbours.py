"""NumPy twin of ``kernels.neighbours``: all similarities, sorted; votes in a dense array."""

from __future__ import annotations

import numpy as np

from ramify.kernels.neighbours import VoteConfig
from ramify.values import CSR, Bool, Float32, Float64, Int32


def nearest_labels(
    X: CSR, known: tuple[CSR, CSR], k: int, config: VoteConfig, *, allowed: Bool | None = None
) -> tuple[Int32, Float32]:
    """The k best labels and scores of every row of X.

    Parameters
    ----------
    X : csr_matrix, shape (m, d)
        Queries.
    known : (csr_matrix, csr_matrix), shapes (n, d) and (n, L)
        Training instances and their labels.
    k : int
        Labels per query.
    config : VoteConfig
        Settings of the vote.
    allowed : bool array, shape (m, L), optional
        Labels that each query may get.
    """
    similarities = (_unit_rows(X) @ _unit_rows(known[0]).T).astype(np.float32)
    Y = known[1].toarray()
    labels = np.full((X.shape[0], k), -1, np.int32)
    scores = np.full((X.shape[0], k), -np.inf, np.float32)
    for row, similarity in enumerate(similarities):
        near = np.argsort(-similarity, kind="stable")[: config.neighbours]
        near = near[similarity[near] > 0]
        if len(near) == 0:
            continue
        weights = (similarity[near].astype(np.float64) / similarity[near[0]]) ** config.power
        votes = weights @ Y[near] / weights.sum()
        may = Y[near].any(axis=0) if allowed is None else Y[near].any(axis=0) & allowed[row]
        best = np.lexsort((np.arange(len(votes)), -votes.astype(np.float32)))
        best = best[may[best]][:k]
        labels[row, : len(best)], scores[row, : len(best)] = best, votes[best]
    return labels, scores


def _unit_rows(matrix: CSR) -> Float64:
    dense = matrix.toarray().astype(np.float64)
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    unit: Float64 = np.divide(dense, lengths, out=np.zeros_like(dense), where=lengths > 0)
    return unit
