"""ramify's XRLinear on a CSR matrix of the folder: the setting ``matrix`` names that of the training documents.

The test documents are in the matrix of the same name with the suffix ``_test``.
"""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import K, Setup, main

import ramify


class Tree:
    """One tree."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix(setup.settings["matrix"]), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        return ramify.XRLinear(seed=setup.seed, threads=setup.threads).fit(*data)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(setup.model)

    def load(self, setup: Setup) -> Any:
        return ramify.load(setup.model)

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        rows = setup.matrix(f"{setup.settings['matrix']}_test")
        return lambda: model.predict_topk(rows, K)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return answer.labels, answer.scores

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        matrix = setup.matrix(f"{setup.settings['matrix']}_test")
        rows = [matrix[row] for row in range(X.shape[0])]
        return {"single": lambda row: model.predict_topk(rows[row], K)}


if __name__ == "__main__":
    main(Tree())
