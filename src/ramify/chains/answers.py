"""What every chain answers from its scores: the best labels under restrictions, and all scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.evaluation import top_k
from ramify.match import restriction
from ramify.models.base.ranking_model import Part, assignments
from ramify.models.base.unit import UnitRowModel
from ramify.values import CSR, Bool, Float32, StageProgress, TopK


class ChainAnswers(UnitRowModel):
    """Base of the chains: they bring ``_scores``."""

    seed: int

    def _scores(self, X: CSR) -> Iterator[tuple[int, Float32]]:
        """Blocks of scores, (rows, L), with the number of their first row; -inf for labels that training never saw."""
        raise NotImplementedError

    @property
    def n_parameters_(self) -> int:
        """Numbers that training has learnt."""
        raise NotImplementedError

    def _parts(self, X: Any, Y: Any, held_out: float) -> tuple[Part, Part | None]:
        """Checked data, as the chain trains on them: what to learn from, and what is held out or None."""
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
            As ``XRLinear.predict_topk``. The chain stays the same; only its answers are restricted.
        progress : callable, optional
            Told ("predict", share done).

        Returns
        -------
        TopK
            Scores in [0, 1]: the mass of the sequences that hold the label. No label that training never saw.

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
        for begin, scores in self._scores(X):
            may = _permitted(only, never, slice(begin, begin + len(scores)), scores.shape)
            tops.append(top_k(np.where(may, scores, np.float32(-np.inf)), k))
            if progress is not None:
                progress("predict", (begin + len(scores)) / X.shape[0])
        return TopK(np.concatenate([top.labels for top in tops]), np.concatenate([top.scores for top in tops]))

    def decision_function(self, X: Any) -> Float32:
        """Scores of all labels: a dense array of shape (n, L); -inf for a label that training never saw."""
        check_is_fitted(self)
        return np.concatenate([scores for _, scores in self._scores(self._features(X))])


def _permitted(only: Any, never: CSR | None, rows: slice, shape: tuple[int, ...]) -> Bool:
    """Which labels may be named for a block of instances, shape (rows, L)."""
    may: Bool = np.ones(shape, bool)
    if isinstance(only, np.ndarray):
        may &= only
    elif only is not None:
        may &= only[rows].toarray() > 0
    if never is not None:
        may &= never[rows].toarray() == 0
    return may
