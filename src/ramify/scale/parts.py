"""Tasks of the training of a label tree: parts of a level, and parts of the instances in the search of hard negatives.

part of a level = the nodes below consecutive parents        each parent trains on the rows that reach it
search          = the inner levels, and consecutive rows     the beam of a row does not depend on other rows

Functions that run in a worker are pure: they depend on their arguments only. The weights of a node depend on its rows,
on its place in the tree, which seeds the solver, and on whether half precision suffices for the whole of X. A part has
all of them, so it gets the bits of the training on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.exchange import Request
from ramify.kernels.predict import SearchConfig, nodes_reached
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.protocols import TreeWork
from ramify.scale.memory import peak_memory
from ramify.values import CSR, Features, Float32, Float64, Hybrid, Int32, Int64
from ramify.weights import Blocks, LevelWeights, PackedLevel

Arrays = dict[str, npt.NDArray[Any]]

LANES = 16
"""Siblings that a processor with AVX-512 trains at once; only estimates of the time depend on it."""

DENSE_PER_SPARSE = 4.0
"""Values of a dense block that take the time of a sparse one."""


BYTES_PER_VALUE = 8
"""An index and a value of a sparse matrix."""

COPIES = 3
"""Memory of a task as a multiple of its rows: the rows, their copy with renumbered features, and the dual variables."""


@dataclass(frozen=True, kw_only=True)
class PartSettings:
    """What a part of a level has in common with the others.

    Parameters
    ----------
    solver : SolverConfig
        Settings of the solver.
    seed : int
        Of the solver.
    half_precision : bool
        See ``kernels.train.train``.
    threads : int
        Number of threads of a task; the weights do not depend on it.
    """

    solver: SolverConfig
    seed: int
    half_precision: bool
    threads: int


def train_part(X: Features, weights: Float32 | None, part: LevelProblem, settings: PartSettings) -> Arrays:
    """Weights of a part of a level.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        All instances; rows of the part are copied, the others are not read.
    weights : float32 array, shape (n,), optional
        Weights of the instances.
    part : LevelProblem
        Nodes and rows of the part; row numbers are those of the whole X.
    settings : PartSettings
        The same for all parts.

    Returns
    -------
    dict of str to array
        The arrays of the ``LevelWeights``, and "peak_mb", the peak memory of the worker in MB.
    """
    instances, rows, positives = _own_rows(part)
    own = LevelProblem(part.blocks, rows, positives, number=part.number, first_node=part.first_node)
    (level,) = train(
        X[instances],
        [own],
        settings.solver,
        instance_weights=None if weights is None else weights[instances],
        seed=settings.seed,
        threads=settings.threads,
        half_precision=settings.half_precision,
    )
    return arrays_of(level) | {"peak_mb": np.array([peak_memory() / 1e6])}


def _own_rows(part: LevelProblem) -> tuple[Int64, CSR, CSR]:
    """The instances of a part, ascending, and its rows and positives by their places among these."""
    mask = np.zeros(part.rows.shape[1], bool)
    mask[part.rows.indices] = True
    instances = np.flatnonzero(mask)
    if not len(instances):  # kernels need a row
        instances = np.zeros(min(1, len(mask)), np.int64)
    places = np.full(len(mask), -1, np.int32)
    places[instances] = np.arange(len(instances), dtype=np.int32)

    def renumbered(matrix: CSR) -> CSR:
        shape = (matrix.shape[0], len(instances))
        return sp.csr_matrix((matrix.data, places[matrix.indices], matrix.indptr), shape=shape)

    return instances, renumbered(part.rows), renumbered(part.positives)


def search_part(
    X: Features,
    upper: tuple[tuple[Int32, ...], Sequence[PackedLevel]],
    first: int,
    last: int,
    config: SearchConfig,
    threads: int,
) -> Arrays:
    """Nodes that the rows [first, last) reach: the arrays of the CSR of ``kernels.predict.nodes_reached``."""
    parents, levels = upper
    found = nodes_reached(parents, levels, X[first:last], config, threads=threads)
    return {
        "indptr": found.indptr,
        "indices": found.indices,
        "data": found.data,
        "peak_mb": np.array([peak_memory() / 1e6]),
    }


def answer_part(model: Any, X: Features, first: int, last: int, k: int | None, threads: int) -> Arrays:
    """Labels and scores of the rows [first, last): the arrays of the ``TopK``."""
    top = model.answer(Request(X=X[first:last], k=k, threads=threads))
    return {"labels": top.labels, "scores": top.scores, "peak_mb": np.array([peak_memory() / 1e6])}


def arrays_of(level: LevelWeights) -> Arrays:
    """The arrays of the weights by name, without the blocks."""
    named = {field.name: getattr(level, field.name) for field in fields(level)}
    return {name: array for name, array in named.items() if isinstance(array, np.ndarray)}


def level_of(arrays: Arrays, blocks: Blocks, n_features: int) -> LevelWeights:
    """The weights of ``arrays_of``."""
    named = {field.name for field in fields(LevelWeights)}
    return LevelWeights(
        blocks=blocks, n_features=n_features, **{name: array for name, array in arrays.items() if name in named}
    )


def placed(problem: LevelProblem, number: int) -> LevelProblem:
    """A level with its place in the call, which is a part of the seeds of its nodes, unless it has one."""
    return replace(problem, number=number if problem.number is None else problem.number)


def within(progress: Callable[[float], None] | None, before: float, share: float) -> Callable[[float], None] | None:
    """The progress of a part of the work, which begins after ``before`` and has this share, as that of all of it."""
    return None if progress is None else lambda done: progress(min(1.0, before + done * share))


def part_of_level(problem: LevelProblem, first: int, last: int) -> LevelProblem:
    """The nodes below the parents [first, last) of a level.

    Parameters
    ----------
    problem : LevelProblem
        The level.
    first, last : int
        Range of the parents.
    """
    children = node_counts(problem.blocks)
    begin, end = int(children[:first].sum()), int(children[:last].sum())
    return LevelProblem(
        blocks=Blocks.below(children[first:last]),
        rows=problem.rows[first:last],
        positives=problem.positives[begin:end],
        number=problem.number,
        first_node=problem.first_node + begin,
    )


def task_memory(values: float) -> float:
    """Estimated bytes of a task whose rows have so many values, without the program."""
    return values * BYTES_PER_VALUE * COPIES


def node_counts(blocks: Blocks) -> Int64:
    """Number of children of each parent."""
    return np.diff(blocks.begin[blocks.parent_blocks])


def costs(X: Features, problem: LevelProblem) -> Float64:
    """Relative time of the training below each parent: values of its rows, times the passes for its children."""
    values = np.concatenate([[0.0], np.cumsum(row_sizes(X)[problem.rows.indices])])
    of_parent = np.diff(values[problem.rows.indptr])
    return np.asarray(of_parent * passes(node_counts(problem.blocks)))


def passes(n_children: Int64) -> Float64:
    """Relative number of times that the rows of a parent are read."""
    return 1.0 + np.ceil(n_children / LANES)


def row_sizes(X: Features) -> Float64:
    """Values of each row, in sparse ones, and one for the intercept."""
    sparse = X.sparse if isinstance(X, Hybrid) else X
    return np.diff(sparse.indptr) + 1.0 + (X.n_dense / DENSE_PER_SPARSE if isinstance(X, Hybrid) else 0.0)


def rows_of_parents(work: TreeWork, level: int) -> Float64:
    """Estimated number of training rows of each parent of a level."""
    n = work.X.shape[0]
    if level == 0:
        return np.array([float(n)])
    above = work.targets[level - 1]
    rows = np.bincount(above.indices, minlength=above.shape[1]).astype(np.float64)
    if work.matched[level]:
        rows = np.minimum(n, rows + n * min(work.beam, len(rows)) * rows / max(1.0, rows.sum()))
    return rows


def ranges(sizes: Float64, count: int) -> list[tuple[int, int]]:
    """Consecutive ranges that cover all items, at most ``count``, with about equal sums."""
    total = np.cumsum(sizes)
    if not len(total):
        return []
    ends = np.searchsorted(total, total[-1] * np.arange(1, count) / count, side="left") + 1
    bounds = np.unique(np.concatenate([[0], np.minimum(ends, len(sizes)), [len(sizes)]])).tolist()
    return list(pairwise(bounds))
