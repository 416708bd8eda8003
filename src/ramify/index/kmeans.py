"""Label trees by recursive balanced 2-means, as in Parabel and PECOS (references: docs/papers.md).

Labels with similar vectors are in the same cluster, so a search over a few clusters finds most relevant labels. All
leaf clusters have about the same size, which bounds the cost of a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ramify.checks import COUNT, CheckedWhenMade, Rules, Whole, YesNo, rules_of, thread_count
from ramify.errors import InputError
from ramify.index.shape import balanced_shape, cut_plan
from ramify.kernels.cluster import KMeansConfig, balanced_order
from ramify.spill import Spill
from ramify.values import CSR, Hybrid, Int32, LabelTree, as_csr


@dataclass(frozen=True, kw_only=True)
class KMeansIndexer(CheckedWhenMade):
    """Group labels by recursive 2-means into clusters of equal size.

    Parameters
    ----------
    branching : int, default 64
        Children per cluster, at least 2.
    max_leaf : int, default 100
        Maximum number of labels per leaf cluster, at least 1.
    spherical : bool, default True
        Cosine similarity; False: Euclidean distance.
    iterations : int, default 20
        Maximum number of assignments per split.
    max_depth : int, optional
        Maximum number of levels of clusters above the leaves; by default as many as ``branching`` and ``max_leaf``
        require. If the limit applies, the root has more than ``branching`` children.
    keep_unused : bool, default False
        Include labels without any instance. By default they are left out, because they cannot be learnt.

    Raises
    ------
    InputError
        A setting out of range.
    """

    branching: int = 64
    max_leaf: int = 100
    spherical: bool = True
    iterations: int = 20
    max_depth: int | None = None
    keep_unused: bool = False

    RULES: ClassVar[Rules] = {
        "branching": Whole(2, 2**31 - 1),
        "max_leaf": COUNT,
        **rules_of(KMeansConfig, "spherical", "iterations"),
        "max_depth": Whole(1, 2**31 - 1, optional=True),
        "keep_unused": YesNo(),
    }

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int | None = 1, spill: Spill | None = None) -> LabelTree:
        """Group the labels.

        Parameters
        ----------
        Z : csr_matrix, Hybrid or float array, shape (L, d)
            Label vectors; they are not scaled, so L2-normalise the rows for the cosine.
        Y : csr_matrix, shape (n, L)
            0/1 label assignments; labels without an entry are unused.
        seed : int, default 0
            The same seed gives the same tree for any number of threads.
        threads : int or None, default 1
            None uses all CPUs.
        spill : Spill, optional
            Files for copies of the vectors; in memory when None.

        Returns
        -------
        LabelTree
            Without the labels that have no instance, unless ``keep_unused``.

        Raises
        ------
        InputError
            Z and Y do not agree, NaN in Z, or no label in use.
        """
        threads = thread_count(threads)
        Z = label_vectors(Z, Y.shape[1])
        kept = kept_labels(Y, keep_unused=self.keep_unused)
        if len(kept) < Z.shape[0]:
            Z = Z[kept] if spill is None or not sp.issparse(Z) else spill.rows(Z, kept)
        config = KMeansConfig(spherical=self.spherical, iterations=self.iterations, seed=seed)
        folder = "" if spill is None else str(spill.folder)
        shape = balanced_shape(len(kept), branching=self.branching, max_leaf=self.max_leaf, max_depth=self.max_depth)
        order = balanced_order(Z, cut_plan(shape), config, threads=threads, folder=folder)
        return shape.tree(kept[order], Y.shape[1])


def label_vectors(Z: Any, n_labels: int) -> Any:
    """Convert Z for the kernels: CSR, Hybrid or dense float32; InputError unless it has one finite row per label."""
    if isinstance(Z, Hybrid):
        pass
    elif sp.issparse(Z):
        Z = as_csr(Z, "Z")
    else:
        try:
            Z = np.ascontiguousarray(Z, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"Z does not contain numbers: {error}") from None
        if Z.ndim != 2 or not np.isfinite(Z).all():
            raise InputError(f"Z must be a finite matrix of shape (labels, d), not of shape {Z.shape} or with NaN")
    if Z.shape[0] != n_labels:
        raise InputError(f"Z has {Z.shape[0]} rows, but Y has {n_labels} columns: give one vector per label")
    return Z


def kept_labels(Y: CSR, *, keep_unused: bool) -> Int32:
    """The labels of the tree, ascending: those with an instance, or all."""
    if keep_unused:
        return np.arange(Y.shape[1], dtype=np.int32)
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    kept = np.flatnonzero(counts).astype(np.int32)
    if len(kept) == 0:
        raise InputError("Y has no positive entry, so there is no label to index: give labelled instances")
    return kept
