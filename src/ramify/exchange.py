"""Input and output of models: training data, prediction requests and sizes.

``Training`` and ``Request`` carry threads, beam, restrictions and progress. An outer model therefore trains the models
inside it without changing their settings, and prediction changes no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Features, Float32, Hybrid, Int32, Int64, StageProgress, Vocabulary

if TYPE_CHECKING:
    from ramify.protocols import Compute
    from ramify.spill import Spill

T = TypeVar("T", bound="Training")
R = TypeVar("R", bound="Request")

Single = Callable[..., tuple[Int32, Float32]]
"""Maps one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

The function of a model that was trained on a ``Hybrid`` has a third argument: the dense block, a float32 vector.
"""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Training data of a model.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        Label assignments, 0/1.
    X : csr_matrix or Hybrid, shape (n, d), optional
        Features.
    texts : sequence of str, length n, optional
        Texts of the instances.
    label_names : sequence of str, length L, optional
        Names of the labels.
    vocabulary : Vocabulary of L concepts, optional
        Names in several languages, alternative names and relations of the labels: concept i is label i.
    sample_weight : array, shape (n,), optional
        Factor of the training loss of each instance.
    relevance : matrix, shape (n, L), optional
        Weight of each positive.
    own_negatives : matrix, shape (n, L), optional
        Non-zero entries mark the labels that an instance is a negative for.
    visits : matrix, shape (n, clusters), optional
        Clusters whose classifiers are trained on each instance.
    vectors : VectorCache, optional
        Cache of label vectors, shared by several models.
    seed : int, optional
        Random seed; the model's setting when None.
    threads : int, optional
        Number of threads; the model's setting when None.
    progress : callable, optional
        Called with (stage, share done).
    compute : Compute, optional
        Where the classifiers of label trees are trained, such as ``scale.Cluster``; in this process when None.
    spill : Spill, optional
        Files for arrays that are larger than memory; all arrays are in memory when None.
    """

    Y: CSR
    X: Any = None
    texts: Sequence[str] | None = None
    label_names: Sequence[str] | None = None
    vocabulary: Vocabulary | None = None
    sample_weight: Any = None
    relevance: Any = None
    own_negatives: Any = None
    visits: Any = None
    vectors: VectorCache | None = None
    seed: int | None = None
    threads: int | None = None
    progress: StageProgress | None = None
    compute: Compute | None = None
    spill: Spill | None = None

    def __len__(self) -> int:
        return int(self.Y.shape[0])

    @property
    def n_features(self) -> int | None:
        """Number of columns of X; None without X."""
        return None if self.X is None else int(self.X.shape[1])

    def report(self, stage: str, done: float) -> None:
        """Report progress: the share of a stage that is done."""
        if self.progress is not None:
            self.progress(stage, done)

    def part_of_progress(self: T, number: int, count: int) -> T:
        """The same data for fit ``number`` of ``count``; progress is reported as a share of all fits."""
        return replace(self, progress=part_of(self.progress, number, count))

    def take(self: T, rows: Int64) -> T:
        """The instances with the given row numbers, in that order; the label space is unchanged."""
        taken = {name: _rows(getattr(self, name), rows) for name in ("Y", "X", *EXTRAS)}
        texts = None if self.texts is None else [self.texts[row] for row in rows.tolist()]
        return replace(self, **taken, texts=texts, vectors=None)

    def split(
        self: T, share: float, seed: int, *, most_rest: int | None = None, most_held: int | None = None
    ) -> tuple[T, T] | None:
        """Split into training and held-out instances.

        Parameters
        ----------
        share : float
            Share of the labelled instances to hold out.
        seed : int
            Seed of the random selection.
        most_rest, most_held : int, optional
            Maximum number of training and of held-out instances.

        Returns
        -------
        tuple of (Training, Training), or None
            Labelled instances to train on, and held-out ones; None if no instance would be held out.
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
    """A validated ``Training``: X and Y are as the kernels require; seed and threads are set.

    X is a csr_matrix, or a ``Hybrid`` for a model with this ability.
    """

    X: Any
    seed: int
    threads: int


EXTRAS = ("sample_weight", "relevance", "own_negatives", "visits")
"""Fields of ``Training`` that a model uses only if its ``abilities`` contain them."""


class VectorCache:
    """Cache of label vectors by representation, for models that train on the same X and Y."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Features, CSR, Any]] = []

    def represent(self, representation: Any, X: Features, Y: CSR, threads: int) -> Any:
        """Label vectors, shape (L, m); cached for an equal representation and equal matrices."""
        for maker, seen_X, seen_Y, Z in self._made:
            if (maker is representation or maker == representation) and same_rows(seen_X, X) and same_rows(seen_Y, Y):
                return Z
        Z = representation.represent(X, Y, threads=threads)
        self._made.append((representation, X, Y, Z))
        return Z


def same_rows(first: Features, second: Features) -> bool:
    """Whether two matrices are equal, entry by entry."""
    if first is second:
        return True
    if isinstance(first, Hybrid) and isinstance(second, Hybrid):
        scales = (first.dense_scale, second.dense_scale)
        return _same(first.dense, second.dense) and _same(*scales) and same_rows(first.sparse, second.sparse)
    if isinstance(first, Hybrid) or isinstance(second, Hybrid) or first.shape != second.shape:
        return False
    return all(_same(getattr(first, name), getattr(second, name)) for name in ("indptr", "indices", "data"))


def _same(first: Any, second: Any) -> bool:
    """Whether two arrays, or two None, are equal."""
    return first is second or bool(np.array_equal(first, second))


@dataclass(frozen=True, kw_only=True)
class Request:
    """A prediction request.

    Parameters
    ----------
    X : csr_matrix, shape (n, d), optional
        Features.
    texts : sequence of str, length n, optional
        Texts of the instances.
    k : int, optional
        Labels per instance, at most L; min(10, L) when None.
    beam : int, optional
        Nodes kept per level of the tree; the model's setting when None.
    allowed : label ids, bool array of shape (L,), or matrix of shape (n, L), optional
        The only labels that may be predicted: for all instances, or per instance.
    forbidden : label ids, bool array of shape (L,), or matrix of shape (n, L), optional
        Labels that must not be predicted.
    threads : int, optional
        Number of threads; the model's setting when None.
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
        """The same request as part ``number`` of ``count``; progress is reported as a share of all parts."""
        return self if self.progress is None else replace(self, progress=part_of(self.progress, number, count))

    def take(self: R, rows: slice) -> R:
        """The request for some of the instances; restrictions on all instances are unchanged."""
        texts = None if self.texts is None else self.texts[rows]
        cut = {name: _rows(getattr(self, name), rows) for name in ("X", "allowed", "forbidden")}
        return replace(self, texts=texts, **cut)


@dataclass(frozen=True, kw_only=True)
class CheckedRequest(Request):
    """A validated ``Request``: X, as in ``CheckedTraining``, and restrictions are checked; k and threads are set."""

    X: Any
    k: int
    threads: int


def part_of(progress: StageProgress | None, number: int, count: int) -> StageProgress | None:
    """A callback that reports the progress of part ``number`` of ``count`` as a share of all parts."""
    if progress is None:
        return None
    report = progress
    return lambda stage, done: report(stage, (number + done) / count)


def _rows(matrix: Any, rows: Any) -> Any:
    """Rows of a matrix with one row per instance; ids and masks of labels are unchanged, a full slice is not copied."""
    if matrix is None or (isinstance(rows, slice) and np.ndim(matrix) < 2 and not sp.issparse(matrix)):
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
        Number of nodes.
    children : float
        Mean number of children per node of the level above.
    weights, bytes : int
        Number of weights of the classifiers, and their memory in bytes.
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
        Number of columns d of X; None for a model that uses texts only.
    labels : int
        Number of labels L.
    weights : int
        Number of trained parameters, including those of the models inside.
    levels : tuple of LevelSize
        Levels of the tree from the top; the last level holds the leaves. Empty without a tree.
    normalized_rows : int
        Number of training rows that were scaled to length 1.
    shares : tuple of float
        Weights of the parts inside, in order, if their rankings are averaged; they sum to 1.
    reachable : int or None
        Maximum number of labels that are ranked for one instance; None for all.
    """

    features: int | None
    labels: int
    weights: int = 0
    levels: tuple[LevelSize, ...] = ()
    normalized_rows: int = 0
    shares: tuple[float, ...] = ()
    reachable: int | None = None


ABILITIES = {
    **dict.fromkeys(EXTRAS, "a field of ``Training`` that the model uses"),
    "hybrid": "X may be a ``Hybrid``, with a dense block",
    "beam": "a field of ``Request`` that the model uses",
    "score_pairs": "exact scores of given pairs",
    "decision_function": "scores of all labels",
    "tree": "``tree_``, a LabelTree, and ``clusters_reached``",
    "classifiers": "``search_``, a linear classifier per node of the tree",
    "leaf_scores": "scores of each leaf of a label",
    "subtree": "the part below a node as a model of its own",
    "refitted": "a model trained on other instances with the settings that this one chose",
    "frozen": "a fitted model that training does not change, except that its labels are aligned by name",
    "regrown": "a model of another tree that keeps unchanged leaves",
    "above_leaves": "an unfitted model of the clusters above the leaves",
    "proposals": "``proposals(request)``, strings that the model writes besides the names of labels",
    "reasons": "``reasons(request, labels)``, the reasons of scores: see ``models.base.reasons``",
}
"""Possible elements of ``Model.abilities``, with their meaning."""
