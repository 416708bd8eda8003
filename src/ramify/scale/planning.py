"""The plan of a training on a cluster: tasks, bytes moved, memory and time of all label trees, without a training.

rows of a parent  = instances with a label below it, and with matcher-aware negatives its share of n · beam
cost of a parent  = rows · values of a mean row · (1 + children / 16)                  as in ``parts.costs``
time              = cost of levels that are cut / (slots · threads · COST_PER_SECOND) + cost of the others / threads
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ramify import catalogue
from ramify.checks import Instance
from ramify.errors import InputError
from ramify.kernels.train import LevelProblem
from ramify.models import Blend, Disentangled, Ensemble, Fusion, Partitioned, XRLinear
from ramify.protocols import TreeWork
from ramify.scale.cluster import Cluster
from ramify.scale.executors import Executor
from ramify.scale.parts import passes, ranges, row_sizes, rows_of_parents, task_memory
from ramify.tagger.fusing.members import TrainedMember
from ramify.values import CSR, Features, Hybrid, Int32, empty_csr
from ramify.weights import LevelWeights, PackedLevel

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


@dataclass(frozen=True)
class WholePlan:
    """The plan of all label trees of a model, which are trained one after the other.

    Parameters
    ----------
    trees : tuple of TrainingPlan
        At least one, in the order of the training.
    """

    trees: tuple[TrainingPlan, ...]

    @property
    def largest(self) -> TrainingPlan:
        """The plan of the tree that takes the most time."""
        return max(self.trees, key=lambda tree: tree.hours)

    @property
    def search_tasks(self) -> int:
        """Tasks of the search of hard negatives of all trees."""
        return sum(tree.search_tasks for tree in self.trees)

    @property
    def moved(self) -> int:
        """Bytes that are sent to the workers and back for all trees, without the features."""
        return sum(tree.moved for tree in self.trees)

    @property
    def node_memory(self) -> int:
        """Bytes of one machine with all slots, for the tree that needs most."""
        return max(tree.node_memory for tree in self.trees)

    @property
    def hours(self) -> float:
        """Expected hours of the training of the levels of all trees."""
        return sum(tree.hours for tree in self.trees)

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON: sums or maxima of all trees, and the levels of the largest one."""
        values = self.largest.as_dict()
        return values | {
            "trees": len(self.trees),
            "tasks": sum(tree.tasks for tree in self.trees),
            "bytes_per_machine": max(tree.shared for tree in self.trees),
            "bytes_moved": self.moved,
            "memory_per_machine": self.node_memory,
            "hours": self.hours,
        }


class Planner(Cluster):
    """A cluster that plans the training of every label tree instead of training its levels.

    The nodes of the trees have the weight 0, so a model that chooses its number of trees by their predictions may plan
    another number than it trains. No task runs, and nothing is written to the checkpoint.

    Attributes
    ----------
    plans : list of TrainingPlan
        One per tree.
    own_threads : int
        Threads of this process.
    """

    own_threads = 1
    keeps_parts = False

    def __init__(self, executor: Executor, *, checkpoint: str | os.PathLike[str] | None = None) -> None:
        known = checkpoint is not None and Path(checkpoint).exists()
        super().__init__(executor, checkpoint=checkpoint if known else None)
        self.plans: list[TrainingPlan] = []

    def begin(self, work: TreeWork) -> None:
        """Add the plan of a tree."""
        values = float(row_sizes(work.X).mean())
        levels = [self._level(work, level, values) for level in range(work.tree.depth)]
        searches = sum(bool(matched) for matched in work.matched[1:])
        self.plans.append(
            TrainingPlan(
                levels=tuple(levels),
                search_tasks=searches * len(ranges(row_sizes(work.X), self.parts)),
                shared=features_bytes(work.X),
                slots=self.executor.slots,
                threads=self.executor.threads,
                own_threads=self.own_threads,
            )
        )

    def train(self, X: Features, problems: Sequence[LevelProblem], *_: Any, **__: Any) -> list[LevelWeights]:
        """Weights of 0."""
        return [untrained(problem, X) for problem in problems]

    def nodes_reached(
        self, parents: tuple[Int32, ...], levels: Sequence[PackedLevel], X: Features, *_: Any, **__: Any
    ) -> CSR:
        """No nodes."""
        return empty_csr(X.shape[0], len(parents[-1]))

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


def untrained(problem: LevelProblem, X: Features) -> LevelWeights:
    """Weights of 0 for all nodes of a level."""
    nodes = problem.positives.shape[0]
    return LevelWeights(
        blocks=problem.blocks,
        n_features=X.shape[1],
        block_rows=np.zeros(len(problem.blocks.parent) + 1, np.int64),
        features=np.empty(0, np.int32),
        row_entries=np.zeros(1, np.int64),
        children=np.empty(0, np.uint8),
        values=np.empty(0, np.float32),
        bias=np.zeros(nodes, np.float32),
        dense=np.zeros((nodes, X.n_dense), np.float32) if isinstance(X, Hybrid) else None,
    )


def check_plannable(model: Any) -> None:
    """Raise InputError, before data are read, for a model that cannot be planned.

    Parameters
    ----------
    model : estimator
        Unfitted.

    Raises
    ------
    InputError
        The model has no label tree, or a part of it trains a network.
    """
    kinds = list(_kinds(model))
    if not any(_has_tree(kind) for kind in kinds):
        raise InputError(f"--dry-run is given, but the model {type(model).__name__} has no label tree: leave it out")
    for kind in kinds:
        if (catalogue.by_class(kind.__name__) or catalogue.ADAPTER).extra == "torch":
            when = " before its label trees" if _has_tree(kind) else ""
            raise InputError(
                f"--dry-run is given, but {kind.__name__} trains a network{when}, which this process would have to do "
                "for the plan: leave --dry-run out"
            )


def _has_tree(kind: type) -> bool:
    """Whether models of a class train label trees: themselves, or as a part that is an ``XRLinear``."""
    rules = getattr(kind, "RULES", {}).values()
    return kind in (XRLinear, Blend) or any(isinstance(rule, Instance) and rule.kind is XRLinear for rule in rules)


def _kinds(model: Any) -> Iterator[type]:
    """Classes of a model and of the models inside."""
    yield type(model)
    if isinstance(model, Partitioned) and isinstance(model.matcher, str):
        yield catalogue.find(catalogue.MATCHER, model.matcher, "matcher").load()
    elif isinstance(model, Partitioned):
        yield from _kinds(model.matcher)
    elif isinstance(model, Disentangled):
        yield from _kinds(XRLinear() if model.model is None else model.model)
    elif isinstance(model, Ensemble | Fusion):
        for part in model._models():
            yield from _kinds(part)
    elif isinstance(model, TrainedMember):
        yield from _kinds(XRLinear() if model.tagger.model is None else model.tagger.model)


def features_bytes(X: Features) -> int:
    """Bytes of the arrays of X."""
    if isinstance(X, Hybrid):
        scale = 0 if X.dense_scale is None else X.dense_scale.nbytes
        return features_bytes(X.sparse) + X.dense.nbytes + scale
    return int(X.indptr.nbytes + X.indices.nbytes + X.data.nbytes)
