"""The default tolerance of the solver.

With few instances a pass has few steps, and the classifiers of labels with one or two positives are still far from
their optimum when the tolerance of large data sets is reached. With 480 to 980 instances of three data sets, P@1 is 0.2
to 2.6 points lower with a tolerance of 0.4 than with 0.2; with 10,000 instances it is the same (RESULTS.md,
"Settings").
"""

from __future__ import annotations

FEW_INSTANCES = 4_000


def default_tolerance(n_instances: int) -> float:
    """The tolerance that is used where ``epsilon`` is None."""
    return 0.2 if n_instances <= FEW_INSTANCES else 0.4
