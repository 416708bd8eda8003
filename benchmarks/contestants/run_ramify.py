"""ramify's estimators: in-memory matrices in, a model directory out, opened by mapping it."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import K, Setup, main
from estimators import ESTIMATORS

import ramify


class Ramify:
    """Any of ``ESTIMATORS``."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix("X"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        return ESTIMATORS[setup.settings["estimator"]](setup.seed, setup.threads).fit(*data)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(setup.model)

    def load(self, setup: Setup) -> Any:
        return ramify.load(setup.model)

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        return lambda: model.predict_topk(X, K)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return answer.labels, answer.scores

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        single = model.single(K)
        rows = [X[row] for row in range(X.shape[0])]
        return {
            "single": lambda row: single(rows[row].indices, rows[row].data),
            "single_call": lambda row: model.predict_topk(rows[row], K),
        }


def load_unverified(setup: Setup) -> Any:
    """The same without the check of the checksums."""
    return ramify.load(setup.model, verify=False)


if __name__ == "__main__":
    main(Ramify(), other_openings={"load_unverified": load_unverified})
