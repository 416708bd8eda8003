"""Label sets as padded sequences for teacher forcing, and instances as inputs of the network.

inputs  = START l1 l2 ... lm          START and STOP share the number L
targets = l1    l2 ... lm STOP        padded with -1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.values import CSR, Float64, Int64

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Features:
    """Sparse instances as arguments of ``embedding_bag``.

    Parameters
    ----------
    indices : int64 tensor, shape (nonzeros,)
    offsets : int64 tensor, shape (n,)
    values : tensor, shape (nonzeros,)
    """

    indices: torch.Tensor
    offsets: torch.Tensor
    values: torch.Tensor


def features(X: CSR, like: torch.Tensor) -> Features:
    """Rows of X, shape (n, d), with the device and dtype of a tensor."""
    import torch

    def moved(array: Any, dtype: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(device=like.device, dtype=dtype)

    return Features(moved(X.indices, torch.int64), moved(X.indptr[:-1], torch.int64), moved(X.data, like.dtype))


def sequences(Y: CSR, keys: Float64) -> Int64:
    """Targets, shape (n, longest + 1): labels of each row of Y by ascending keys, then STOP, then -1."""
    lengths = np.diff(Y.indptr)
    rows = np.repeat(np.arange(Y.shape[0]), lengths)
    order = np.lexsort((keys, rows))
    targets = np.full((Y.shape[0], int(lengths.max(initial=0)) + 1), -1, np.int64)
    places = np.arange(Y.nnz) - np.repeat(Y.indptr[:-1], lengths)
    targets[rows, places] = Y.indices[order]
    targets[np.arange(Y.shape[0]), lengths] = Y.shape[1]
    return targets
