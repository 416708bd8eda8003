"""Training of linear classifiers, one level or many at once. Twin: ``ramify.reference.train``.

The solver is dual coordinate descent with shrinking (docs/papers.md): C.-J. Hsieh, K.-W. Chang, C.-J. Lin,
S. S. Keerthi, S. Sundararajan: A Dual Coordinate Descent Method for Large-scale Linear SVM, ICML 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ramify import _native
from ramify.checks import COUNT, CheckedWhenMade, OneOf, Real, Rules, Whole, thread_count, whole_number
from ramify.errors import InputError
from ramify.kernels.check import (
    LARGEST_FACTOR,
    SMALLEST_FACTOR,
    csr_arrays,
    factors,
    feature_arrays,
    largest_value,
)
from ramify.values import CSR, Features, Float32, Hybrid
from ramify.weights import Blocks, LevelWeights

LOSSES = ("squared-hinge", "hinge", "logistic")
LARGEST_VALUE = 1e15
_NO_FLOATS = np.empty(0, np.float32)


@dataclass(frozen=True, kw_only=True)
class SolverConfig(CheckedWhenMade):
    """Settings of the solver of one classifier: minimise ½‖w‖² + ½b² + Σ Cᵢ·loss(yᵢ(w·xᵢ + b)).

    Parameters
    ----------
    loss : {"squared-hinge", "hinge", "logistic"}
        Loss of a margin.
    cost_positive, cost_negative : float, default 1
        C of positive and negative instances, 1e-10 to 1e10.
    epsilon : float, default 0.4
        Tolerance of the dual solver; smaller is slower and closer to the optimum.
    max_passes : int, default 20
        Maximum number of passes over the rows.
    threshold : float, default 0.1
        Weights with a smaller absolute value are removed; intercepts and weights of a dense block are kept.
    max_weights : int, default 0
        Maximum number of sparse weights per node, the largest are kept; 0 for no limit.

    Raises
    ------
    InputError
        A value outside its range.
    """

    loss: str = "squared-hinge"
    cost_positive: float = 1.0
    cost_negative: float = 1.0
    epsilon: float = 0.4
    max_passes: int = 20
    threshold: float = 0.1
    max_weights: int = 0

    RULES: ClassVar[Rules] = {
        "loss": OneOf(LOSSES),
        "cost_positive": Real(SMALLEST_FACTOR, LARGEST_FACTOR),
        "cost_negative": Real(SMALLEST_FACTOR, LARGEST_FACTOR),
        "epsilon": Real(SMALLEST_FACTOR, LARGEST_FACTOR),
        "max_passes": COUNT,
        "threshold": Real(0, LARGEST_FACTOR),
        "max_weights": Whole(0),
    }


@dataclass(frozen=True)
class LevelProblem:
    """Training data of one level.

    Parameters
    ----------
    blocks : Blocks
        The level's nodes.
    rows : csr_matrix, shape (parents, n)
        Instances of each parent. Data: factor of the instance's cost for all children of the parent; with 0 only the
        children that it is a positive of train on it, with factor 1.
    positives : csr_matrix, shape (nodes, n)
        Positive instances of each node, a subset of those of its parent. Data: factor of the positive cost.
    number : int, optional
        Number of the level in the seeds of the solver; its place in the call when None.
    first_node : int, default 0
        Number, in the seeds of the solver, of the first node. With ``number`` and ``half_precision`` of the whole
        training, a part of a level, with its instances only, gets the weights that it has in the whole level.
    """

    blocks: Blocks
    rows: CSR
    positives: CSR
    number: int | None = None
    first_node: int = 0


def train(
    X: Features,
    problems: Sequence[LevelProblem],
    config: SolverConfig,
    *,
    instance_weights: Float32 | None = None,
    seed: int = 0,
    threads: int = 1,
    half_precision: bool | None = None,
    progress: Callable[[float], None] | None = None,
    folder: str = "",
) -> list[LevelWeights]:
    """Train every node of every given level; the same result for any number of threads.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    problems : sequence of LevelProblem
        One per level.
    config : SolverConfig
        Settings of the solver.
    instance_weights : float32 array, shape (n,), optional
        Factors of the instances' costs; an instance of weight 0 is left out.
    seed : int, default 0
        Seed of the solver's row order.
    threads : int, default 1
        The result is the same for any number.
    half_precision : bool, optional
        Whether large weights are in half precision during training; ``halves_suffice`` for X when None.
    progress : callable, optional
        Called with the share done, 0 to 1.
    folder : str, default ""
        Folder for files that hold copies of the rows of large nodes; "": they are in memory.

    Returns
    -------
    list of LevelWeights
        One per problem.

    Raises
    ------
    InputError
        Shapes that do not fit, weights or relevances out of range, a positive instance that the parent does not have, a
        folder without enough space.
    """
    arrays = feature_arrays(X)
    if (largest := largest_value(X)) > LARGEST_VALUE:
        raise InputError(f"X has values up to {largest:g}, but at most {LARGEST_VALUE:g} can be squared: scale them")
    weights = _NO_FLOATS if instance_weights is None else factors("instance_weights", instance_weights, X.shape[0])
    n_dense = X.n_dense if isinstance(X, Hybrid) else 0
    outs = [_Out.of(problem.positives.shape[0], n_dense) for problem in problems]
    levels = [_native_level(problem, X.shape[0], out) for problem, out in zip(problems, outs, strict=True)]
    options = _options(config, seed, threads, half_precision, folder)
    try:
        trained = _native.train(arrays, weights, levels, options, progress)
    except ValueError as error:
        raise InputError(f"the training problem is inconsistent: {error}") from None
    except RuntimeError as error:
        # Errors of progress pass through native code; a SpillError has no type of its own in Python.
        if (
            not folder
            or type(error) is not RuntimeError
            or not str(error).startswith(f"the folder {folder} cannot hold")
        ):
            raise
        raise InputError(str(error)) from None
    return [
        _take(trained, number, problem.blocks, X.shape[1], out)
        for number, (problem, out) in enumerate(zip(problems, outs, strict=True))
    ]


def halves_suffice(X: Features, config: SolverConfig) -> bool:
    """Whether half precision is exact enough for large weights during a training on X."""
    return _native.halves_suffice(feature_arrays(X), _options(config, 0, 1, None))


def vector_instructions() -> str:
    """Instruction set of this processor that the kernels use; the bits of trained weights depend on it."""
    return ("baseline", "AVX2", "AVX-512")[_native.isa()]


def _options(
    config: SolverConfig, seed: int, threads: int, half_precision: bool | None, folder: str = ""
) -> _native.TrainOptions:
    return _native.TrainOptions(
        loss=LOSSES.index(config.loss),
        cost_positive=config.cost_positive,
        cost_negative=config.cost_negative,
        epsilon=config.epsilon,
        max_passes=config.max_passes,
        threshold=config.threshold,
        max_weights=config.max_weights,
        seed=whole_number("seed", seed, 0, 2**64 - 1),
        threads=thread_count(threads),
        halves=-1 if half_precision is None else int(half_precision),
        folder=folder,
    )


@dataclass(frozen=True)
class _Out:
    """Arrays of a level that native code fills."""

    bias: Float32
    dense: Float32 | None

    @classmethod
    def of(cls, n_nodes: int, n_dense: int) -> _Out:
        dense = np.zeros((n_nodes, n_dense), np.float32) if n_dense else None
        return cls(np.zeros(n_nodes, np.float32), dense)


def _native_level(problem: LevelProblem, n_instances: int, out: _Out) -> _native.LevelArrays:
    blocks, rows, positives = problem.blocks, problem.rows, problem.positives
    if rows.shape != (len(blocks.parent_blocks) - 1, n_instances) or positives.shape != (blocks.begin[-1], n_instances):
        raise InputError(f"a level's rows {rows.shape} and positives {positives.shape} do not fit its tree and X")
    rows_indptr, rows_indices, factor = csr_arrays(rows)
    factor = factors("rows", factor, len(factor))
    indptr, indices, relevance = csr_arrays(positives)
    relevance = factors("relevance", relevance, len(relevance))
    return _native.LevelArrays(
        blocks.begin,
        blocks.parent,
        rows_indptr,
        rows_indices,
        _NO_FLOATS if (factor == 1).all() else factor,
        indptr,
        indices,
        _NO_FLOATS if (relevance == 1).all() else relevance,
        out.bias,
        out.dense,
        -1 if problem.number is None else problem.number,
        problem.first_node,
    )


def _take(trained: _native.TrainedLevels, number: int, blocks: Blocks, n_features: int, out: _Out) -> LevelWeights:
    n_rows, n_entries = trained.sizes(number)
    level = LevelWeights(
        blocks=blocks,
        n_features=n_features,
        block_rows=np.empty(len(blocks.parent) + 1, np.int64),
        features=np.empty(n_rows, np.int32),
        row_entries=np.empty(n_rows + 1, np.int64),
        children=np.empty(n_entries, np.uint8),
        values=np.empty(n_entries, np.float32),
        bias=out.bias,
        dense=out.dense,
    )
    trained.take(number, level.block_rows, level.features, level.row_entries, level.children, level.values)
    return level
