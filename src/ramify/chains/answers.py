"""Prediction that all chains share, from blocks of scores: the k best labels under restrictions, and all scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.checks import thread_count
from ramify.evaluation import top_k
from ramify.match import restriction
from ramify.models.base.ranking_model import Part, assignments
from ramify.models.base.unit import UnitRowModel
from ramify.values import CSR, Bool, Float32, StageProgress, TopK


class ChainAnswers(UnitRowModel):
    """Base of the chains. A subclass implements ``scores_by_block``."""

    seed: int
    threads: int | None

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
    def n_parameters_(self) -> int:
        """Number of trained parameters."""
        raise NotImplementedError

    def _parts(self, X: Any, Y: Any, held_out: float) -> tuple[Part, Part | None]:
        """Checked data as the chain is trained on them: the training part, and the held-out part or None."""
        X = self._training_rows(X)
        everything = Part(X, assignments(Y, X.shape[0], type(self).__name__))
        return everything.split(held_out, self.seed) or (everything, None)

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
            As ``XRLinear.predict_topk``. They restrict the ranking, not the sequences that the chain emits.
        progress : callable, optional
            Called with ("predict", share done).

        Returns
        -------
        TopK
            Scores in [0, 1]: the estimated probability that the label occurs in a sampled sequence. Labels without a
            training instance are left out.

        Raises
        ------
        InputError
            k out of range, X of another width.
        """
        check_is_fitted(self)
        X = self._features(X)
        k = self._labels_asked(k)
        only, never = restriction(allowed, forbidden, X.shape[0], self.n_labels_)
        tops = []
        for begin, scores in self.scores_by_block(X, thread_count(self.threads)):
            may = _permitted(only, never, slice(begin, begin + len(scores)), scores.shape)
            tops.append(top_k(np.where(may, scores, np.float32(-np.inf)), k))
            if progress is not None:
                progress("predict", (begin + len(scores)) / X.shape[0])
        return TopK(np.concatenate([top.labels for top in tops]), np.concatenate([top.scores for top in tops]))

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels, float32, shape (n, L); -inf for labels without a training instance."""
        check_is_fitted(self)
        blocks = self.scores_by_block(self._features(X), thread_count(self.threads))
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
