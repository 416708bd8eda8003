"""The default tolerance of the solver.

With few instances a pass has few steps, and the classifiers of labels with one or two positives are still far from their
optimum when the tolerance of large data sets is reached. With 500 to 1,200 instances of three data sets a tolerance of 0.4
loses 0.2 to 2.6 points of P@1 beside 0.2, with 10,000 instances nothing (RESULTS.md, "Settings").
"""

from __future__ import annotations

FEW_INSTANCES = 4_000


def default_tolerance(n_instances: int) -> float:
    """``epsilon`` of a model whose user gives none."""
    return 0.2 if n_instances <= FEW_INSTANCES else 0.4
