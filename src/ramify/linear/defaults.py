"""Settings of the solver that depend on the training data, where the user gives none.

epsilon    With few instances a pass has few steps, and the classifiers of labels with one or two positives are still
           far from their optimum when the tolerance of large data sets is reached.
threshold  Without clusters there are few labels or little data, and the model is small. What small weights add to its
           precision is then worth their memory.

RESULTS.md, "Settings", has the differences to other values on held-out instances.
"""

from __future__ import annotations

FEW_INSTANCES = 4_000


def default_tolerance(n_instances: int) -> float:
    """The tolerance that is used where ``epsilon`` is None."""
    return 0.2 if n_instances <= FEW_INSTANCES else 0.4


def solver_defaults(n_instances: int, flat: bool) -> dict[str, float]:
    """``epsilon`` and ``threshold`` for a number of instances, and for a tree with clusters or without (flat)."""
    return {"epsilon": default_tolerance(n_instances), "threshold": 0.05 if flat else 0.1}
