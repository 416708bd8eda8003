"""Protocols of the replaceable parts.

``Model`` is the interface of every part that ranks labels: ``fit_training`` takes a ``Training``, ``answer`` takes a
``Request``. Any object with the documented methods can be used, without a base class. ``fit(X, Y)`` and
``predict_topk(X, k)`` are sufficient for a user's model; ``ramify.models.base.adapter.as_model`` supplies the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ramify.exchange import Request, Single, Sizes, Training
from ramify.values import CSR, Features, Float32, Int32, LabelTree, TopK

if TYPE_CHECKING:
    from ramify.kernels.predict import SearchConfig
    from ramify.kernels.train import LevelProblem, SolverConfig
    from ramify.weights import LevelWeights, PackedLevel


@runtime_checkable
class Model(Protocol):
    """A model that ranks labels."""

    @property
    def needs(self) -> frozenset[str]:
        """Required fields of ``Training`` and ``Request``: a subset of "X", "texts" and "label_names"."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """Optional fields that the model uses, and its optional methods: see ``exchange.ABILITIES``."""
        ...

    def fit_training(self, training: Training, /) -> Any:
        """Train on the data and return the model itself."""
        ...

    def answer(self, request: Request, /) -> TopK:
        """The k best labels of each instance; the model is not changed."""
        ...

    def decide(self, request: Request, /) -> CSR:
        """0/1 matrix, shape (n, L): the predicted labels of each instance."""
        ...

    def single(self, k: int, /) -> Single:
        """A function that predicts for one instance with the settings at the time of the call."""
        ...

    def inside(self) -> Mapping[str, Any]:
        """Fitted parts by name."""
        ...

    def size(self) -> Sizes:
        """Sizes of the fitted model."""
        ...


@runtime_checkable
class Vectorizer(Protocol):
    """Texts → X; scikit-learn's text vectorizers implement this protocol."""

    def fit_transform(self, texts: Sequence[str], /) -> Any:
        """Fit to the texts and return their features, shape (n, d)."""
        ...

    def transform(self, texts: Sequence[str], /) -> Any:
        """Features of new texts, shape (n, d)."""
        ...


@runtime_checkable
class Representation(Protocol):
    """(X, Y) → Z: one vector per label; the indexer groups the labels by these vectors."""

    def represent(self, X: Any, Y: CSR, *, threads: int = 1) -> Any:
        """Label vectors Z, shape (L, m), CSR or dense float32; m is arbitrary."""
        ...


@runtime_checkable
class Indexer(Protocol):
    """(label representation, Y) → LabelTree."""

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int = 1) -> LabelTree:
        """Group the labels by their vectors Z, shape (L, d), and their instances in Y, shape (n, L)."""
        ...


@dataclass(frozen=True)
class MatchingProblem:
    """Training data of a matcher.

    Parameters
    ----------
    training : Training
        Features or texts of the instances, their labels, seed, threads and progress.
    tree : LabelTree
        The tree of labels.
    targets : tuple of csr_matrix, shape (n, nodes of the level)
        0/1 matrices per level above the leaves, from the top: the ancestors of each instance's labels.
    reached : csr_matrix, shape (n, nodes of the level above), or None
        Nodes found by the matcher of the level above, with its scores, if several matchers are chained.
    """

    training: Training
    tree: LabelTree
    targets: tuple[CSR, ...]
    reached: CSR | None = None


@runtime_checkable
class Matcher(Protocol):
    """Instances → clusters, the nodes above the leaves of a tree.

    Every ``Model``, and every object with ``fit(X, Y)`` and ``predict_topk(X, k)``, can be used as a matcher: its
    labels are the clusters. A matcher that trains on several levels of the tree has these two methods instead.
    """

    def fit_matching(self, problem: MatchingProblem, /) -> Any:
        """Train to rank the clusters that contain an instance's labels."""
        ...

    def match(self, request: Request, /) -> tuple[TopK, Float32 | None]:
        """The k best clusters of each instance with scores in 0..1, and features for the ranker, shape (n, m)."""
        ...


@dataclass(frozen=True)
class RankingProblem:
    """Training data of a ranker.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
        Features.
    Y : csr_matrix, shape (n, L)
        Label assignments, 0/1.
    tree : LabelTree
        The clusters, on the level above the leaves, and their labels.
    reached : csr_matrix, shape (n, clusters)
        Score of each cluster that the matcher returns for an instance; other entries are not stored.
    vectors : csr_matrix or float32 array, shape (L, m), or None
        Label vectors that the indexer used.
    """

    X: Any
    Y: CSR
    tree: LabelTree
    reached: CSR
    vectors: Any


@runtime_checkable
class Ranker(Protocol):
    """(X, candidates) → scores of the candidates."""

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> Any:
        """Train to score the labels of each cluster."""
        ...

    def rank(self, X: Any, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores in 0..1 of the stored entries of ``candidates``, shape (n, L), with the same sparsity pattern."""
        ...


@dataclass(frozen=True, kw_only=True)
class TreeWork:
    """The training of all levels of a tree, before it begins.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    tree : LabelTree
        The tree.
    targets : sequence of csr_matrix, shape (n, nodes of the level)
        Positives of each level, from the top.
    matched : sequence of bool
        Whether the negatives of each level are matcher-aware.
    beam : int
        Nodes that a search keeps per level.
    solver : SolverConfig
        Settings of the solver.
    threads : int
        Number of threads.
    """

    X: Features
    tree: LabelTree
    targets: Sequence[CSR]
    matched: Sequence[bool]
    beam: int
    solver: SolverConfig
    threads: int


class Compute(Protocol):
    """Where the classifiers of a label tree are trained (``Training.compute``). The weights do not depend on it."""

    def begin(self, work: TreeWork) -> None:
        """Called before the first level of a tree is trained."""
        ...

    def train(
        self,
        X: Features,
        problems: Sequence[LevelProblem],
        config: SolverConfig,
        *,
        instance_weights: Float32 | None = None,
        seed: int = 0,
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> list[LevelWeights]:
        """Weights of some levels: see ``kernels.train.train``."""
        ...

    def nodes_reached(
        self,
        parents: tuple[Int32, ...],
        levels: Sequence[PackedLevel],
        X: Features,
        config: SearchConfig,
        *,
        threads: int = 1,
    ) -> CSR:
        """Nodes at which a search of inner levels ends: see ``kernels.predict.nodes_reached``."""
        ...


@runtime_checkable
class Saveable(Protocol):
    """A part that can be saved to a model directory as plain settings and arrays, without pickle."""

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays): JSON-able settings, and NumPy arrays by name."""
        ...

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Saveable:
        """Restore the part; arrays may be read-only and memory-mapped."""
        ...
