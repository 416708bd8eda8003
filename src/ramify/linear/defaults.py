"""Settings of the solver that depend on the training data, where the user gives none.

epsilon    With few instances a pass has few steps, and the classifiers of labels with one or two positives are still
           far from their optimum when the tolerance of large data sets is reached. With a dense block, no rows are
           merged (cpp/solver.hpp), and a looser tolerance reaches the same precision in 18% less time (gutenberg-lcsh).
threshold  Without clusters there are few labels or little data, and the model is small. What small weights add to its
           precision is then worth their memory.

RESULTS.md, "Settings", has the differences to other values on held-out instances.
"""

from __future__ import annotations

FEW_INSTANCES = 4_000


def default_tolerance(n_instances: int, *, dense: bool = False) -> float:
    """The tolerance that is used where ``epsilon`` is None; ``dense``: X has a dense block."""
    if n_instances <= FEW_INSTANCES:
        return 0.2
    return 0.6 if dense else 0.4


def solver_defaults(n_instances: int, flat: bool, *, dense: bool = False) -> dict[str, float]:
    """``epsilon`` and ``threshold`` for a number of instances, and for a tree with clusters or without (flat).

    ``dense``: X has a dense block.
    """
    return {"epsilon": default_tolerance(n_instances, dense=dense), "threshold": 0.05 if flat else 0.1}
