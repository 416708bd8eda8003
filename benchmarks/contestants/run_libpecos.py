"""libpecos at its defaults; prediction in its fastest form, hash-chunked weights."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import BEAM, K, Setup, main, ranked
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel


class Pecos:
    """XLinearModel, trained and served."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix("X"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        X, Y = data
        Z = LabelEmbeddingFactory.create(Y, X, method="pifa")
        chain = Indexer.gen(Z, threads=setup.threads, seed=setup.seed)
        return XLinearModel.train(X, Y, C=chain, threads=setup.threads)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(str(setup.model))

    def load(self, setup: Setup) -> Any:
        return XLinearModel.load(str(setup.model), is_predict_only=True, weight_matrix_type="HASH_CHUNKED")

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        return lambda: model.predict(X, only_topk=K, beam_size=BEAM, threads=setup.threads)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        rows = (answer[row] for row in range(n))
        return ranked((zip(row.indices.tolist(), row.data.tolist(), strict=True) for row in rows), n)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        rows = [X[row] for row in range(X.shape[0])]
        return {"single": lambda row: model.predict(rows[row], only_topk=K, beam_size=BEAM, threads=1)}


if __name__ == "__main__":
    main(Pecos())
