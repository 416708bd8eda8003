"""Training of the classifiers of a given tree: weights of instances and positives, all levels, packing.

weight of a positive = relevance · cost by rarity, moved up the tree by ``linear.level_targets``
search               = pack(W_t for each level t) with the log bias by rarity of ``tail_rank``
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from ramify.checks import CheckedWhenMade, OneOf, Rules
from ramify.errors import InputError
from ramify.exchange import CheckedTraining
from ramify.kernels.check import factors
from ramify.linear import NORMS, KnownLeaves, TreeTrainer, TreeTrainingConfig, level_targets
from ramify.match import BeamSearch
from ramify.models.trees.tail import TAIL_POWER, costs_by_rarity, log_bias_by_rarity
from ramify.values import CSR, LabelTree, as_csr, as_label_matrix, nonzero
from ramify.weights import PRECISIONS

RELEVANCE = ("equal", "induced")


def with_checked_extras(training: CheckedTraining) -> CheckedTraining:
    """The same training with sample_weight, relevance and own_negatives in the types of the solver.

    Raises
    ------
    InputError
        Shapes that do not match X and Y, or values that the solver cannot multiply.
    """
    weights, relevance, own = training.sample_weight, training.relevance, training.own_negatives
    n, n_labels = training.Y.shape
    if weights is not None:
        weights = factors("sample_weight", weights, n)
        if not weights.any():
            raise InputError("sample_weight is zero for every instance, so there is nothing to learn: give some weight")
    if relevance is not None:
        relevance = as_csr(relevance, "relevance", n_columns=n_labels)
        if relevance.shape[0] != n:
            raise InputError(f"X has {n} rows, but relevance has {relevance.shape[0]}: give one row per instance")
        factors("relevance", relevance.data, relevance.nnz)
    if own is not None:
        own = as_label_matrix(own, n, n_labels=n_labels, name="own_negatives")
    return replace(training, sample_weight=weights, relevance=relevance, own_negatives=own)


def n_weighted(training: CheckedTraining) -> int:
    """Number of instances whose weight is not 0."""
    weights = training.sample_weight
    return int(training.Y.shape[0] if weights is None else np.count_nonzero(weights))


@dataclass(frozen=True, kw_only=True)
class TreeLearner(CheckedWhenMade):
    """Trains the classifiers of a tree.

    Parameters
    ----------
    config : TreeTrainingConfig
        Settings of solver, negatives and search.
    relevance : {"equal", "induced"}
        Weight of a positive on inner levels (see ``XRLinear``).
    relevance_norm : {"none", "l1", "l2", "max"}
        Norm by which the weights of an instance's positives are divided.
    tail_cost, tail_rank : float
        Exponents of the inverse propensity in the costs of positives and in the scores.
    precision : {"int8", "bf16", "fp32"}
        Number format of the weights.
    """

    config: TreeTrainingConfig
    relevance: str
    relevance_norm: str
    tail_cost: float
    tail_rank: float
    precision: str

    RULES: ClassVar[Rules] = {
        "relevance": OneOf(RELEVANCE),
        "relevance_norm": OneOf(NORMS),
        "tail_cost": TAIL_POWER,
        "tail_rank": TAIL_POWER,
        "precision": OneOf(PRECISIONS),
    }

    def learn(self, training: CheckedTraining, tree: LabelTree, known: KnownLeaves | None = None) -> BeamSearch:
        """The tree with its weights.

        Parameters
        ----------
        training : CheckedTraining
            As returned by ``with_checked_extras``.
        tree : LabelTree
            The tree.
        known : KnownLeaves, optional
            Leaves that are not trained again.

        Raises
        ------
        InputError
            ``visits`` of another shape, or missing own negatives.
        """
        targets = self.targets(training, tree)
        trainer = TreeTrainer(
            training.X, tree, targets, self.config, training.own_negatives, known, compute=training.compute
        )
        training.report("train", 0.0)
        levels = trainer.run(
            instance_weights=training.sample_weight,
            seed=training.seed,
            threads=training.threads,
            progress=lambda done: training.report("train", done),
        )
        training.report("train", 1.0)
        training.report("pack", 0.0)
        log_bias = log_bias_by_rarity(training.Y, self.tail_rank) if self.tail_rank > 0 else None
        empty = np.empty if training.spill is None else training.spill.empty
        search = BeamSearch.of(tree, levels, self.precision, log_bias, empty=empty)
        training.report("pack", 1.0)
        return search

    def targets(self, training: CheckedTraining, tree: LabelTree) -> list[CSR]:
        """Weights of the positives of every level, from the top."""
        Y, given, visits = training.Y, training.relevance, training.visits
        if given is not None:
            # Positives without a relevance keep the weight 1.
            Y = sp.csr_matrix((Y - Y.multiply(nonzero(given))) + Y.multiply(given))
        if self.tail_cost > 0:
            Y = costs_by_rarity(Y, self.tail_cost)
        if visits is not None:
            clusters = tree.level_sizes[-2] if tree.depth > 1 else 1
            visits = as_label_matrix(visits, Y.shape[0], n_labels=clusters, name="visits")
        return level_targets(Y, tree, visits=visits, induced=self.relevance == "induced", norm=self.relevance_norm)
