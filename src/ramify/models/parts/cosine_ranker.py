"""Ranking of labels by the cosine of label vector and instance; untrained, so that it also ranks unseen labels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import REPRESENTATION, Checked, Rules
from ramify.errors import InputError, damage_reported
from ramify.exchange import Sizes
from ramify.kernels.check import csr_arrays
from ramify.label_vectors import unit_vectors
from ramify.models.base.reasons import CosineReason
from ramify.models.base.stored import check_rows, matrix_over, stored_array, stored_size, stored_vectors
from ramify.protocols import RankingProblem, Representation
from ramify.values import CSR, Hybrid, as_csr

PAIRS = 1 << 20
"""Number of candidates scored at a time."""


class CosineRanker(Checked, BaseEstimator):  # type: ignore[misc]
    """Scores a label by max(0, cosine of instance and label vector).

    The label vectors must have the columns of X: PIFA, or the features of the label's name by the vectorizer of X
    (``LabelText``). With label names, labels without training instances are ranked as well.

    Parameters
    ----------
    representation : Representation, optional
        Label vectors; those of the indexer when None.

    Attributes
    ----------
    vectors_ : csr_matrix, shape (L, d)
        Label vectors of length 1.
    """

    RULES: ClassVar[Rules] = {"representation": REPRESENTATION}

    def __init__(self, representation: Representation | None = None) -> None:
        self.representation = representation

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> CosineRanker:
        """Store the label vectors.

        Raises
        ------
        InputError
            Label vectors with a different number of columns than X.
        """
        self.check_settings()
        if isinstance(problem.X, Hybrid):
            raise InputError(
                f"X has a dense block of {problem.X.n_dense} columns, but CosineRanker uses sparse features only: "
                "give X.sparse, or use LinearRanker"
            )
        width, vectors = problem.X.shape[1], problem.vectors
        if self.representation is not None:
            vectors = self.representation.represent(problem.X, problem.Y, threads=threads)
        if vectors is None or vectors.shape[1] != width:
            shape = None if vectors is None else vectors.shape
            raise InputError(f"label vectors have shape {shape}, but a cosine ranker needs {width} columns, as in X")
        self.vectors_ = as_csr(unit_vectors(vectors), "vectors")
        return self

    def size(self) -> Sizes:
        """Sizes of the fitted ranker."""
        n_labels, width = self.vectors_.shape
        return Sizes(features=int(width), labels=int(n_labels), weights=int(self.vectors_.nnz))

    def rank(self, X: CSR, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores of the stored entries of ``candidates``, shape (n, L)."""
        check_is_fitted(self)
        if X.shape[1] != self.vectors_.shape[1]:
            raise InputError(f"X has {X.shape[1]} columns, but the label vectors have {self.vectors_.shape[1]}")
        unit = as_csr(unit_vectors(X))
        rows = np.repeat(np.arange(X.shape[0]), np.diff(candidates.indptr))
        scores = np.empty(len(rows), np.float32)
        for first in range(0, len(rows), PAIRS):
            part = slice(first, first + PAIRS)
            products = unit[rows[part]].multiply(self.vectors_[candidates.indices[part]])
            scores[part] = np.clip(np.asarray(products.sum(axis=1)).ravel(), 0, 1)
        return sp.csr_matrix((scores, candidates.indices, candidates.indptr), shape=candidates.shape)

    def reason(self, X: CSR, label: int) -> CosineReason:
        """Products of the columns of one instance and the label vector: see ``models.base.reasons``."""
        check_is_fitted(self)
        products = as_csr(unit_vectors(X)).multiply(self.vectors_[[label]]).tocsr()
        contributions = products.data.astype(np.float64)
        score = float(np.clip(contributions.sum(), 0, 1))
        return CosineReason(columns=products.indices, contributions=contributions, score=score)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        indptr, indices, data = csr_arrays(self.vectors_.sorted_indices())
        return {"shape": list(self.vectors_.shape)}, {"indptr": indptr, "indices": indices, "data": data}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> CosineRanker:
        """Restore the ranker from a model directory.

        Raises
        ------
        ModelFileError
            Invalid arrays.
        """
        with damage_reported("the label vectors are"):
            rows, width = (stored_size(size, "a size of the label vectors") for size in config["shape"])
            pointers = stored_array(arrays, "indptr", np.int64, (rows + 1,))
            columns = stored_array(arrays, "indices", np.int32, (None,))
            values = stored_vectors(arrays, "data", (len(columns),))
            check_rows(pointers, columns, (rows, width))
            ranker = cls()
            ranker.vectors_ = matrix_over((values, columns, pointers), (rows, width))
        return ranker
