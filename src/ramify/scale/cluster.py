"""The training of label trees on many workers: the bits of the training on one machine.

representation, tree, top levels     in this process; a level with few parents has too few parts for the workers
other levels                         cut into ranges of parents of about equal cost; a task trains one range
search of hard negatives             the levels above are sent once to each machine; a task searches for a range of rows

A level with matcher-aware negatives (man) needs the beams of all rows over the levels above. The beam of a row prunes
among all nodes of a level, so the search cannot be cut by subtrees; it is cut by rows. The inner levels are small
(about a hundredth of the weights of the leaves), so each machine has all of them. After the search, this process has
the rows that reach each parent, and their numbers, which give the weight of hard negatives of the whole level.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify import __version__
from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.kernels.predict import SearchConfig
from ramify.kernels.train import LevelProblem, SolverConfig, halves_suffice, train, vector_instructions
from ramify.models.base.adapter import as_model
from ramify.protocols import TreeWork
from ramify.scale.checkpoint import Checkpoint, content_of, digest
from ramify.scale.executors import Executor
from ramify.scale.parts import (
    PartSettings,
    answer_part,
    costs,
    level_of,
    node_counts,
    part_of_level,
    placed,
    ranges,
    row_sizes,
    search_part,
    task_memory,
    train_part,
    within,
)
from ramify.scale.running import Job, JobRunner
from ramify.values import CSR, Features, Float32, Float64, Hybrid, Int32, TopK, as_features
from ramify.weights import Blocks, LevelWeights, PackedLevel, concatenated

PARTS_PER_SLOT = 4
"""A level has at least so many parts per slot, so that workers end at about the same time."""

FEWEST_PARTS = 16


class Cluster:
    """Trains the levels of label trees by the tasks of an executor (``protocols.Compute``).

    A model does not depend on the executor, on the number of workers, or on interruptions. All machines must have
    processors with the same vector instructions; ``RayExecutor`` checks it.

    Parameters
    ----------
    executor : Executor
        Runs the tasks. ``close``, or the end of a ``with`` statement, closes it.
    checkpoint : path-like, optional
        Folder for the results of finished tasks. A training with the same data and settings continues from them. Only
        this process uses the folder, so it need not be shared with the workers.
    attempts : int, default 3
        Number of times that a task is begun before the training fails, because each time it failed or lost its worker.

    Raises
    ------
    InputError
        ``attempts`` below 1, or a folder that cannot be used.
    """

    keeps_parts = True
    """Whether the number of parts of the first training is kept in the checkpoint."""

    def __init__(
        self,
        executor: Executor,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        attempts: int = 3,
    ) -> None:
        self.executor = executor
        self.checkpoint = None if checkpoint is None else Checkpoint(checkpoint)
        self.runner = JobRunner(executor, self.checkpoint, whole_number("attempts", attempts, 1, 1000))
        self._shared: dict[str, _Shared] = {}

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._shared = {}
        self.executor.close()

    @property
    def tasks(self) -> int:
        """Number of tasks that workers have finished."""
        return self.runner.tasks

    @property
    def resumed(self) -> int:
        """Number of results that were taken from the checkpoint."""
        return self.runner.resumed

    @property
    def peak_mb(self) -> float:
        """Largest peak memory of a worker in MB; 0 where the system does not report it."""
        return self.runner.peak_mb

    @cached_property
    def parts(self) -> int:
        """Number of parts of a level; that of the checkpoint, so that a resumed training finds its results."""
        wanted = max(FEWEST_PARTS, PARTS_PER_SLOT * self.executor.slots)
        return wanted if self.checkpoint is None else self.checkpoint.parts(wanted, keep=self.keeps_parts)

    def is_cut(self, n_parents: int) -> bool:
        """Whether the workers train a level below so many nodes; otherwise this process trains it."""
        return n_parents >= PARTS_PER_SLOT * self.executor.slots

    def begin(self, work: TreeWork) -> None:
        """See ``protocols.Compute``: nothing that was shared before is used, since its arrays may have changed."""
        for name in list(self._shared):
            self._forget(name)

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
        """See ``protocols.Compute``.

        Raises
        ------
        ClusterError
            A task has failed as often as ``attempts`` allows.
        """
        half = halves_suffice(X, config)
        mean = float(row_sizes(X).mean())
        levels = [_Level(i, placed(problem, i), costs(X, problem), mean) for i, problem in enumerate(problems)]
        cut = [level for level in levels if self.is_cut(len(level.costs))]
        top = [level for level in levels if not self.is_cut(len(level.costs))]
        total = sum(level.cost for level in levels) or 1.0
        share = sum(level.cost for level in top) / total
        trained = train(
            X,
            [level.problem for level in top],
            config,
            instance_weights=instance_weights,
            seed=seed,
            threads=threads,
            half_precision=half,
            progress=within(progress, 0.0, share),
        )
        done = {level.number: weights for level, weights in zip(top, trained, strict=True)}
        settings = PartSettings(solver=config, seed=seed, half_precision=half, threads=self.executor.threads)
        done |= self._train_cut(X, instance_weights, cut, settings, within(progress, share, 1.0 - share))
        return [done[number] for number in range(len(problems))]

    def _train_cut(
        self,
        X: Features,
        weights: Float32 | None,
        levels: Sequence[_Level],
        settings: PartSettings,
        progress: Callable[[float], None] | None,
    ) -> dict[int, LevelWeights]:
        """Weights, by number, of levels that are cut into parts."""
        if not levels:
            return {}
        shared = self._put("X", X), None if weights is None else self._put("weights", weights)
        parts = [(level, *bounds) for level in levels for bounds in ranges(level.costs, self.parts)]
        jobs = [_training_job(shared, settings, *part) for part in parts]
        trained: dict[int, list[LevelWeights]] = {}
        for (level, first, last), arrays in zip(parts, self.runner.run(jobs, progress), strict=True):
            blocks = Blocks.below(node_counts(level.problem.blocks)[first:last])
            trained.setdefault(level.number, []).append(level_of(arrays, blocks, X.shape[1]))
        return {level.number: concatenated(trained[level.number], level.problem.blocks) for level in levels}

    def nodes_reached(
        self,
        parents: tuple[Int32, ...],
        levels: Sequence[PackedLevel],
        X: Features,
        config: SearchConfig,
        *,
        threads: int = 1,
    ) -> CSR:
        """See ``protocols.Compute``."""
        shared, upper, own_threads = (
            self._put("X", X),
            self._put("upper", (parents, tuple(levels))),
            self.executor.threads,
        )
        sizes = row_sizes(X)

        def job(first: int, last: int) -> Job:
            return Job(
                f"the search of hard negatives for the rows {first:,} to {last:,}",
                float(sizes[first:last].sum()),
                task_memory(float(sizes[first:last].sum())),
                search_part,
                lambda: (shared.handle, upper.handle, first, last, config, own_threads),
                lambda _: digest("search", shared.stamp, upper.stamp, first, last, config),
            )

        found = self.runner.run([job(*bounds) for bounds in ranges(sizes, self.parts)])
        width = len(parents[-1])
        blocks = [
            sp.csr_matrix((part["data"], part["indices"], part["indptr"]), shape=(len(part["indptr"]) - 1, width))
            for part in found
        ]
        return sp.csr_matrix(sp.vstack(blocks, format="csr"))

    def predict_topk(self, model: Any, X: Features, k: int | None = None) -> TopK:
        """The answer of a model for documents in blocks, each by a task; the same as in one process.

        Parameters
        ----------
        model : Model or object with ``fit`` and ``predict_topk``
            A fitted model that can be pickled. It is sent once to each machine.
        X : matrix or Hybrid, shape (n, d)
            Features. They are sent in every call, because their arrays may have changed.
        k : int, optional
            As in ``predict_topk`` of the model.

        Raises
        ------
        ClusterError
            As in ``train``.
        InputError
            X is no matrix, or a checkpoint beside a model without ``to_state``.
        NotFittedError
            The model is not fitted.
        """
        stamp = "" if self.checkpoint is None else _stamp_of(model)
        model, X = as_model(model), as_features(X)
        if isinstance(model, BaseEstimator):
            check_is_fitted(model)
        self._forget("X")
        shared, own, threads = self._put("X", X), self.executor.put(model), self.executor.threads
        sizes = row_sizes(X)

        def job(first: int, last: int) -> Job:
            cost = float(sizes[first:last].sum())
            return Job(
                f"the prediction for the documents {first:,} to {last:,}",
                cost,
                task_memory(cost),
                answer_part,
                lambda: (own, shared.handle, first, last, k, threads),
                lambda _: digest("predict", shared.stamp, stamp, first, last, k),
            )

        try:
            found = self.runner.run([job(*bounds) for bounds in ranges(sizes, self.parts) or [(0, 0)]])
        finally:
            self.executor.drop(own)
        return TopK(np.concatenate([one["labels"] for one in found]), np.concatenate([one["scores"] for one in found]))

    def _put(self, name: str, value: Any) -> _Shared:
        """A value that the workers share; it replaces the last one of this name, and is sent once."""
        known = self._shared.get(name)
        if known is None or known.value is not value:
            self._forget(name)
            stamp = "" if self.checkpoint is None else digest(__version__, vector_instructions(), *_arrays_in(value))
            known = self._shared[name] = _Shared(value, self.executor.put(value), stamp)
        return known

    def _forget(self, name: str) -> None:
        known = self._shared.pop(name, None)
        if known is not None:
            self.executor.drop(known.handle)


def _stamp_of(model: Any) -> str:
    """A hash of a model's state."""
    if not hasattr(model, "to_state"):
        raise InputError(
            f"{type(model).__name__} has no to_state, which a checkpoint needs to identify a model: use a cluster "
            "without one"
        )
    config, arrays = model.to_state()
    return digest(config, content_of(arrays))


@dataclass(frozen=True, eq=False)
class _Level:
    """A level of a training: its place in the call, its problem, the cost of each parent, and values of a mean row."""

    number: int
    problem: LevelProblem
    costs: Float64
    row_size: float

    @property
    def cost(self) -> float:
        return float(self.costs.sum())

    def memory(self, first: int, last: int) -> float:
        """Estimated bytes of the task of a range of parents."""
        indptr, n = self.problem.rows.indptr, self.problem.rows.shape[1]
        return task_memory(min(int(indptr[last] - indptr[first]), n) * self.row_size)


@dataclass(frozen=True, eq=False)
class _Shared:
    """A value that the workers have, its handle, and the hash of its arrays, empty without a checkpoint."""

    value: Any
    handle: Any
    stamp: str


def _training_job(
    shared: tuple[_Shared, _Shared | None], settings: PartSettings, level: _Level, first: int, last: int
) -> Job:
    X, weights = shared
    stamps = X.stamp, "" if weights is None else weights.stamp

    def arguments() -> tuple[Any, ...]:
        part = part_of_level(level.problem, first, last)
        return X.handle, None if weights is None else weights.handle, part, settings

    def key(made: tuple[Any, ...]) -> str:
        part: LevelProblem = made[2]
        arrays = *_arrays_in(part.rows), *_arrays_in(part.positives)
        return digest(
            "train", *stamps, replace(settings, threads=1), part.number, part.first_node, part.blocks.begin, *arrays
        )

    name = f"the training below the nodes {first:,} to {last:,} of level {level.problem.number}"
    cost = float(level.costs[first:last].sum())
    return Job(name, cost, level.memory(first, last), train_part, arguments, key)


def _arrays_in(value: Any) -> tuple[Any, ...]:
    """The arrays of a value that is shared, for its hash."""
    if isinstance(value, tuple | list):
        return tuple(array for one in value for array in _arrays_in(one))
    if isinstance(value, PackedLevel):
        return tuple(value.arrays().values())
    if isinstance(value, Hybrid):
        return *_arrays_in(value.sparse), value.dense, value.dense_scale
    return (value.shape, value.indptr, value.indices, value.data) if isinstance(value, sp.csr_matrix) else (value,)
