"""Which labels may be predicted: given as label ids for all instances, or as a matrix with one row per instance."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.values import CSR, Bool, as_label_matrix, nonzero

Allowed: TypeAlias = Bool | CSR | None
"""A bool array of shape (L,) for all instances, a CSR matrix of shape (n, L) per instance, or None."""


def restriction(allowed: Any, forbidden: Any, n: int, n_labels: int) -> tuple[Allowed, CSR | None]:
    """Convert ``allowed`` and ``forbidden`` to the form of the search.

    Parameters
    ----------
    allowed, forbidden : label ids, bool array of shape (L,), matrix of shape (n, L), or None
        As given by the user.
    n, n_labels : int
        Instances and labels.

    Returns
    -------
    allowed : bool array, shape (L,), or csr_matrix, shape (n, L), or None
        Labels without those of a ``forbidden`` list.
    forbidden : csr_matrix, shape (n, L), or None
        Labels that are forbidden per instance.

    Raises
    ------
    InputError
        Ids out of range, or a matrix of another shape.
    """
    never = _matrix(forbidden, "forbidden", n, n_labels)
    for_all = forbidden if never is None else None
    only = _matrix(allowed, "allowed", n, n_labels)
    if only is None:
        return None if allowed is None and for_all is None else _mask(allowed, for_all, n_labels), never
    if for_all is not None:
        only = sp.csr_matrix(only.multiply(_mask(None, for_all, n_labels)))
    return only, never


def _matrix(labels: Any, name: str, n: int, n_labels: int) -> CSR | None:
    """The matrix form, or None for a list of ids or None."""
    if labels is None or (not sp.issparse(labels) and np.ndim(labels) != 2):
        return None
    return as_label_matrix(labels, n, n_labels=n_labels, name=name)


def _mask(allowed: Any, forbidden: Any, n_labels: int) -> Bool:
    mask = np.full(n_labels, allowed is None)
    if allowed is not None:
        mask[_ids(allowed, "allowed", n_labels)] = True
    if forbidden is not None:
        mask[_ids(forbidden, "forbidden", n_labels)] = False
    return mask


def _ids(labels: Any, name: str, n_labels: int) -> npt.NDArray[np.int64]:
    ids = np.asarray(labels)
    if ids.dtype == bool and ids.shape == (n_labels,):
        return np.flatnonzero(ids)
    if ids.size == 0:
        return np.empty(0, np.int64)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= n_labels:
        raise InputError(f"{name} must be label ids in 0..{n_labels - 1}, or a matrix with one row per instance")
    return ids.astype(np.int64)


def permitted(scores: CSR, allowed: Allowed, forbidden: CSR | None) -> CSR:
    """The entries above 0 of labels that may be predicted.

    Parameters
    ----------
    scores : csr_matrix, shape (n, L)
        Scores of candidates.
    allowed, forbidden
        As returned by ``restriction``.
    """
    if allowed is None and forbidden is None:
        return scores
    if sp.issparse(allowed):
        scores = sp.csr_matrix(scores.multiply(nonzero(allowed)))
    elif allowed is not None:
        scores = sp.csr_matrix(scores @ sp.diags(allowed.astype(np.float32)))
    if forbidden is not None:
        scores = sp.csr_matrix(scores - scores.multiply(nonzero(forbidden)))
    scores.eliminate_zeros()
    scores.sort_indices()
    return scores
