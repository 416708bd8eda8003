"""ramify's XRLinear on tf-idf beside a dense block, given as a ``Hybrid``.

Settings: those of ``XRLinear``. The folder has ``sparse.npz``, ``dense.npy``, ``sparse_test.npz`` and
``dense_test.npy`` beside the matrices of the peers, which hold both blocks as CSR.
"""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

import numpy as np
import scipy.sparse as sp
from contest import K, Setup, main

import ramify
from ramify.values import Hybrid


class HybridTree:
    """One tree."""

    def data(self, setup: Setup) -> Any:
        return _features(setup, ""), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        return ramify.XRLinear(seed=setup.seed, threads=setup.threads, **setup.settings).fit(*data)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(setup.model)

    def load(self, setup: Setup) -> Any:
        return ramify.load(setup.model)

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        rows = _features(setup, "_test")
        return lambda: model.predict_topk(rows, K)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return answer.labels, answer.scores

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        features = _features(setup, "_test")
        rows = [features[row : row + 1] for row in range(X.shape[0])]
        return {"single": lambda row: model.predict_topk(rows[row], K)}


def _features(setup: Setup, part: str) -> Hybrid:
    sparse = sp.load_npz(setup.matrices / f"sparse{part}.npz")
    return Hybrid(sparse, np.load(setup.matrices / f"dense{part}.npy"))


if __name__ == "__main__":
    main(HybridTree())
