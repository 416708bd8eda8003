"""The contract suite: checks that every model, indexer, matcher and ranker must pass.

    from ramify.testing import check_model
    check_model(lambda: MyModel())

Each check is a function that takes a factory of unfitted parts and raises AssertionError with a one-sentence message.
``MODEL_CHECKS``, ``INDEXER_CHECKS``, ``MATCHER_CHECKS`` and ``RANKER_CHECKS`` contain the checks, to parametrize tests.
"""

from collections.abc import Collection

from ramify.testing.conventions import CONVENTION_CHECKS
from ramify.testing.edges import EDGE_CHECKS
from ramify.testing.indexers import INDEXER_CHECKS, check_indexer
from ramify.testing.learning import LEARNING_CHECKS
from ramify.testing.parts import MATCHER_CHECKS, RANKER_CHECKS, check_matcher, check_ranker
from ramify.testing.refusals import REFUSAL_CHECKS
from ramify.testing.scores import SCORE_CHECKS
from ramify.testing.values import Factory, NotApplicableError, run_check

__all__ = [
    "INDEXER_CHECKS",
    "MATCHER_CHECKS",
    "MODEL_CHECKS",
    "RANKER_CHECKS",
    "NotApplicableError",
    "check_indexer",
    "check_matcher",
    "check_model",
    "check_ranker",
    "run_check",
]

MODEL_CHECKS = (*LEARNING_CHECKS, *SCORE_CHECKS, *CONVENTION_CHECKS, *EDGE_CHECKS, *REFUSAL_CHECKS)


def check_model(factory: Factory, *, lacks: Collection[str] = ()) -> None:
    """Run every check of ``MODEL_CHECKS``.

    Parameters
    ----------
    factory : callable
        Returns an unfitted model: an estimator with ``fit(X, Y)``, ``predict_topk(X, k)`` and ``get_params``. Its other
        methods and its ``abilities`` are checked as well.
    lacks : collection of str, optional
        Names of the checks that do not apply, because the model lacks an ability, a method or a setting.

    Raises
    ------
    AssertionError
        A check fails, or a check does not apply and is not in ``lacks``.
    """
    for check in MODEL_CHECKS:
        run_check(check, factory, lacks)
