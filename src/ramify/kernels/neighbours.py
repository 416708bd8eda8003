"""Native vote of the most similar training instances (twin: ``ramify.reference.neighbours``).

The training matrix is stored by columns. For each feature of a query the kernel adds the products of the column to the
similarities of the training instances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import scipy.sparse as sp

from ramify import _native
from ramify.checks import CheckedWhenMade, Real, Rules, Whole, thread_count, whole_number
from ramify.errors import InputError
from ramify.kernels.check import csr_arrays
from ramify.values import CSR, Float32, Float64, Int32

LARGEST_POWER = 1000.0

NativeRequest: TypeAlias = _native.NeighbourRequest
"""From ``VoteConfig.native``."""


@dataclass(frozen=True, kw_only=True)
class VoteConfig(CheckedWhenMade):
    """Number and weights of the votes.

    Parameters
    ----------
    neighbours : int, default 10
        Number of training instances that vote; fewer if fewer have a feature of the query.
    power : float, default 3
        Weight s**power of a neighbour with cosine similarity s, 0 to 1000.
    """

    neighbours: int = 10
    power: float = 3.0

    RULES: ClassVar[Rules] = {"neighbours": Whole(1, 2**30), "power": Real(0, LARGEST_POWER)}

    def native(
        self, k: int, threads: int, *, mask: Any = None, rows: CSR | None = None, only: bool = False
    ) -> NativeRequest:
        """Options of a native call.

        Parameters
        ----------
        k, threads : int
            Labels per query, and threads.
        mask : bool array, shape (L,), optional
            Labels that may be predicted.
        rows : csr_matrix, shape (n, L), optional
            Labels of each query: the only ones that may be predicted, or those that may not.
        only : bool
            Whether ``rows`` contains the permitted labels instead of the excluded ones.
        """
        pointers, labels = (None, None) if rows is None else csr_arrays(rows.sorted_indices())[:2]
        return _native.NeighbourRequest(
            neighbours=int(self.neighbours),
            power=float(self.power),
            k=whole_number("k", k, 1, 2**31 - 1),
            threads=thread_count(threads),
            mask=None if mask is None else np.ascontiguousarray(mask, bool).view(np.uint8),
            indptr=pointers,
            labels=labels,
            only=only,
        )


class NeighbourSearcher:
    """Training instances with their labels. Keeps references to the arrays without a copy.

    Parameters
    ----------
    columns : csr_matrix, shape (d, n)
        Training instances by feature; values of rows of X scaled to length one.
    Y : csr_matrix, shape (n, L)
        0/1 label assignments.

    Raises
    ------
    InputError
        Shapes that do not agree, or a broken matrix.
    """

    def __init__(self, columns: CSR, Y: CSR) -> None:
        if columns.shape[1] != Y.shape[0]:
            raise InputError(f"there are {columns.shape[1]} training instances, but Y has {Y.shape[0]} rows")
        self.columns, self.Y = columns, Y
        self._native = _native.Neighbours(*csr_arrays(columns), *csr_arrays(Y)[:2], Y.shape[1])

    @classmethod
    def of(cls, X: CSR, Y: CSR, weights: Float64 | None = None) -> NeighbourSearcher:
        """From training instances: rows of X are scaled to length one, then turned into columns.

        Parameters
        ----------
        X : csr_matrix, shape (n, d)
            Training instances.
        Y : csr_matrix, shape (n, L)
            0/1 label assignments.
        weights : float64 array, shape (d,), optional
            Factors w of the features, above 0 and at most 1. Rows w ∘ x are scaled to length 1 and
            multiplied by w again; an unweighted query then yields the weighted cosine times a per-query constant, which
            does not change the vote.
        """
        weight = np.ones(X.shape[1]) if weights is None else weights
        row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        weighed = X.data * weight[X.indices]
        squares = np.bincount(row, weighed**2, X.shape[0])
        data = (weighed * weight[X.indices] / np.sqrt(squares)[row]).astype(np.float32)
        columns = sp.csr_matrix((data, X.indices, X.indptr), shape=X.shape).tocsc()
        return cls(sp.csr_matrix((columns.data, columns.indices, columns.indptr), shape=X.shape[::-1]), Y)

    @property
    def n_features(self) -> int:
        """Width d of X."""
        return int(self.columns.shape[0])

    @property
    def n_labels(self) -> int:
        """Labels L."""
        return int(self.Y.shape[1])

    def search(
        self,
        X: CSR,
        k: int,
        config: VoteConfig,
        *,
        allowed: Any = None,
        forbidden: CSR | None = None,
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[Int32, Float32]:
        """The k best labels and scores of every row of X, shapes (n, k).

        Parameters
        ----------
        X : csr_matrix, shape (n, d)
            Queries, of any length.
        k : int
            Labels per query; missing labels are -1 with score -inf.
        config : VoteConfig
            Settings of the vote.
        allowed : bool array, shape (L,), or csr_matrix, shape (n, L), optional
            The only labels that may be predicted.
        forbidden : csr_matrix, shape (n, L), optional
            Labels that are excluded for a query.
        threads : int
            The result is the same for any number.
        progress : callable, optional
            Called with the share done, 0 to 1.
        """
        if X.shape[1] != self.n_features:
            raise InputError(f"X has {X.shape[1]} columns, but the model has {self.n_features} features")
        per_row = sp.issparse(allowed)
        if per_row and forbidden is not None:
            allowed, forbidden = sp.csr_matrix(allowed - allowed.multiply(forbidden)), None
        rows = allowed if per_row else forbidden
        if rows is not None:
            self._check_rows(rows, X.shape[0])
            rows = sp.csr_matrix(rows)
            rows.eliminate_zeros()
        request = config.native(k, threads, mask=None if per_row else self._mask(allowed), rows=rows, only=per_row)
        labels = np.empty((X.shape[0], k), np.int32)
        scores = np.empty((X.shape[0], k), np.float32)
        _native.nearest_labels(self._native, *csr_arrays(X), request, labels, scores, progress)
        return labels, scores

    def search_one(self, indices: Int32, values: Float32, request: NativeRequest, k: int) -> tuple[Int32, Float32]:
        """The same for a single query given by its features and values; ``request`` is ``config.native(k, 1)``."""
        labels = np.empty((1, k), np.int32)
        scores = np.empty((1, k), np.float32)
        try:
            _native.nearest_labels_one(self._native, indices, values, request, labels, scores)
        except (TypeError, ValueError):
            raise InputError(
                "a single instance is an int32 vector of feature numbers below "
                f"{self.n_features} and a float32 vector of as many values"
            ) from None
        return labels, scores

    def _mask(self, allowed: Any) -> Any:
        if allowed is not None and (allowed.dtype != np.bool_ or allowed.shape != (self.n_labels,)):
            raise InputError(f"allowed must be a bool vector of length {self.n_labels}")
        return allowed

    def _check_rows(self, rows: CSR, n: int) -> None:
        if rows.shape != (n, self.n_labels):
            raise InputError(f"the labels per query have shape {rows.shape}, but must have {(n, self.n_labels)}")

    def __reduce__(self) -> tuple[Any, ...]:
        return NeighbourSearcher, (self.columns, self.Y)  # the native object is made again
