"""Checked call of the kernel that evaluates a sum of binary decision trees, such as gradient-boosted trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import ramify._native as _native  # noqa: PLR0402 (mypy loses a skipped module that comes by "from")
from ramify.errors import InputError
from ramify.values import Float32, Float64, Int32


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeSum:
    """score(x) = baseline + Σ over the trees of the value of the leaf that x reaches.

    Parameters
    ----------
    roots : int32 array, shape (trees,)
        Root node of each tree.
    features : int32 array, shape (nodes,)
        Column that a node splits; -1 for a leaf.
    thresholds : float64 array, shape (nodes,)
        Instances with a value of at most the threshold go left.
    left, right : int32 array, shape (nodes,)
        Children, with larger numbers than their parent; 0 for a leaf.
    values : float64 array, shape (nodes,)
        Values of the leaves.
    baseline : float
        The sum without trees.
    n_features : int
        Columns of an instance.

    Raises
    ------
    InputError
        Arrays of other types, or that are not trees.
    """

    roots: Int32
    features: Int32
    thresholds: Float64
    left: Int32
    right: Int32
    values: Float64
    baseline: float
    n_features: int

    TYPES: ClassVar[Mapping[str, Any]] = {
        "roots": np.int32, "features": np.int32, "thresholds": np.float64,
        "left": np.int32, "right": np.int32, "values": np.float64,
    }  # fmt: skip

    def __post_init__(self) -> None:
        n_nodes = len(self.features)
        for name, dtype in self.TYPES.items():
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise InputError(f"{name} of the trees must be a vector of {np.dtype(dtype).name}")
            if name != "roots" and len(array) != n_nodes:
                raise InputError(f"{name} of the trees must have {n_nodes} values")
        if len(self.roots) and not (self.roots.min() >= 0 and self.roots.max() < n_nodes):
            raise InputError("a root of the trees is out of range")
        inner = np.flatnonzero(self.features >= 0)
        if (self.features >= self.n_features).any() or not np.isfinite([*self.values, self.baseline]).all():
            raise InputError(f"a node of the trees has no feature below {self.n_features}, or no finite value")
        for child in (self.left[inner], self.right[inner]):
            if len(inner) and not ((child > inner) & (child < n_nodes)).all():
                raise InputError("a node of the trees has no child after it")

    def scores(self, rows: Float32, threads: int = 1) -> Float64:
        """The sum for each row, float64, shape (n,).

        Parameters
        ----------
        rows : float32 array, shape (n, n_features)
            Instances without NaN.
        threads : int, default 1
            The result is the same for any number.
        """
        if rows.ndim != 2 or rows.shape[1] != self.n_features or rows.dtype != np.float32:
            raise InputError(f"rows must be float32 with {self.n_features} columns, not {rows.dtype} {rows.shape}")
        out = np.empty(len(rows), np.float64)
        trees: Any = {name: np.ascontiguousarray(array) for name, array in self.arrays().items()}
        _native.sum_trees(
            **trees, baseline=float(self.baseline), rows=np.ascontiguousarray(rows), out=out, threads=int(threads)
        )
        return out

    def arrays(self) -> dict[str, Any]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in self.TYPES}
