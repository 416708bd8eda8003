"""``TopK``: the ranked labels of instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values.types import CSR, Bool, Float32, Int32


@dataclass(frozen=True)
class TopK:
    """The k best labels of each instance, in descending order of score.

    Parameters
    ----------
    labels : int32 array, shape (n, k)
        Label ids; -1 fills the end of a row that has fewer than k.
    scores : float32 array, shape (n, k)
        Descending within a row; -inf where the label is -1.
    """

    labels: Int32
    scores: Float32

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape != self.scores.shape:
            raise InputError(f"labels {self.labels.shape} and scores {self.scores.shape} must have one shape (n, k)")
        if self.labels.dtype != np.int32 or self.scores.dtype != np.float32:
            raise InputError(
                f"TopK takes int32 labels and float32 scores, not {self.labels.dtype}, {self.scores.dtype}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def k(self) -> int:
        """Number of columns: the number of labels requested."""
        return int(self.labels.shape[1])

    def first(self, k: int) -> TopK:
        """The first k columns."""
        return self if k >= self.k else TopK(self.labels[:, :k], self.scores[:, :k])

    def matrix(self, kept: Bool, values: Float32, width: int) -> CSR:
        """The selected entries as a matrix, shape (n, width), with the given values; both have shape (n, k)."""
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        found = sp.csr_matrix((values[kept], self.labels[kept], indptr), shape=(len(self), width))
        found.sort_indices()
        return found

    def rows(self) -> Iterator[list[tuple[int, float]]]:
        """Yield per instance its (label id, score) pairs, without the padding."""
        for labels, scores in zip(self.labels.tolist(), self.scores.tolist(), strict=True):
            yield [(label, score) for label, score in zip(labels, scores, strict=True) if label >= 0]
