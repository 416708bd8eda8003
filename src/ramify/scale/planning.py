"""The plan of a training on a cluster: tasks, bytes moved, memory and time, before any level is trained.

rows of a parent  = instances with a label below it, and with matcher-aware negatives its share of n · beam
cost of a parent  = rows · values of a mean row · (1 + children / 16)                  as in ``parts.costs``
time              = cost of levels that are cut / (slots · threads · COST_PER_SECOND) + cost of the others / threads
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.protocols import TreeWork
from ramify.scale.cluster import Cluster
from ramify.scale.parts import passes, ranges, row_sizes, task_memory
from ramify.values import Features, Float64, Hybrid

COST_PER_SECOND = 5e7
"""Cost that a thread trains per second of CPU; gutenberg-lcsh, AVX-512, ``benchmarks/scaling.py rate``."""

BYTES_PER_ROW_ENTRY = 8
"""A row, or a positive, of a parent: its number and its factor."""

WEIGHT_BYTES_PER_VALUE = 4.7
"""Bytes of trained weights per value of the positive instances of a node; measured in the same way."""


@dataclass(frozen=True)
class LevelPlan:
    """One level.

    Parameters
    ----------
    nodes : int
        Classifiers of the level.
    parts : int
        Number of tasks; 0 if this process trains the level.
    cost : float
        See ``parts.costs``.
    sent, returned : int
        Bytes of the rows and positives of all tasks, and of the weights.
    task_bytes : int
        Memory of the largest task, without the program (about 150 MB).
    """

    nodes: int
    parts: int
    cost: float
    sent: int
    returned: int
    task_bytes: int


@dataclass(frozen=True)
class TrainingPlan:
    """The plan of one label tree.

    Parameters
    ----------
    levels : tuple of LevelPlan
        From the top.
    search_tasks : int
        Tasks of the search of hard negatives, for all levels.
    shared : int
        Bytes of the features, which are sent to each machine once.
    slots, threads : int
        Tasks at a time, and threads of each.
    own_threads : int
        Threads of this process, for the levels that are not cut.
    """

    levels: tuple[LevelPlan, ...]
    search_tasks: int
    shared: int
    slots: int
    threads: int
    own_threads: int

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return self.search_tasks + sum(level.parts for level in self.levels)

    @property
    def moved(self) -> int:
        """Bytes that are sent to the workers and back, without the features."""
        return sum(level.sent + level.returned for level in self.levels if level.parts)

    @property
    def node_memory(self) -> int:
        """Bytes of one machine with all slots: the features, and the largest task in each."""
        return self.shared + self.slots * max((level.task_bytes for level in self.levels if level.parts), default=0)

    @property
    def hours(self) -> float:
        """Expected hours of the training of the levels."""
        cut = sum(level.cost for level in self.levels if level.parts)
        rest = sum(level.cost for level in self.levels if not level.parts)
        return (cut / (self.slots * self.threads) + rest / self.own_threads) / COST_PER_SECOND / 3600

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            "tasks": self.tasks,
            "slots": self.slots,
            "threads": self.threads,
            "bytes_per_machine": self.shared,
            "bytes_moved": self.moved,
            "memory_per_machine": self.node_memory,
            "hours": self.hours,
            "levels": [vars(level) for level in self.levels],
        }


class PlanReady(Exception):  # noqa: N818 - ends a training that is only planned
    """Raised by ``Planner`` instead of a training.

    Parameters
    ----------
    plan : TrainingPlan
        The plan.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        super().__init__("the training was planned only")
        self.plan = plan


class Planner(Cluster):
    """A cluster that ends the training of the first label tree with its plan, before the first level."""

    own_threads = 1

    def begin(self, work: TreeWork) -> None:
        """Raise ``PlanReady``."""
        values = float(row_sizes(work.X).mean())
        levels = [self._level(work, level, values) for level in range(work.tree.depth)]
        searches = sum(bool(matched) for matched in work.matched[1:])
        raise PlanReady(
            TrainingPlan(
                levels=tuple(levels),
                search_tasks=searches * len(ranges(row_sizes(work.X), self.parts)),
                shared=features_bytes(work.X),
                slots=self.executor.slots,
                threads=self.executor.threads,
                own_threads=self.own_threads,
            )
        )

    def _level(self, work: TreeWork, level: int, values: float) -> LevelPlan:
        children = np.diff(work.tree.first_children(level))
        rows = rows_of_parents(work, level)
        costs = rows * values * passes(children)
        cuts = ranges(costs, self.parts) if self.is_cut(len(children)) else []
        n = work.X.shape[0]
        largest = max((min(float(rows[first:last].sum()), n) for first, last in cuts), default=0.0)
        positives = work.targets[level].nnz
        return LevelPlan(
            nodes=len(work.tree.parents[level]),
            parts=len(cuts),
            cost=float(costs.sum()),
            sent=int((rows.sum() + positives) * BYTES_PER_ROW_ENTRY),
            returned=int(positives * values * WEIGHT_BYTES_PER_VALUE),
            task_bytes=int(task_memory(largest * values)),
        )


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


def features_bytes(X: Features) -> int:
    """Bytes of the arrays of X."""
    if isinstance(X, Hybrid):
        scale = 0 if X.dense_scale is None else X.dense_scale.nbytes
        return features_bytes(X.sparse) + X.dense.nbytes + scale
    return int(X.indptr.nbytes + X.indices.nbytes + X.data.nbytes)
