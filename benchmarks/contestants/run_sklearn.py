"""scikit-learn: one LinearSVC per label, its choice for sparse text; saved by joblib, as its documentation advises."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

import joblib
import numpy as np
from contest import K, Setup, main
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

ROWS = 512  # a dense block of scores per label at a time


class OneVsRest:
    """OneVsRestClassifier of LinearSVC."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix("X"), setup.matrix("Y").astype(np.int8)

    def train(self, data: Any, setup: Setup) -> Any:
        X, Y = data
        model = OneVsRestClassifier(LinearSVC(random_state=setup.seed, **setup.settings), n_jobs=setup.threads)
        with joblib.parallel_backend("threading"):  # the solver runs without the GIL: no copies of X
            return model.fit(X, Y)

    def save(self, model: Any, setup: Setup) -> None:
        setup.model.mkdir()
        joblib.dump(model, setup.model / "model.joblib")

    def load(self, setup: Setup) -> Any:
        return joblib.load(setup.model / "model.joblib")

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        starts = range(0, X.shape[0], ROWS)
        return lambda: [best(model.decision_function(X[start : start + ROWS])) for start in starts]

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        labels, scores = (np.vstack(parts) for parts in zip(*answer, strict=True))
        return labels.astype(np.int32), scores.astype(np.float32)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        return {"single": lambda row: best(model.decision_function(X[row]))}


def best(scores: Any) -> tuple[Any, Any]:
    """The K best columns of each row, best first."""
    found = np.argpartition(-scores, min(K, scores.shape[1] - 1), axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    return found, np.take_along_axis(scores, found, axis=1)


if __name__ == "__main__":
    main(OneVsRest())
