"""ramify's taggers: texts and labels in, a model directory out, texts answered from it."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import Setup, main
from taggers import TAGGERS
from texts import CANDIDATES, texts

import ramify


class Texts:
    """Any of ``TAGGERS``: the setting "system" names it, the others are settings of its model."""

    def data(self, setup: Setup) -> Any:
        return texts(setup, "train"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        settings = dict(setup.settings)
        make = TAGGERS[settings.pop("system")]
        return make(setup.seed, setup.threads, settings).fit(*data)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(setup.model)

    def load(self, setup: Setup) -> Any:
        model = ramify.load(setup.model)
        model.predict_topk(["a text"], 1)  # an encoder is loaded with the first text
        return model

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        asked = texts(setup, "test")
        return lambda: model.predict_topk(asked, CANDIDATES, threads=setup.threads)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return answer.labels, answer.scores

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        asked = texts(setup, "test")
        return {"single": lambda row: model.predict_topk(asked[row : row + 1], CANDIDATES, threads=setup.threads)}


if __name__ == "__main__":
    main(Texts())
