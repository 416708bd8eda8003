"""The shapes of the parts that users can replace: any object with these methods serves, no base class, no registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ramify.values import CSR, LabelTree, TopK


@runtime_checkable
class Vectorizer(Protocol):
    """Texts → X. scikit-learn's vectorizers have this shape."""

    def fit_transform(self, texts: Sequence[str], /) -> Any:
        """Learn from the texts and return their features, shape (n, d)."""
        ...

    def transform(self, texts: Sequence[str], /) -> Any:
        """Features of new texts, shape (n, d)."""
        ...


@runtime_checkable
class Representation(Protocol):
    """(X, Y) → Z: one vector per label, which the indexer groups by."""

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """Label vectors Z, shape (L, anything), CSR or dense float32."""
        ...


@runtime_checkable
class Indexer(Protocol):
    """(label representation, Y) → LabelTree."""

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int = 1) -> LabelTree:
        """Group the labels by their vectors Z, shape (L, d); Y, shape (n, L), tells how they are used."""
        ...


@runtime_checkable
class Matcher(Protocol):
    """X → clusters: any model that ranks labels serves, as clusters are its labels (``XRLinear``, for one)."""

    def fit(self, X: CSR, Y: CSR, /) -> Any:
        """Learn which clusters hold an instance's labels; Y has shape (n, clusters)."""
        ...

    def predict_topk(self, X: CSR, k: int, /) -> TopK:
        """The k best clusters of each instance; scores in 0..1."""
        ...


@dataclass(frozen=True)
class RankingProblem:
    """What a ranker learns from.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Features.
    Y : csr_matrix, shape (n, L)
        Label assignments, 0/1.
    tree : LabelTree
        Two levels: clusters, and their labels.
    reached : csr_matrix, shape (n, clusters)
        Non-zero: the matcher sends the instance to the cluster.
    vectors : csr_matrix or float32 array, shape (L, anything), or None
        What the labels were grouped by.
    """

    X: CSR
    Y: CSR
    tree: LabelTree
    reached: CSR
    vectors: Any


@runtime_checkable
class Ranker(Protocol):
    """(X, candidates) → scores."""

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> Any:
        """Learn to tell the labels of a cluster apart."""
        ...

    def rank(self, X: CSR, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores in 0..1 of the stored entries of ``candidates``, shape (n, L): the same entries."""
        ...


@runtime_checkable
class Saveable(Protocol):
    """A part that a model directory can hold: plain settings and arrays, never a pickle."""

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays): JSON-able settings, and NumPy arrays by name."""
        ...

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Saveable:
        """The part again; arrays may be read-only and memory-mapped."""
        ...
