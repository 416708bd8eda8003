"""The contract suite: what every model, indexer, matcher and ranker must do, ours and yours.

    from ramify.testing import check_model
    check_model(lambda: MyModel())

Each check is a function of its own that takes a factory of unfitted parts and raises AssertionError with a sentence.
``MODEL_CHECKS``, ``INDEXER_CHECKS``, ``MATCHER_CHECKS`` and ``RANKER_CHECKS`` list them, to make each a test case.
"""

from collections.abc import Collection

from ramify.testing.edges import EDGE_CHECKS
from ramify.testing.indexers import INDEXER_CHECKS, check_indexer
from ramify.testing.learning import LEARNING_CHECKS
from ramify.testing.manners import MANNERS_CHECKS
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

MODEL_CHECKS = (*LEARNING_CHECKS, *SCORE_CHECKS, *MANNERS_CHECKS, *EDGE_CHECKS, *REFUSAL_CHECKS)


def check_model(factory: Factory, *, lacks: Collection[str] = ()) -> None:
    """Run every check of ``MODEL_CHECKS``.

    Parameters
    ----------
    factory : callable
        Makes an unfitted model: an estimator with ``fit(X, Y)``, ``predict_topk(X, k)`` and ``get_params``. Its other
        methods and the ``abilities`` that it names are checked as well.
    lacks : collection of str, optional
        Names of the checks that do not apply, because the model lacks an ability, a method or a setting.

    Raises
    ------
    AssertionError
        The first check that the model does not pass, or that does not apply and is not named in ``lacks``.
    """
    for check in MODEL_CHECKS:
        run_check(check, factory, lacks)
