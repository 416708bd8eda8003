"""Training of a label tree within a limit of memory: parts of a level one by one, weights and vectors in files.

peak = data of the labels + one part of a level + work arrays          X, Z, trained and packed weights are mapped files

The weights of a node depend on its rows and its place in the tree only, so the model is that without a limit.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.checks import thread_count
from ramify.errors import InputError, RamifyWarning
from ramify.kernels.predict import SearchConfig, nodes_reached
from ramify.kernels.train import LevelProblem, SolverConfig, halves_suffice, train
from ramify.protocols import TreeWork
from ramify.scale.parts import part_of_level, placed, row_sizes, rows_of_parents, within
from ramify.spill import OTHER_FOLDER, Spill
from ramify.values import CSR, Features, Float32, Float64, Int32
from ramify.weights import MAX_BLOCK, LevelWeights, PackedLevel

ROWS_AT_ONCE = 1 << 16
"""Instances whose hard negatives are searched at a time."""

BYTES_PER_VALUE = 48
"""Estimated memory of a part per value of its rows: their copy, and the weights, which are copied once."""

PART_SHARE = 8
"""A part takes at most this fraction of the limit, unless one parent needs more; then its rows are copied to files."""

ROWS_IN_FILES = sys.platform == "linux"
"""Whether the rows of a large parent are copied to files (cpp/spill.cpp)."""

SIBLINGS = 16
"""Children of a parent that a thread trains at a time, at most."""

BYTES_PER_WEIGHT, BYTES_PER_WEIGHT_FOUND = 12, 28
"""Trained weights before they are in a file, as kept and as copied; and as found, in the blocks that are in work."""

WEIGHTS_PER_POSITIVE = ((0.1, 16), (0.05, 32))
"""Weights that are kept per positive row of a node, at most, from a threshold on: measured are 10 and 22 with short
texts (gutenberg-lcsh, 8,000), 12 and 24 with long ones (crs-bills-104-110, 3,000). Below, all may be kept."""

FIXED_BYTES = 200_000_000
"""Memory of the interpreter, the libraries, a shard of texts and other buffers."""

LEAST_LIMIT = 250_000_000
"""Smallest limit; less is not enough for ``FIXED_BYTES`` and a part."""


class MemoryLimit:
    """Trains label trees within a limit of memory (``protocols.Compute``).

    Parameters
    ----------
    limit : int
        Memory of the process in bytes, without mapped files.
    folder : path-like, optional
        Folder for the mapped files, on a disk; the folder for temporary files when None.

    Raises
    ------
    InputError
        The folder cannot be used, or the limit is below ``LEAST_LIMIT``.

    Warns
    -----
    RamifyWarning
        The folder is in memory.
    """

    def __init__(self, limit: int, folder: str | os.PathLike[str] | None = None) -> None:
        self.limit = int(limit)
        if self.limit < LEAST_LIMIT:
            raise InputError(
                f"the limit of memory is {_shown(self.limit)}, but libraries and buffers need about "
                f"{_shown(FIXED_BYTES)} before any data: give at least {_shown(LEAST_LIMIT)}"
            )
        self.spill = Spill(tempfile.gettempdir() if folder is None else Path(folder))
        kind = self.spill.in_memory
        if kind is not None:
            warnings.warn(
                f"the folder {self.spill.folder} is in memory ({kind}), so the files of the training count as memory "
                f"and may exceed the limit: {OTHER_FOLDER}",
                RamifyWarning,
                stacklevel=2,
            )

    def begin(self, work: TreeWork) -> None:
        """Check the limit.

        Raises
        ------
        InputError
            The training needs more memory; the message contains how much.
        """
        self._check(needed_bytes(work), "about")

    def check_labels(self, Y: CSR) -> None:
        """Check the limit by the labels only, before features and tree are made.

        Parameters
        ----------
        Y : csr_matrix, shape (n, L)
            Label assignments.

        Raises
        ------
        InputError
            The training needs more memory; the message contains the least amount.
        """
        self._check(int(labels_bytes(Y.nnz, 0, Y.shape[1]) * PART_SHARE / (PART_SHARE - 1)), "at least")

    def _check(self, needed: int, how: str) -> None:
        if needed > self.limit:
            raise InputError(
                f"the training needs {how} {_shown(needed)} of memory, but the limit is {_shown(self.limit)}: "
                "raise the limit, or use fewer labels or documents"
            )

    def train(
        self,
        X: Features,
        problems: Sequence[LevelProblem],
        config: SolverConfig,
        *,
        instance_weights: Float32 | None = None,
        seed: int = 0,
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> list[LevelWeights]:
        """See ``protocols.Compute``; the weights are in files."""
        half = halves_suffice(X, config)
        costs = [_costs(X, problem, config.threshold) for problem in problems]
        total = max(sum(float(cost.sum()) for cost in costs), 1.0)
        done, levels = 0.0, []
        for number, (problem, cost) in enumerate(zip(problems, costs, strict=True)):
            level = placed(problem, number)
            weights = _WeightsFile(self.spill)
            most = self.limit / PART_SHARE / BYTES_PER_VALUE
            for first, last in bounded_ranges(cost, most):
                values = float(cost[first:last].sum())  # of a part with many weights, more than its rows have
                share = values / total
                (part,) = train(
                    X,
                    [part_of_level(level, first, last)],
                    config,
                    instance_weights=instance_weights,
                    seed=seed,
                    threads=threads,
                    half_precision=half,
                    progress=within(progress, done, share),
                    folder=str(self.spill.folder) if values > most else "",
                )
                weights.add(part)
                done += share
            levels.append(weights.finish(problem, X.shape[1]))
        return levels

    def nodes_reached(
        self,
        parents: tuple[Int32, ...],
        levels: Sequence[PackedLevel],
        X: Features,
        config: SearchConfig,
        *,
        threads: int = 1,
    ) -> CSR:
        """See ``protocols.Compute``; the instances are searched block by block."""
        blocks = [
            nodes_reached(parents, levels, X[first : first + ROWS_AT_ONCE], config, threads=threads)
            for first in range(0, X.shape[0], ROWS_AT_ONCE)
        ]
        return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def needed_bytes(work: TreeWork) -> int:
    """Estimated memory of the training of a tree in bytes, without mapped files.

    The factors are from measurements with 100,000 and 300,000 labels (docs/larger-than-memory.md).
    """
    n, width = work.X.shape
    positives = sum(target.nnz for target in work.targets)
    labels = labels_bytes(positives, width, work.tree.n_leaves)
    every_level = labels + (40 * n * work.beam if any(work.matched) else 0)
    needs = [every_level * PART_SHARE / (PART_SHARE - 1), labels + largest_parent_bytes(work, 0)]
    needs += [every_level + largest_parent_bytes(work, level) for level in range(1, work.tree.depth)]
    return int(max(needs))


def labels_bytes(positives: int, width: int, leaves: int) -> int:
    """Estimated memory of the program, the positives of all levels, the columns and the labels, in bytes."""
    return FIXED_BYTES + 40 * positives + 40 * width + 60 * leaves


def largest_parent_bytes(work: TreeWork, level: int) -> float:
    """Estimated memory of the training of the children of the parent that needs most on a level, in bytes."""
    children = np.diff(work.tree.first_children(level)).astype(np.float64)
    rows, size = rows_of_parents(work, level), float(row_sizes(work.X).mean())
    target = work.targets[level]
    counts = np.bincount(target.indices, minlength=target.shape[1])
    positives = np.bincount(work.tree.parents[level], counts, minlength=len(children)).astype(np.float64)
    values = rows * size
    columns = np.minimum(float(work.X.shape[1]), values)
    lanes = np.minimum(children, SIBLINGS)
    threads = np.minimum(np.ceil(children / SIBLINGS), thread_count(work.threads))
    weights = most_weights(children, columns, values, positives, work.solver.threshold)
    in_work = np.minimum(1.0, (threads + 1) * MAX_BLOCK / np.maximum(children, 1))
    of_weights = weights * (BYTES_PER_WEIGHT + BYTES_PER_WEIGHT_FOUND * in_work)
    copied = 0.0 if ROWS_IN_FILES else 12 * values
    of_threads = threads * (rows * (56 + 8 * lanes) + columns * (4 * lanes + 4))
    return float((copied + of_threads + 20 * (rows + columns) + of_weights).max())


def most_weights(children: Float64, columns: Float64, values: Float64, positives: Float64, threshold: float) -> Float64:
    """Estimated largest number of weights of the children of each parent.

    Parameters
    ----------
    children, columns, values, positives : float64 array, shape (parents,)
        Numbers of children, of features and of values of the rows, and of positive rows of all children.
    threshold : float
        Of the solver.
    """
    share = next((share for least, share in WEIGHTS_PER_POSITIVE if threshold >= least), None)
    if share is None:
        return children * columns
    return np.minimum(children * columns, np.maximum(share * positives, values / 4))


def bounded_ranges(sizes: Float64, most: float) -> list[tuple[int, int]]:
    """Consecutive ranges that cover all items, with sums of at most ``most``; a larger item has a range of its own."""
    ranges, first, total = [], 0, 0.0
    for place, size in enumerate(sizes.tolist()):
        if place > first and total + size > most:
            ranges.append((first, place))
            first, total = place, 0.0
        total += size
    return [*ranges, (first, len(sizes))] if len(sizes) else []


def _costs(X: Features, problem: LevelProblem, threshold: float) -> Float64:
    """Number of values of the rows of each parent, or of as many values as its weights need memory, if it is larger."""
    values = np.diff(np.concatenate([[0.0], np.cumsum(row_sizes(X)[problem.rows.indices])])[problem.rows.indptr])
    ends = problem.blocks.begin[problem.blocks.parent_blocks]
    children, positives = (np.diff(counts).astype(np.float64) for counts in (ends, problem.positives.indptr[ends]))
    weights = most_weights(children, np.minimum(float(X.shape[1]), values), values, positives, threshold)
    bytes_of_weights = (BYTES_PER_WEIGHT + BYTES_PER_WEIGHT_FOUND) * weights
    return np.asarray(np.maximum(values, bytes_of_weights / BYTES_PER_VALUE))


class _WeightsFile:
    """Weights of the parts of a level, written behind each other."""

    FIELDS = (("features", np.int32), ("row_entries", np.int64), ("children", np.uint8), ("values", np.float32))

    def __init__(self, spill: Spill) -> None:
        self._files: dict[str, Any] = {name: spill.growing(kind) for name, kind in self.FIELDS}
        self._files["row_entries"].append(np.zeros(1, np.int64))
        self._block_rows, self._bias = [np.zeros(1, np.int64)], [np.empty(0, np.float32)]
        self._dense: list[Float32] = []

    def add(self, part: LevelWeights) -> None:
        """Append the weights of the next nodes."""
        rows, entries = len(self._files["features"]), len(self._files["values"])
        for name in ("features", "children", "values"):
            self._files[name].append(getattr(part, name))
        self._files["row_entries"].append(part.row_entries[1:] + entries)
        self._block_rows.append(part.block_rows[1:] + rows)
        self._bias.append(part.bias)
        if part.dense is not None:
            self._dense.append(part.dense)

    def finish(self, problem: LevelProblem, n_features: int) -> LevelWeights:
        """The weights of the level."""
        return LevelWeights(
            blocks=problem.blocks,
            n_features=n_features,
            block_rows=np.concatenate(self._block_rows),
            bias=np.concatenate(self._bias),
            dense=np.concatenate(self._dense) if self._dense else None,
            **{name: file.finish() for name, file in self._files.items()},
        )


def _shown(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.0f} MB" if n_bytes >= 1e6 else f"{n_bytes:,.0f} bytes"
