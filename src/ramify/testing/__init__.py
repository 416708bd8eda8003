"""The contract suite: what every model, indexer, matcher and ranker must do, ours and yours.

    from ramify.testing import check_model
    check_model(lambda: MyModel())

Each check is a function of its own that takes a factory of unfitted parts and raises AssertionError with a sentence.
``MODEL_CHECKS``, ``INDEXER_CHECKS``, ``MATCHER_CHECKS`` and ``RANKER_CHECKS`` list them, to make each a test case.
"""

from ramify.testing.edges import EDGE_CHECKS
from ramify.testing.indexers import INDEXER_CHECKS, check_indexer
from ramify.testing.learning import LEARNING_CHECKS
from ramify.testing.manners import MANNERS_CHECKS
from ramify.testing.parts import MATCHER_CHECKS, RANKER_CHECKS, check_matcher, check_ranker
from ramify.testing.refusals import REFUSAL_CHECKS
from ramify.testing.scores import SCORE_CHECKS
from ramify.testing.values import Factory

__all__ = [
    "INDEXER_CHECKS",
    "MATCHER_CHECKS",
    "MODEL_CHECKS",
    "RANKER_CHECKS",
    "check_indexer",
    "check_matcher",
    "check_model",
    "check_ranker",
]

MODEL_CHECKS = (*LEARNING_CHECKS, *SCORE_CHECKS, *MANNERS_CHECKS, *EDGE_CHECKS, *REFUSAL_CHECKS)


def check_model(factory: Factory) -> None:
    """Run every check of ``MODEL_CHECKS``.

    Parameters
    ----------
    factory : callable
        Makes an unfitted model: an estimator with ``fit(X, Y)``, ``predict_topk(X, k)`` and ``get_params``. What else
        it has is checked, too: ``predict``, ``decision_function``, ``score_pairs``, ``subtree``, ``to_state``,
        restrictions by ``allowed`` and ``forbidden``, and the parameters ``seed`` and ``threads``.

    Raises
    ------
    AssertionError
        The first check that the model does not pass.
    """
    for check in MODEL_CHECKS:
        check(factory)
