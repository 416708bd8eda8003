"""napkinXC: a probabilistic label tree with the defaults of its README. It writes its model while it trains."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import K, Setup, main, ranked
from napkinxc.models import PLT


class NapkinXC:
    """PLT, whose folder is its model."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix("X"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        model = self._model(setup)
        model.fit(*data)
        return model

    def save(self, model: Any, setup: Setup) -> None:
        """Nothing left to do."""

    def load(self, setup: Setup) -> Any:
        model = self._model(setup)
        model.load()
        return model

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        return lambda: model.predict_proba(X, top_k=K)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return ranked(answer, n)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        model.set_params(threads=1)  # two take longer over a single row
        rows = [X[row] for row in range(X.shape[0])]
        return {"single": lambda row: model.predict_proba(rows[row], top_k=K)}

    def _model(self, setup: Setup) -> PLT:
        return PLT(str(setup.model), seed=setup.seed, threads=setup.threads, **setup.settings)


if __name__ == "__main__":
    main(NapkinXC())
