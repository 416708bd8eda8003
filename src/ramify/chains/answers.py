"""Prediction that all chains share, from blocks of scores: the k best labels under restrictions, and all scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.evaluation import top_k
from ramify.exchange import CheckedRequest, CheckedTraining
from ramify.models.base.unit import UnitRowModel
from ramify.values import CSR, Bool, Float32, TopK


class ChainAnswers(UnitRowModel):
    """Base of the chains. A subclass implements ``scores_by_block``."""

    def scores_by_block(self, X: CSR, threads: int) -> Iterator[tuple[int, Float32]]:
        """Scores of all labels, a float32 block of shape (rows, L) at a time, with the number of its first row.

        Parameters
        ----------
        X : csr_matrix, shape (n, d)
            Features as the chain was trained on (``normalize``).
        threads : int

        Yields
        ------
        int, float32 array of shape (rows, L)
            -inf for labels without a training instance.
        """
        raise NotImplementedError

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"decision_function"})

    def _held_out(self, training: CheckedTraining, held_out: float) -> tuple[CheckedTraining, CheckedTraining | None]:
        """The instances to train on, and the held-out ones or None."""
        return training.split(held_out, training.seed) or (training, None)

    def _rank(self, request: CheckedRequest) -> TopK:
        """Labels by the estimated probability that they occur in a sampled sequence, in [0, 1].

        Restrictions apply to the ranking, not to the sequences that the chain emits. Labels without a training instance
        are left out.
        """
        tops = []
        for begin, scores in self.scores_by_block(request.X, request.threads):
            part = slice(begin, begin + len(scores))
            may = _permitted(request.allowed, request.forbidden, part, scores.shape)
            tops.append(top_k(np.where(may, scores, np.float32(-np.inf)), request.k))
            request.report((begin + len(scores)) / len(request))
        return TopK(np.concatenate([top.labels for top in tops]), np.concatenate([top.scores for top in tops]))

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels, float32, shape (n, L); -inf for labels without a training instance."""
        check_is_fitted(self)
        blocks = self.scores_by_block(self._features(X), self._threads())
        return np.concatenate([scores for _, scores in blocks])


def _permitted(only: Any, never: CSR | None, rows: slice, shape: tuple[int, ...]) -> Bool:
    """Labels that may be predicted for a block of instances, shape (rows, L)."""
    may: Bool = np.ones(shape, bool)
    if isinstance(only, np.ndarray):
        may &= only
    elif only is not None:
        may &= only[rows].toarray() > 0
    if never is not None:
        may &= never[rows].toarray() == 0
    return may
