"""What models exchange: what they learn from, what they are asked for, and their sizes.

``Training`` and ``Request`` carry threads, beam, restrictions and progress, so that training a model inside another one
needs no setting of it, and answering changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Float32, Int32, Int64, StageProgress

T = TypeVar("T", bound="Training")
R = TypeVar("R", bound="Request")

Single = Callable[[Int32, Float32], tuple[Int32, Float32]]
"""From one instance's (feature numbers, values) to its (labels, scores), shapes (1, k)."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a model learns from.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        Label assignments, 0/1.
    X : csr_matrix, shape (n, d), optional
        Features.
    texts : sequence of str, length n, optional
        The instances as texts.
    label_names : sequence of str, length L, optional
        Names of the labels.
    sample_weight : array, shape (n,), optional
        Factors of the instances' costs.
    relevance : matrix, shape (n, L), optional
        Weight of each positive.
    own_negatives : matrix, shape (n, L), optional
        Labels that an instance is a negative of.
    visits : matrix, shape (n, clusters), optional
        Clusters whose classifiers an instance trains.
    vectors : VectorCache, optional
        Label vectors that several models share.
    seed : int, optional
        The model's own setting when None.
    threads : int, optional
        The model's own setting when None.
    progress : callable, optional
        Called with (stage, share done).
    """

    Y: CSR
    X: CSR | None = None
    texts: Sequence[str] | None = None
    label_names: Sequence[str] | None = None
    sample_weight: Any = None
    relevance: Any = None
    own_negatives: Any = None
    visits: Any = None
    vectors: VectorCache | None = None
    seed: int | None = None
    threads: int | None = None
    progress: StageProgress | None = None

    def __len__(self) -> int:
        return int(self.Y.shape[0])

    @property
    def n_features(self) -> int | None:
        """Columns of X; None without X."""
        return None if self.X is None else int(self.X.shape[1])

    def report(self, stage: str, done: float) -> None:
        """Report progress: the share of a stage that is done."""
        if self.progress is not None:
            self.progress(stage, done)

    def part_of_progress(self: T, number: int, count: int) -> T:
        """The same data for fit ``number`` of ``count``: its progress is reported as a share of the whole."""
        return replace(self, progress=part_of(self.progress, number, count))

    def take(self: T, rows: Int64) -> T:
        """The instances of the given row numbers, in their order; the label space stays whole."""
        taken = {name: _rows(getattr(self, name), rows) for name in ("Y", "X", *EXTRAS)}
        texts = None if self.texts is None else [self.texts[row] for row in rows.tolist()]
        return replace(self, **taken, texts=texts, vectors=None)

    def split(
        self: T, share: float, seed: int, *, most_rest: int | None = None, most_held: int | None = None
    ) -> tuple[T, T] | None:
        """Instances to train on, and a share of the labelled instances to hold out; None where that is no instance.

        Parameters
        ----------
        share : float
            Share of the labelled instances to hold out.
        seed : int
            Draws them.
        most_rest, most_held : int, optional
            Upper limits of the two parts.
        """
        labelled = np.flatnonzero(np.diff(self.Y.indptr))
        n_held = int(share * len(labelled))
        n_held = n_held if most_held is None else min(most_held, n_held)
        if n_held == 0:
            return None
        order = np.random.default_rng(seed).permutation(labelled)
        last = len(order) if most_rest is None else n_held + most_rest
        return self.take(np.sort(order[n_held:last])), self.take(np.sort(order[:n_held]))


@dataclass(frozen=True, kw_only=True)
class CheckedTraining(Training):
    """A ``Training`` after the checks of a model: X and Y in the form of the kernels, seed and threads settled."""

    X: CSR
    seed: int
    threads: int


EXTRAS = ("sample_weight", "relevance", "own_negatives", "visits")
"""Fields of ``Training`` that a model uses only where its ``abilities`` name them."""


class VectorCache:
    """Label vectors by the representation that makes them, for models that train on the same X and Y."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, CSR, CSR, Any]] = []

    def represent(self, representation: Any, X: CSR, Y: CSR, threads: int) -> Any:
        """The vectors, shape (L, anything): those made before for an equal representation and the same matrices."""
        for maker, known_X, known_Y, Z in self._made:
            if (maker is representation or maker == representation) and same_rows(known_X, X) and same_rows(known_Y, Y):
                return Z
        Z = representation.represent(X, Y, threads=threads)
        self._made.append((representation, X, Y, Z))
        return Z


def same_rows(first: CSR, second: CSR) -> bool:
    """Whether two matrices are equal, entry by entry."""
    return first is second or (
        first.shape == second.shape
        and all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("indptr", "indices", "data"))
    )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a model is asked for.

    Parameters
    ----------
    X : csr_matrix, shape (n, d), optional
        Features.
    texts : sequence of str, length n, optional
        The instances as texts.
    k : int, optional
        Labels per instance, at most L; 10 when None, or L where it is less.
    beam : int, optional
        Another beam than the model's.
    allowed : label ids, bool array of shape (L,), or matrix of shape (n, L), optional
        The only labels that may be predicted: for all instances, or per instance.
    forbidden : label ids, bool array of shape (L,), or matrix of shape (n, L), optional
        Labels that must not be predicted.
    threads : int, optional
        The model's own setting when None.
    progress : callable, optional
        Called with ("predict", share done).
    """

    X: Any = None
    texts: Sequence[str] | None = None
    k: int | None = None
    beam: int | None = None
    allowed: Any = None
    forbidden: Any = None
    threads: int | None = None
    progress: StageProgress | None = None

    def __len__(self) -> int:
        given = self.X if self.texts is None else self.texts
        return 0 if given is None else int(given.shape[0]) if hasattr(given, "shape") else len(given)

    def report(self, done: float) -> None:
        """Report the share of the prediction that is done."""
        if self.progress is not None:
            self.progress("predict", done)

    def part_of_progress(self: R, number: int, count: int) -> R:
        """The same request as part ``number`` of ``count``: its progress is reported as a share of the whole."""
        return self if self.progress is None else replace(self, progress=part_of(self.progress, number, count))

    def take(self: R, rows: slice) -> R:
        """The request for some of the instances; what holds for all instances stays."""
        texts = None if self.texts is None else self.texts[rows]
        cut = {name: _rows(getattr(self, name), rows) for name in ("X", "allowed", "forbidden")}
        return replace(self, texts=texts, **cut)


@dataclass(frozen=True, kw_only=True)
class CheckedRequest(Request):
    """A ``Request`` after the checks of a model: X and restrictions as the kernels take them, k and threads settled."""

    X: CSR
    k: int
    threads: int


def part_of(progress: StageProgress | None, number: int, count: int) -> StageProgress | None:
    """Progress of part ``number`` of ``count``, reported as a share of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda stage, done: report(stage, (number + done) / count)


def _rows(matrix: Any, rows: Any) -> Any:
    """Rows of what has one per instance; masks of labels stay, and a slice of all rows is the matrix itself."""
    if matrix is None or (not sp.issparse(matrix) and isinstance(rows, slice)):
        return matrix
    if isinstance(rows, slice) and rows.start in (0, None) and (rows.stop is None or rows.stop >= matrix.shape[0]):
        return matrix
    return matrix[rows]


@dataclass(frozen=True, kw_only=True)
class LevelSize:
    """One level of a tree.

    Parameters
    ----------
    nodes : int
        Nodes of the level.
    children : float
        Mean children per node of the level above.
    weights, bytes : int
        Weights of its classifiers, and their memory in bytes.
    """

    nodes: int
    children: float
    weights: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a fitted model.

    Parameters
    ----------
    features : int or None
        Columns d of X; None for a model of texts only.
    labels : int
        Labels L.
    weights : int
        Trained parameters, those of the models inside included.
    levels : tuple of LevelSize
        Levels of its tree from the top; the last are the leaves. Empty without a tree.
    normalized_rows : int
        Training rows that were brought to length 1.
    shares : tuple of float
        Weights of the parts inside, in their order, where their rankings are averaged; they sum to 1.
    reachable : int or None
        Upper limit of the labels in an answer for one instance; None for all.
    """

    features: int | None
    labels: int
    weights: int = 0
    levels: tuple[LevelSize, ...] = ()
    normalized_rows: int = 0
    shares: tuple[float, ...] = ()
    reachable: int | None = None


ABILITIES = {
    **dict.fromkeys(EXTRAS, "a field of ``Training`` that it uses"),
    "beam": "a field of ``Request`` that it uses",
    "score_pairs": "exact scores of given pairs",
    "decision_function": "scores of all labels",
    "tree": "``tree_``, a LabelTree, and ``clusters_reached``",
    "classifiers": "``search_``, a linear classifier per node of the tree",
    "leaf_scores": "scores of each leaf of a label",
    "subtree": "the part below a node as a model of its own",
    "regrown": "a model of another tree that keeps unchanged leaves",
    "above_leaves": "an unfitted model of the clusters above the leaves",
}
"""Names in ``Model.abilities``."""
