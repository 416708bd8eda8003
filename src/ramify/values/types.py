"""Types of arrays, matrices and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

if TYPE_CHECKING:
    CSR: TypeAlias = sp.csr_matrix[np.float32]  # only the stubs are generic in SciPy < 1.15
else:
    CSR = sp.csr_matrix
"""A scipy csr_matrix: float32 data, sorted column indices, no duplicates (see ``as_csr``)."""
Int8: TypeAlias = npt.NDArray[np.int8]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Bool: TypeAlias = npt.NDArray[np.bool_]
StageProgress: TypeAlias = Callable[[str, float], None]
"""Called with the name of the stage and the share done.

Stages: features, choose, represent, index, train, pack, predict; with an encoder tokens, fine-tune, embed and match.
"""
