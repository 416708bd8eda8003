"""Trains all levels of a tree: one linear classifier per node against its siblings (XR-Linear).

Hsiang-Fu Yu, Kai Zhong, Jiong Zhang, Wei-Cheng Chang, Inderjit S. Dhillon: PECOS: Prediction for Enormous and
Correlated Output Spaces, JMLR 23(98), 2022 (docs/papers.md).

Levels are independent of each other, except that matcher-aware negatives (man) need the trained levels above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.kernels.pack import pack
from ramify.kernels.predict import SearchConfig, nodes_reached
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.linear.negatives import HARD_NEGATIVE_WEIGHT, everything, own_clusters, parse_negatives, training_rows
from ramify.protocols import Compute, TreeWork
from ramify.values import CSR, Features, Float32, Int32, Int64, LabelTree
from ramify.weights import Blocks, LevelWeights, joined


@dataclass(frozen=True, kw_only=True)
class TreeTrainingConfig:
    """Settings of the training of all levels.

    Parameters
    ----------
    solver : SolverConfig
        Settings of one classifier.
    negatives : str or sequence of str, default "tfn"
        Training instances of a cluster (see ``negatives.parse_negatives``).
    search : SearchConfig
        Search of the levels above for matcher-aware negatives.
    hard_negative_weight : float, optional
        Weight of an instance in a cluster that only the matcher assigns it to; ``negatives.balanced_weight`` when None.
    """

    solver: SolverConfig
    negatives: str | Sequence[str] = "tfn"
    search: SearchConfig
    hard_negative_weight: float | None = None

    def __post_init__(self) -> None:
        parse_negatives(self.negatives, 1)
        HARD_NEGATIVE_WEIGHT.check("hard_negative_weight", self.hard_negative_weight)


@dataclass(frozen=True)
class KnownLeaves:
    """Trained leaves of another tree with the same clusters and the same instances.

    A leaf that stays in its cluster is not trained again: its negatives have hardly changed, so its old classifier is
    kept.

    Parameters
    ----------
    tree : LabelTree
        The other tree.
    weights : LevelWeights
        Weights of its leaves.
    """

    tree: LabelTree
    weights: LevelWeights

    def lacking(self, problem: LevelProblem, tree: LabelTree) -> LevelProblem:
        """The problem reduced to the leaves without a known classifier."""
        _, new = self._places(tree)
        n_parents = len(problem.blocks.parent_blocks) - 1
        blocks = Blocks.below(np.bincount(tree.parents[-1][new], minlength=n_parents))
        return LevelProblem(blocks, problem.rows, sp.csr_matrix(problem.positives[new]))

    def beside(self, learnt: LevelWeights, tree: LabelTree) -> LevelWeights:
        """The weights of all leaves: known ones, and ones trained on ``lacking``."""
        kept, new = self._places(tree)
        return joined([(self.weights, kept), (learnt, new)], Blocks.of(tree, tree.depth - 1))

    def _places(self, tree: LabelTree) -> tuple[Int64, Int64]:
        """The number of each known leaf in the tree, -1 if absent; and the new leaves of the tree."""
        before, after = (one.parents[-1].astype(np.int64) * one.n_labels + one.leaf_labels for one in (self.tree, tree))
        _, at_known, at_tree = np.intersect1d(before, after, return_indices=True)
        kept = np.full(self.tree.n_leaves, -1, np.int64)
        kept[at_known] = at_tree
        return kept, np.setdiff1d(np.arange(tree.n_leaves), at_tree)


class InThisProcess:
    """The ``protocols.Compute`` of a training without a cluster."""

    train = staticmethod(train)
    nodes_reached = staticmethod(nodes_reached)

    def begin(self, work: TreeWork) -> None:
        """Nothing to do."""


class TreeTrainer:
    """Trains the levels of one tree.

    Parameters
    ----------
    X : csr_matrix or Hybrid, shape (n, d)
        Features.
    tree : LabelTree
        The hierarchy.
    targets : list of csr_matrix, shape (n, nodes of the level)
        From ``targets.level_targets``. Each is freed after its last use, so ``run`` can be called once.
    config : TreeTrainingConfig
        Settings.
    own_negatives : csr_matrix, shape (n, L), optional
        User-supplied negative labels per instance; needed if a level uses "own".
    known : KnownLeaves, optional
        Trained leaves of a tree with the same clusters; leaves that both trees have are not trained again.
    compute : Compute, optional
        Where the levels are trained; in this process when None.
    """

    def __init__(
        self,
        X: Features,
        tree: LabelTree,
        targets: list[CSR],
        config: TreeTrainingConfig,
        own_negatives: CSR | None = None,
        known: KnownLeaves | None = None,
        compute: Compute | None = None,
    ) -> None:
        self.X, self.tree, self.config, self.known = X, tree, config, known
        self.compute: Compute = compute or InThisProcess()
        self.targets = dict(enumerate(targets))
        self.schemes = parse_negatives(config.negatives, tree.depth)
        self.own = None if own_negatives is None else own_clusters(own_negatives, tree)
        if self.own is None and any("own" in scheme for scheme in self.schemes):
            raise InputError('negatives contains "own", but own_negatives is missing: pass them to fit')

    def run(
        self,
        *,
        instance_weights: Float32 | None = None,
        seed: int = 0,
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> list[LevelWeights]:
        """Weights of every level, from the top; the same for any number of threads."""
        levels: list[LevelWeights] = []
        self.compute.begin(self._work(threads))
        for group in self._groups():
            problems = [self._problem(level, levels, threads) for level in group]
            levels += self.compute.train(
                self.X,
                problems,
                self.config.solver,
                instance_weights=instance_weights,
                seed=seed + group[0],
                threads=threads,
                progress=_share(progress, group, self.tree.depth),
            )
        if self.known is not None:
            levels[-1] = self.known.beside(levels[-1], self.tree)
        return levels

    def _work(self, threads: int) -> TreeWork:
        return TreeWork(
            X=self.X,
            tree=self.tree,
            targets=[*self.targets.values()],
            matched=["man" in scheme for scheme in self.schemes],
            beam=self.config.search.beam,
            solver=self.config.solver,
            threads=threads,
        )

    def _groups(self) -> list[list[int]]:
        """Levels that can train together: a level with matcher-aware negatives starts a new group."""
        groups: list[list[int]] = [[]]
        for level, scheme in enumerate(self.schemes):
            if level > 0 and "man" in scheme:
                groups.append([])
            groups[-1].append(level)
        return groups

    def _problem(self, level: int, trained: list[LevelWeights], threads: int) -> LevelProblem:
        last = self.tree.depth - 1
        target = self.targets.pop(level) if level == last else self.targets[level]
        positives = sp.csr_matrix(target.T)
        positives.sort_indices()
        del target
        rows = everything(self.X.shape[0]) if level == 0 else self._rows(level, trained, threads)
        if level == last and self.tree.n_leaves > self.tree.n_labels:
            positives = _among(positives, rows, self.tree.parents[level])
        problem = LevelProblem(Blocks.of(self.tree, level), rows, positives)
        return problem if level < last or self.known is None else self.known.lacking(problem, self.tree)

    def _rows(self, level: int, trained: list[LevelWeights], threads: int) -> CSR:
        scheme = self.schemes[level]
        return training_rows(
            self.targets.pop(level - 1),
            self._matched(trained, threads) if "man" in scheme else None,
            self.own[level] if self.own is not None and "own" in scheme else None,
            tfn="tfn" in scheme,
            weight=self.config.hard_negative_weight,
        )

    def _matched(self, trained: list[LevelWeights], threads: int) -> CSR:
        """Clusters that the trained levels assign each instance to: shape (n, nodes of the last trained level)."""
        parents, packed = self.tree.parents[: len(trained)], [pack(level) for level in trained]
        return self.compute.nodes_reached(parents, packed, self.X, self.config.search, threads=threads)


def _among(positives: CSR, rows: CSR, parent: Int32) -> CSR:
    """Positives, shape (nodes, n), restricted to the rows of the parent; ``visits`` may exclude leaves of a label."""
    entries = positives.tocoo()
    there = sp.csr_matrix((np.ones(rows.nnz, np.float32), rows.indices, rows.indptr), shape=rows.shape)
    kept = np.asarray(there[parent[entries.row], entries.col]).ravel() != 0
    return sp.csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=positives.shape)


def _share(progress: Callable[[float], None] | None, group: list[int], depth: int) -> Callable[[float], None] | None:
    """The progress of a group of levels as progress of all levels."""
    if progress is None:
        return None
    return lambda done: progress((group[0] + done * len(group)) / depth)
