"""Label representations: one vector per label, by which an indexer groups them (PECOS).

All implement ``protocols.Representation``: ``represent(X, Y, *, threads=1) -> Z``, shape (L, d), CSR, Hybrid or dense
float32 with L2-normalised rows. A label without information has a zero row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.checks import COUNT, SEED, Checked, CheckedWhenMade, Own, Parsed, Real, Rules, Several
from ramify.errors import InputError
from ramify.kernels import aggregate
from ramify.protocols import Representation, Vectorizer
from ramify.spill import Empty
from ramify.values import CSR, Features, Float32, Hybrid, as_csr, as_features, row_lengths
from ramify.wording import quoted

_PART = Own(("represent",), role="representation")


def _label_names(names: Any) -> Any:
    """The names; InputError unless these are label names. A ``StringTable`` is accepted as well."""
    if isinstance(names, str | bytes | Mapping) or not hasattr(names, "__len__") or not hasattr(names, "__getitem__"):
        raise InputError(f"names is {quoted(names)}, but must be a list with the name of each label")
    if not all(isinstance(name, str) for name in names):
        raise InputError("names contains values that are not strings, but must be a list with the name of each label")
    return names


def _label_vectors(Z: Any) -> Any:
    """The vectors; InputError unless this is a matrix."""
    if len(getattr(Z, "shape", ())) != 2 or isinstance(Z, type):
        raise InputError(f"Z is {quoted(Z)}, but must be a sparse matrix or an array of shape (labels, d)")
    return Z


@dataclass(frozen=True)
class PII(CheckedWhenMade):
    """PII, positive instance indices: the indicator vector of the label's instances, shape (L, n)."""

    def represent(self, X: CSR, Y: CSR, *, threads: int | None = 1) -> CSR:
        """L2-normalise the rows of Yᵀ."""
        unit: CSR = unit_vectors(as_csr(Y, "Y").T.tocsr())
        return unit


@dataclass(frozen=True, kw_only=True)
class PIFA(CheckedWhenMade):
    """PIFA, positive instance feature aggregation: the sum of the features of the label's instances, shape (L, d).

    Parameters
    ----------
    max_features_per_label : int or None, default 1000
        Number of sparse entries kept per label, the largest ones; None keeps all. A frequent label has tens of
        thousands of entries, which need much memory and time and do not change precision measurably
        (docs/performance.md).

    Raises
    ------
    InputError
        ``max_features_per_label`` below 1.
    """

    max_features_per_label: int | None = 1000

    RULES: ClassVar[Rules] = {"max_features_per_label": aggregate.FEATURES_PER_LABEL}

    def represent(self, X: Features, Y: CSR, *, threads: int | None = 1, empty: Empty = np.empty) -> Features:
        """L2-normalise the rows of Y, take YᵀX, L2-normalise its rows; ``empty`` makes the arrays of the result."""
        most = self.max_features_per_label
        return aggregate.pifa(X, Y, max_features_per_label=most, threads=threads, empty=empty)


@dataclass(frozen=True, kw_only=True)
class GraphSpectrum(CheckedWhenMade):
    """Spectral embedding of the graph between instances and labels (Dhillon's co-clustering), shape (L, dimensions).

    The leading right singular vectors of D₁^-½ Y D₂^-½, where D₁ and D₂ are the degrees of instances and labels.
    Inderjit S. Dhillon: Co-clustering documents and words using bipartite spectral graph partitioning, KDD 2001.

    Parameters
    ----------
    dimensions : int, default 24
        Number of singular vectors; fewer if Y is smaller.
    seed : int, default 0
        Seed of the initial vector of the iterative solver.

    Raises
    ------
    InputError
        ``dimensions`` below 1; when representing: no convergence.
    """

    dimensions: int = 24
    seed: int = 0

    RULES: ClassVar[Rules] = {"dimensions": COUNT, "seed": SEED}

    def represent(self, X: CSR, Y: CSR, *, threads: int | None = 1) -> Float32:
        """Singular vectors with a fixed sign (largest entry positive), rows L2-normalised."""
        scaled = _scale_by_degrees(Y)
        right = self._singular_vectors(scaled)
        largest = np.abs(right).argmax(axis=1)
        right *= np.where(right[np.arange(len(right)), largest] < 0, -1, 1)[:, None]
        used = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
        Z: Float32 = unit_vectors(np.where(used[:, None], right.T, 0))
        return Z

    def _singular_vectors(self, scaled: CSR) -> npt.NDArray[np.float64]:
        """Leading right singular vectors as rows, largest singular value first."""
        if min(scaled.shape) <= self.dimensions + 1:
            right: npt.NDArray[np.float64] = np.linalg.svd(scaled.toarray(), full_matrices=False)[2]
            return right[: self.dimensions]
        from scipy.sparse.linalg import ArpackError, svds

        start = np.random.default_rng(self.seed).standard_normal(min(scaled.shape))
        try:
            _, values, right = svds(scaled, k=self.dimensions, v0=start)
        except ArpackError as error:
            raise InputError(f"the spectrum of Y did not converge ({error}): use fewer dimensions") from None
        return right[np.argsort(-values, kind="stable")]


def _scale_by_degrees(Y: CSR) -> CSR:
    rows = np.diff(Y.indptr)
    columns = np.bincount(Y.indices, minlength=Y.shape[1])
    data = 1.0 / np.sqrt(np.repeat(rows, rows) * columns[Y.indices].astype(np.float64))
    return sp.csr_matrix((data, Y.indices, Y.indptr), shape=Y.shape)


@dataclass(frozen=True)
class LabelText(CheckedWhenMade):
    """The names (or descriptions) of the labels, as features.

    Parameters
    ----------
    names : sequence of str, length L
        One text per label.
    vectorizer : Vectorizer
        Any object with ``fit_transform(texts)``, e.g. scikit-learn's or ramify's tf-idf.
    """

    names: Sequence[str]
    vectorizer: Vectorizer

    RULES: ClassVar[Rules] = {"names": Parsed(_label_names), "vectorizer": Own(("fit_transform",))}

    def represent(self, X: CSR, Y: CSR, *, threads: int | None = 1) -> Any:
        """Vectorise the names, L2-normalise the rows; InputError unless there is one name per label."""
        if len(self.names) != Y.shape[1]:
            raise InputError(f"{len(self.names)} label names are given, but Y has {Y.shape[1]} columns")
        return unit_vectors(self.vectorizer.fit_transform(self.names))


@dataclass(frozen=True, eq=False)
class Given(CheckedWhenMade):
    """Given vectors, e.g. from a sentence encoder; see also ``from_word_vectors``.

    Parameters
    ----------
    Z : csr_matrix or float array, shape (L, d)
        One row per label.
    """

    Z: Any

    RULES: ClassVar[Rules] = {"Z": Parsed(_label_vectors)}

    def represent(self, X: CSR, Y: CSR, *, threads: int | None = 1) -> Any:
        """L2-normalise the rows; InputError unless there is one finite row per label."""
        if self.Z.shape[0] != Y.shape[1]:
            raise InputError(f"{self.Z.shape[0]} label vectors are given, but Y has {Y.shape[1]} columns")
        return unit_vectors(self.Z)


def names_as_instances(X: Any, Y: CSR, names: Any, labels: npt.ArrayLike | None = None) -> tuple[Any, CSR]:
    """Add the name of each label to the training data as an instance of the label.

    Every part is then trained on labels without other instances as well; labels with few instances become more precise,
    too (``benchmarks/zero_shot.py``).

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    Y : csr_matrix, shape (n, L)
        Label assignments.
    names : csr_matrix or Hybrid, as X, shape (L, d)
        Features of the label names, by the vectorizer of X.
    labels : int array, optional
        Labels whose names are added; all when None.

    Returns
    -------
    (csr_matrix or Hybrid, csr_matrix)
        X and Y with one more row per name that is not empty.

    Raises
    ------
    InputError
        Matrices that do not fit each other, or a label out of range.
    """
    if names.shape != (Y.shape[1], X.shape[1]):
        wanted = (Y.shape[1], X.shape[1])
        raise InputError(f"names has shape {names.shape}, but must have {wanted}: a row per label, in the space of X")
    chosen = np.arange(Y.shape[1]) if labels is None else np.unique(np.asarray(labels, np.int64))
    if len(chosen) and not (chosen[0] >= 0 and chosen[-1] < Y.shape[1]):
        raise InputError(f"labels contains {chosen[[0, -1]]}, but must lie in 0..{Y.shape[1] - 1}, as Y has columns")
    names = as_features(names)
    if isinstance(names, Hybrid) != isinstance(X, Hybrid):
        raise InputError("X and names must both have a dense block, or neither: use one vectorizer for both")
    words = names.sparse if isinstance(names, Hybrid) else names
    chosen = chosen[np.diff(words.indptr)[chosen] > 0]
    own = sp.csr_matrix(
        (np.ones(len(chosen), np.float32), chosen, np.arange(len(chosen) + 1)), (len(chosen), Y.shape[1])
    )
    return _stacked(X, names[chosen]), as_csr(sp.vstack([Y, own]))


def _stacked(X: Any, more: Any) -> Any:
    """The rows of two matrices of one form."""
    if isinstance(X, Hybrid):
        dense = np.vstack([X.scaled_dense(), more.scaled_dense()])
        return Hybrid(as_csr(sp.vstack([X.sparse, more.sparse])), dense)
    return as_csr(sp.vstack([X, more]))


class Concatenation(Checked):
    """Several representations, concatenated with equal weight, because the rows of each have length 1.

    Parameters
    ----------
    *parts : Representation
        At least one.

    Raises
    ------
    InputError
        No part.
    """

    RULES: ClassVar[Rules] = {"parts": Several(_PART)}

    def __init__(self, *parts: Representation) -> None:
        self.parts = parts
        self.check_settings()

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """Join the parts' columns, L2-normalise the rows; sparse if any part is."""
        vectors = [part.represent(X, Y, threads=threads) for part in self.parts]
        if any(isinstance(Z, Hybrid) for Z in vectors):
            return _beside(vectors).unit()
        if any(sp.issparse(Z) for Z in vectors):
            return unit_vectors(sp.hstack(vectors, format="csr"))
        return unit_vectors(np.hstack(vectors))


@dataclass(frozen=True)
class Mixture(CheckedWhenMade):
    """A weighted sum of two representations of one width: weight · first + (1 - weight) · second.

    Parameters
    ----------
    first, second : Representation
        E.g. PIFA on word features and the label's text through the same vectorizer.
    weight : float, default 0.5
        Between 0 and 1.

    Raises
    ------
    InputError
        A weight out of range; when representing: parts of different widths.
    """

    first: Representation
    second: Representation
    weight: float = 0.5

    RULES: ClassVar[Rules] = {"first": _PART, "second": _PART, "weight": Real(0, 1)}

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """Add the parts, L2-normalise the rows; sparse only if both are."""
        A = self.first.represent(X, Y, threads=threads)
        B = self.second.represent(X, Y, threads=threads)
        if A.shape != B.shape:
            raise InputError(
                f"a Mixture needs representations of one shape, not {A.shape} and {B.shape}: use Concatenation"
            )
        if isinstance(A, Hybrid) and isinstance(B, Hybrid) and A.n_dense == B.n_dense:
            return _mixed(A, B, self.weight).unit()
        if isinstance(A, Hybrid) or isinstance(B, Hybrid):
            raise InputError("a Mixture needs two representations with the same dense columns: use Concatenation")
        mixed = self.weight * A + (1 - self.weight) * B
        return unit_vectors(mixed if sp.issparse(mixed) else np.asarray(mixed))


def _beside(vectors: Sequence[Any]) -> Hybrid:
    """Sparse columns of all vectors, then their dense columns."""
    sparse: list[Any] = [
        Z.sparse if isinstance(Z, Hybrid) else Z for Z in vectors if isinstance(Z, Hybrid) or sp.issparse(Z)
    ]
    dense = [Z.scaled_dense() if isinstance(Z, Hybrid) else Z for Z in vectors if not sp.issparse(Z)]
    joined: Any = sp.hstack(sparse, format="csr")
    return Hybrid(joined, np.hstack(dense))


def _mixed(A: Hybrid, B: Hybrid, weight: float) -> Hybrid:
    sparse = weight * A.sparse + (1 - weight) * B.sparse
    return Hybrid(sparse, weight * A.scaled_dense() + (1 - weight) * B.scaled_dense())


def unit_vectors(vectors: Any) -> Any:
    """Scale rows to length one as float32, CSR, Hybrid or dense; zero rows stay.

    Raises
    ------
    InputError
        NaN, or another rank than 2.
    """
    if isinstance(vectors, Hybrid):
        return vectors.unit()
    if sp.issparse(vectors):
        vectors = as_csr(vectors, "Z")
        lengths = row_lengths(vectors.indptr, vectors.data)
        scale = np.repeat(1.0 / np.where(lengths > 0, lengths, 1), np.diff(vectors.indptr))
        data = (vectors.data * scale).astype(np.float32)
        return sp.csr_matrix((data, vectors.indices, vectors.indptr), vectors.shape)
    dense = np.asarray(vectors, np.float64)
    if dense.ndim != 2 or not np.isfinite(dense).all():
        raise InputError(f"Z must be a finite matrix of shape (labels, d), not of shape {dense.shape} or with NaN")
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.divide(dense, lengths, out=np.zeros_like(dense), where=lengths > 0).astype(np.float32)
