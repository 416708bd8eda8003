"""Settings of a tree model that are chosen on its training instances: C, and the weight of a dense block.

x = [sparse | weight · dense] / sqrt(1 + weight²)       both blocks have rows of length 1 before
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ramify.checks import Real
from ramify.exchange import CheckedTraining
from ramify.kernels.train import SolverConfig
from ramify.linear.cost import chosen_cost, chosen_dense_weight
from ramify.linear.defaults import solver_defaults
from ramify.models.trees.indexing import is_flat
from ramify.models.trees.learning import n_weighted
from ramify.models.trees.tree_predictor import TreePredictor
from ramify.protocols import Indexer
from ramify.values import Hybrid

COST = replace(SolverConfig.RULES["cost_positive"], optional=True)
DENSE_WEIGHT = Real(0.01, 100, optional=True)


class ChosenOnTraining(TreePredictor):
    """Base of models with the settings of ``SolverConfig``, where None means that a value is chosen.

    Attributes
    ----------
    cost_ : float or None
        The chosen C; None if both costs were given.
    dense_weight_ : float or None
        The weight of the dense block; None if X had none.
    """

    indexer: Indexer | None
    max_leaf: int | None
    cost_positive: float | None
    cost_negative: float | None
    dense_weight: float | None
    cost_: float | None = None
    dense_weight_: float | None = None

    def _training_rows(self, X: Any) -> Any:
        """Blocks with rows of length 1; they are weighted when the weight has been chosen."""
        rows, self.normalized_rows_ = self._unit_blocks(self._instances(X))
        return rows

    def with_blocks(self, training: CheckedTraining, weight: float | None) -> CheckedTraining:
        """The training with the blocks of X weighted; X itself without a dense block."""
        return training if weight is None else replace(training, X=self._joined_blocks(training.X, weight))

    @property
    def _block_weight(self) -> float:
        return 1.0 if self.dense_weight_ is None else self.dense_weight_

    def _defaults(self, training: CheckedTraining) -> dict[str, float]:
        flat = self.indexer is None and is_flat(training, self.max_leaf)
        return solver_defaults(n_weighted(training), flat, dense=isinstance(training.X, Hybrid))

    def _solver(self, cost: float, defaults: dict[str, float]) -> SolverConfig:
        """Settings of the solver; ``cost`` is C where none is given."""
        chosen = {"cost_positive": cost, "cost_negative": cost, **defaults}
        given = {name: getattr(self, name) for name in SolverConfig.RULES}
        return SolverConfig(**(given | {name: value for name, value in chosen.items() if given[name] is None}))

    def chosen_cost(self, training: CheckedTraining) -> float | None:
        """C of a model with these settings on this training; None if both costs are given."""
        if self.cost_positive is not None and self.cost_negative is not None:
            return None
        return self._chosen(chosen_cost, training)

    def chosen_dense_weight(self, training: CheckedTraining) -> float | None:
        """Weight of the dense block, whose rows have length 1 in both blocks; None if X has no dense block."""
        if not isinstance(training.X, Hybrid):
            return None
        if self.dense_weight is not None or not self.normalize:
            return 1.0 if self.dense_weight is None else float(self.dense_weight)
        return self._chosen(chosen_dense_weight, training)

    def _chosen(self, choose: Callable[..., float], training: CheckedTraining) -> float:
        """A setting that is chosen on the instances whose weight is not 0."""
        X, Y, weights = training.X, training.Y, training.sample_weight
        if weights is not None:
            X, Y = X[weights > 0], Y[weights > 0]
        training.report("choose", 0.0)
        solver = self._solver(1.0, self._defaults(training))
        chosen = choose(X, Y, solver, seed=training.seed, threads=training.threads)
        training.report("choose", 1.0)
        return chosen
