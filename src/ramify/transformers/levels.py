"""The levels of a label tree on which an encoder is fine-tuned, and the linear models between two levels.

Y_T = Y · leaves        Y_{t-1} = Y_t · C_t        counts: a node with three labels of an instance has the weight 3

Before a level, linear models on the embeddings of the previous level give
    the start of its head, if bootstrapped      min_w ½‖w‖² + C Σ_i w_i max(0, 1 - y_i (w·h_i + b))²,  C = 100
    the matched nodes of the level above (MAN)  beam search of an XR-Linear model on [tf-idf | embedding]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ramify.exchange import CheckedTraining
from ramify.index import FixedTree, KMeansIndexer
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.linear import level_targets
from ramify.linear.negatives import everything
from ramify.models.base.unit import unit_rows
from ramify.models.trees.disentangled import Disentangled
from ramify.models.trees.indexing import built_tree
from ramify.models.trees.xr_linear import XRLinear
from ramify.protocols import Indexer
from ramify.values import CSR, Float32, Float64, Hybrid, Int64, LabelTree, TopK, empty_csr
from ramify.weights import Blocks

BOOTSTRAP = SolverConfig(cost_positive=100.0, cost_negative=100.0, epsilon=0.1, threshold=0.0)
"""Settings of the linear solver for the start of a head: PECOS's, which leave the weights unpruned."""


@dataclass(frozen=True)
class Levels:
    """The levels of a tree that are fine-tuned, from the coarsest to the finest.

    Parameters
    ----------
    tree : LabelTree
    numbers : tuple of int
        Numbers of consecutive levels of the tree.
    targets : tuple of csr_matrix, shape (n, nodes of the level)
        Number of labels of each instance below each node, for all levels of the tree.
    """

    tree: LabelTree
    numbers: tuple[int, ...]
    targets: tuple[CSR, ...]

    @classmethod
    def of(cls, tree: LabelTree, Y: CSR, *, count: int, most_nodes: int) -> Levels:
        """The finest ``count`` levels with at most ``most_nodes`` nodes; the first level if all are larger."""
        small = [level for level, size in enumerate(tree.level_sizes) if size <= most_nodes]
        return cls(tree, tuple(small[-count:] or [0]), tuple(level_targets(Y, tree, induced=True)))

    @classmethod
    def clusters(cls, tree: LabelTree, Y: CSR) -> Levels:
        """The level above the leaves only; the leaves of a tree without clusters."""
        return cls(tree, (max(0, tree.depth - 2),), tuple(level_targets(Y, tree, induced=True)))

    def positives(self, level: int) -> CSR:
        """0/1 targets of a level."""
        counts = self.targets[level]
        return sp.csr_matrix((np.ones_like(counts.data), counts.indices, counts.indptr), shape=counts.shape)

    def blocks(self, stage: int) -> Blocks:
        """The nodes of a stage by their nodes above; those of the first stage are in one block."""
        number = self.numbers[stage]
        return Blocks.of(self.tree, number) if stage > 0 else Blocks.below(np.array([self.tree.level_sizes[number]]))

    def cut(self, level: int) -> LabelTree:
        """The tree down to a level, whose nodes are the labels."""
        n_nodes = self.tree.level_sizes[level]
        return LabelTree(self.tree.parents[: level + 1], np.arange(n_nodes, dtype=np.int32), n_nodes)


@dataclass(frozen=True)
class Solving:
    """Seed and threads of linear models."""

    seed: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """Settings of the heads.

    Parameters
    ----------
    loss : {"bce", "squared-hinge", "hinge"}
    learning_rate : float
        Of SGD on the rows of a head, for the sum of the loss over the instances of a batch.
    dropout : float
        Share of the entries of an embedding that are dropped before a head.
    matched : int
        Nodes of the level above that the linear model predicts for an instance.
    bootstrap : bool
        Whether heads start from a linear solve; otherwise their weights start from 0, and their intercepts from the
        frequency of each node.
    """

    loss: str
    learning_rate: float
    dropout: float
    matched: int
    bootstrap: bool


def preliminary_tree(
    training: CheckedTraining, indexer: Indexer | None, branching: int, max_leaf: int, copies: int
) -> LabelTree:
    """The tree of the fine-tuning, by PIFA on tf-idf.

    Parameters
    ----------
    training : CheckedTraining
    indexer : Indexer or None
        None: k-means.
    branching, max_leaf : int
        Children per node, and labels per leaf cluster, of k-means.
    copies : int
        Largest number of clusters per label; with more than 1, an XR-Linear model assigns them (label disentanglement).
    """
    training = replace(training, X=unit_rows(training.X)[0], texts=None)
    tree = built_tree(training, indexer or KMeansIndexer(branching=branching, max_leaf=max_leaf), None)
    if copies > 1:
        linear = XRLinear(indexer=FixedTree(tree), cost_positive=1.0, cost_negative=1.0, threads=training.threads)
        tree = Disentangled(linear, copies=copies, seed=training.seed).fit_training(training).tree_
    return tree


def matched_nodes(tree: LabelTree, X: Hybrid, Y: CSR, k: int, how: Solving) -> TopK:
    """The k best nodes of some instances, by a linear model that is trained on the first of them.

    Parameters
    ----------
    tree : LabelTree
        The nodes as its labels (``Levels.cut``).
    X : Hybrid, shape (n, d + width)
        Features.
    Y : csr_matrix, shape (m, nodes)
        Positives of the first m instances, which are used for training.
    k : int
        Nodes per instance; all if the tree has fewer.
    how : Solving
    """
    model = XRLinear(indexer=FixedTree(tree), cost_positive=1.0, cost_negative=1.0, tail_cost=0.0, beam=max(10, k))
    model.set_params(dense_weight=1.0, seed=how.seed, threads=how.threads).fit(X[: Y.shape[0]], Y)
    return model.predict_topk(X, min(k, tree.n_labels))


def prior_head(targets: CSR, blocks: Blocks, above: CSR | None, width: int, loss: str) -> tuple[Float32, Float32]:
    """Weights of 0 (nodes, width), and intercepts (nodes,) from the frequencies of the nodes; see ``linear_head``.

    The intercepts are log odds, the minimum of the loss "bce" but for the smoothing; for hinge losses they are at most
    1 in size. Negatives that a shortlist leaves out of a text with too many active nodes are counted.
    """
    n, n_nodes = targets.shape
    counts = np.array([n]) if above is None else np.bincount(above.indices, minlength=above.shape[1])
    positives = np.bincount(targets.indices, minlength=n_nodes)
    negatives = np.repeat(counts[blocks.parent], np.diff(blocks.begin)) - positives
    weights: Float64 = np.bincount(targets.indices, targets.data, minlength=n_nodes).astype(np.float64)
    odds = log_odds(weights, negatives)
    return np.zeros((n_nodes, width), np.float32), odds if loss == "bce" else np.clip(odds, -1, 1)


def log_odds(positives: Float64, negatives: Int64) -> Float32:
    """Intercepts of classifiers whose weights are 0: the log odds of a positive, smoothed.

    Parameters
    ----------
    positives : float64 array, shape (nodes,)
        Sum of the weights of the positive instances of each node.
    negatives : int64 array, shape (nodes,)
        Number of its other instances.
    """
    return np.log((positives + 0.1) / (negatives + 0.1)).astype(np.float32)


def linear_head(
    embeddings: Float32, targets: CSR, blocks: Blocks, above: CSR | None, how: Solving
) -> tuple[Float32, Float32]:
    """Weights (nodes, width) and intercepts (nodes,) of linear classifiers on the embeddings of some instances.

    Parameters
    ----------
    embeddings : float32 array, shape (n, width)
    targets : csr_matrix, shape (n, nodes)
        Weight of each positive.
    blocks : Blocks
        The nodes by the node above.
    above : csr_matrix, shape (n, nodes above), or None
        Instances that the classifiers of the children of each node above are trained on; None: all, for a single block
        above.
    how : Solving
    """
    X = Hybrid(empty_csr(len(embeddings), 1), embeddings)
    rows = everything(len(embeddings)) if above is None else _pattern(above)
    positives = sp.csr_matrix(targets.T)
    positives.sort_indices()
    problem = LevelProblem(blocks, rows, positives)
    [level] = train(X, [problem], BOOTSTRAP, seed=how.seed, threads=how.threads)
    assert level.dense is not None
    return level.dense, level.bias


def _pattern(above: CSR) -> CSR:
    """0/1 matrix, shape (nodes above, n)."""
    rows = sp.csr_matrix(above.T)
    rows.sort_indices()
    rows.data[:] = 1
    return rows
