"""Label representations: one vector per label, by which an indexer groups them (PECOS).

Every representation obeys ``protocols.Representation``: ``represent(X, Y, *, threads=1) -> Z`` with L2-normalised rows;
labels about which nothing is known get a zero row.
"""

from __future__ import annotations

from dataclasses import dataclass

from ramify.kernels import aggregate
from ramify.values import CSR


@dataclass(frozen=True, kw_only=True)
class PIFA:
    """Positive instance feature aggregation: a label is the normalised sum of its instances' features.

    Parameters
    ----------
    max_features_per_label : int, optional
        Keep only the largest entries of each label: faster clustering, a little worse on large label sets.
    """

    max_features_per_label: int | None = None

    def represent(self, X: CSR, Y: CSR, *, threads: int | None = 1) -> CSR:
        """L2-normalise the rows of Y, take YᵀX, L2-normalise its rows; shape (L, d)."""
        return aggregate.pifa(X, Y, max_features_per_label=self.max_features_per_label, threads=threads)
