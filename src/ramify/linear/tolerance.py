"""The default tolerance of the solver.

With few instances a pass has few steps, and the classifiers of labels with one or two positives are then still far from
their optimum when the tolerance of large data sets is reached. On fifths and twentieths of five data sets with 480 to
2,600 instances a tolerance of 0.2 gives 0.0 to 1.0 points of P@k more than 0.4; with more instances they are level
(docs/presets.md).
"""

from __future__ import annotations

FEW_INSTANCES = 4_000


def default_tolerance(n_instances: int) -> float:
    """``epsilon`` of a model whose user gives none."""
    return 0.2 if n_instances <= FEW_INSTANCES else 0.4
