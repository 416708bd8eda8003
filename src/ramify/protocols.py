"""The methods of the parts that users can replace.

``Model`` is the one interface of everything that ranks labels: it learns from a ``Training`` and answers a ``Request``.
Any object with the documented methods serves, without a base class. Two methods are enough for a model of a user's own,
``fit(X, Y)`` and ``predict_topk(X, k)``: ``ramify.models.base.adapter.as_model`` supplies the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ramify.exchange import Request, Single, Sizes, Training
from ramify.values import CSR, Float32, LabelTree, TopK


@runtime_checkable
class Model(Protocol):
    """Ranks labels."""

    @property
    def needs(self) -> frozenset[str]:
        """Fields of ``Training`` and ``Request`` that it cannot do without: of "X", "texts" and "label_names"."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """Optional fields that it uses, and optional methods that it has: see ``exchange.ABILITIES``."""
        ...

    def fit_training(self, training: Training, /) -> Any:
        """Learn; gives the model itself back."""
        ...

    def answer(self, request: Request, /) -> TopK:
        """The k best labels of each instance. It changes nothing in the model."""
        ...

    def decide(self, request: Request, /) -> CSR:
        """0/1 matrix, shape (n, L): the labels that the model predicts for each instance."""
        ...

    def single(self, k: int, /) -> Single:
        """A function that answers for one instance, and that follows later changes of settings."""
        ...

    def inside(self) -> Mapping[str, Any]:
        """Fitted parts by name."""
        ...

    def size(self) -> Sizes:
        """Sizes of the fitted model."""
        ...


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
    """(X, Y) → Z: one vector per label, by which the indexer groups the labels."""

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """Label vectors Z, shape (L, anything), CSR or dense float32."""
        ...


@runtime_checkable
class Indexer(Protocol):
    """(label representation, Y) → LabelTree."""

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int = 1) -> LabelTree:
        """Group the labels by their vectors Z, shape (L, d), and their instances in Y, shape (n, L)."""
        ...


@dataclass(frozen=True)
class MatchingProblem:
    """What a matcher learns from.

    Parameters
    ----------
    training : Training
        Features or texts of the instances, their labels, seed, threads and progress.
    tree : LabelTree
        The hierarchy of labels.
    targets : tuple of csr_matrix, shape (n, nodes of the level)
        0/1 per level above the leaves, from the top: the nodes above an instance's labels.
    reached : csr_matrix, shape (n, nodes of the level above), or None
        Nodes that the matcher of the level above reaches, with its scores, where several matchers follow each other.
    """

    training: Training
    tree: LabelTree
    targets: tuple[CSR, ...]
    reached: CSR | None = None


@runtime_checkable
class Matcher(Protocol):
    """Instances → clusters, the nodes above the leaves of a tree.

    Every ``Model``, and every object with ``fit(X, Y)`` and ``predict_topk(X, k)``, serves as a matcher: clusters are
    its labels. A matcher that trains on several levels of the tree has these two methods instead.
    """

    def fit_matching(self, problem: MatchingProblem, /) -> Any:
        """Learn which clusters hold an instance's labels."""
        ...

    def match(self, request: Request, /) -> tuple[TopK, Float32 | None]:
        """The k best clusters of each instance with scores in 0..1, and features for the ranker, shape (n, m)."""
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
        Clusters on its last level but one, and their labels.
    reached : csr_matrix, shape (n, clusters)
        Score of each cluster that the matcher finds for an instance; other entries are not stored.
    vectors : csr_matrix or float32 array, shape (L, anything), or None
        Label vectors that the indexer grouped the labels by.
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
        """Learn to rank the labels of each cluster."""
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
