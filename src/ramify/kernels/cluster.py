"""Native clustering of label vectors (twins: ``reference.cluster``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from ramify import _native
from ramify.checks import COUNT, CheckedWhenMade, Real, Rules, Whole, YesNo, thread_count
from ramify.errors import InputError
from ramify.kernels.check import csr_arrays, feature_arrays
from ramify.values import CSR, Features, Float32, Hybrid, Int32, Int64, empty_csr


@dataclass(frozen=True, kw_only=True)
class KMeansConfig(CheckedWhenMade):
    """Settings of the k-means of one split.

    Parameters
    ----------
    spherical : bool, default True
        Centroids scaled to length one (cosine); False: plain means (Euclidean).
    iterations : int, default 20
        Maximum number of assignments.
    tolerance : float, default 0.002
        k-means stops when at most this share of the labels changed its cluster.
    seed : int, default 0
        Selects the initial centroids.
    sketch : int, default 64
        ``balanced_order`` first splits by the ``sketch`` largest sparse entries of each vector, and its dense block, if
        these are at most half of all sparse entries; 0: never.
    refinements : int, default 3
        Maximum number of assignments with the full vectors after those with the sketch.

    Raises
    ------
    InputError
        Fewer than 1 iteration or refinement, a tolerance outside 0..1, a negative seed or sketch.
    """

    spherical: bool = True
    iterations: int = 20
    tolerance: float = 0.002
    seed: int = 0
    sketch: int = 64
    refinements: int = 3

    RULES: ClassVar[Rules] = {
        "spherical": YesNo(),
        "iterations": COUNT,
        "tolerance": Real(0, 1),
        "seed": Whole(0),
        "sketch": Whole(0, 2**31 - 1),
        "refinements": COUNT,
    }


@dataclass(frozen=True, kw_only=True)
class CutPlan:
    """Recursive cuts of a range of label positions; they do not depend on the label vectors.

    Parameters
    ----------
    n_labels : int
        Cut 0 splits the positions 0 to n_labels.
    middles : int64 array, length n_cuts
        First position of the right side.
    lefts, rights : int32 arrays, length n_cuts
        The cut that splits that side further, or -1; always a higher number.
    """

    n_labels: int
    middles: Int64
    lefts: Int32
    rights: Int32

    def __post_init__(self) -> None:
        begin = np.zeros(len(self.middles), np.int64)
        end = np.full(len(self.middles), self.n_labels, np.int64)
        numbers = np.arange(len(self.middles))
        for cuts in (self.lefts, self.rights):
            if len(cuts) != len(numbers) or (cuts >= len(numbers)).any() or ((cuts >= 0) & (cuts <= numbers)).any():
                raise InputError("a cut plan must refer to later cuts only, or -1")
        children = np.concatenate([self.lefts[self.lefts >= 0], self.rights[self.rights >= 0]])
        if len(np.unique(children)) != len(children) or len(children) != max(len(numbers) - 1, 0):
            raise InputError("a cut plan must use every cut once")
        _fill_ranges(self, begin, end)
        if not ((begin < self.middles) & (self.middles < end)).all():
            raise InputError("a cut plan must leave at least one label on each side of every cut")


def _fill_ranges(plan: CutPlan, begin: Int64, end: Int64) -> None:
    ranges = zip(plan.middles.tolist(), plan.lefts.tolist(), plan.rights.tolist(), strict=True)
    for cut, (middle, left, right) in enumerate(ranges):
        if left >= 0:
            begin[left], end[left] = begin[cut], middle
        if right >= 0:
            begin[right], end[right] = middle, end[cut]


def balanced_order(
    Z: Features | Float32, plan: CutPlan, config: KMeansConfig, *, threads: int | None = 1, folder: str = ""
) -> Int32:
    """Order the labels by a cut plan; each cut is a 2-means with sides of the planned sizes.

    Parameters
    ----------
    Z : csr_matrix, Hybrid or float32 array, shape (L, d)
        Label vectors; all-zero rows may go to either side.
    plan : CutPlan
        For L labels.
    config : KMeansConfig
        Settings of each cut.
    threads : int or None, default 1
        The result is the same for any number.
    folder : str, default ""
        Folder for files that hold the vectors of large clusters; "": they are in memory.

    Returns
    -------
    int32 array, length L
        The label at each position; ascending within a range that is not cut.

    Raises
    ------
    InputError
        A plan for another number of labels, broken arrays, or a folder without enough space.
    """
    threads = thread_count(threads)
    if Z.shape[0] != plan.n_labels:
        raise InputError(f"Z has {Z.shape[0]} rows, but the plan is for {plan.n_labels} labels")
    common = (config.spherical, config.iterations, config.tolerance, config.seed, threads)
    options = _native.BisectOptions(*common, config.sketch, config.refinements, folder)
    order = np.empty(plan.n_labels, np.int32)
    cuts = (
        np.ascontiguousarray(plan.middles, np.int64),
        np.ascontiguousarray(plan.lefts, np.int32),
        np.ascontiguousarray(plan.rights, np.int32),
    )
    try:
        _native.balanced_order(feature_arrays(_as_features(Z)), *cuts, options, order)
    except RuntimeError as error:
        if not folder:
            raise
        raise InputError(str(error)) from None
    return order


def _as_features(Z: Features | Float32) -> Features:
    """Label vectors as features without ``dense_scale``; a dense array has an empty sparse block."""
    if isinstance(Z, Hybrid):
        return Z if Z.dense_scale is None else Hybrid(Z.sparse, Z.scaled_dense())
    if sp.issparse(Z):
        return Z
    dense: Float32 = np.ascontiguousarray(Z, np.float32)
    return Hybrid(empty_csr(len(dense), 1), dense) if dense.shape[1] else empty_csr(len(dense), 1)


def nearest(Z: CSR, k: int, *, threads: int | None = 1) -> tuple[Int32, Float32]:
    """Find the k rows with the largest dot products for every row, exactly.

    Parameters
    ----------
    Z : csr_matrix, shape (n, d)
        Vectors.
    k : int
        Neighbours per row, at least 1.
    threads : int or None, default 1
        The result is the same for any number.

    Returns
    -------
    neighbours : int32 array, shape (n, k)
        By descending product, then ascending row, without the row itself; -1 after the last positive product.
    products : float32 array, shape (n, k)
        Their dot products; 0 where the neighbour is -1.

    Raises
    ------
    InputError
        ``k`` below 1 or a broken matrix.
    """
    threads = thread_count(threads)
    if k < 1:
        raise InputError(f"k is {k}, but must be at least 1")
    neighbours = np.empty((Z.shape[0], k), np.int32)
    products = np.empty((Z.shape[0], k), np.float32)
    transpose = Z.tocsc().T
    _native.nearest(*csr_arrays(Z), *csr_arrays(transpose), threads, neighbours, products)
    return neighbours, products
