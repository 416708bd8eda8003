"""Values of a tagger for texts with some of their words: scores of labels, or contributions of the dense block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ramify.exchange import Request
from ramify.models.base.reasons import Reason, dense_strength, reasons_of
from ramify.tagger.explain.occlusion import Occlusion, occlude
from ramify.values import Float64, Hybrid

if TYPE_CHECKING:
    from ramify.tagger.fitted import FittedTagger

Tokens = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class LeftOut:
    """One text, some of whose words are left out.

    Parameters
    ----------
    tagger : Tagger
        Fitted on texts.
    text : str
        The text.
    request : Request
        The request for the whole text.
    """

    tagger: FittedTagger
    text: str
    request: Request

    def occlusions(self, numbers: Sequence[int], reasons: Sequence[Reason | None], tokens: Tokens) -> list[Occlusion]:
        """The attributions of each label: of the dense block where the reasons have one, else of the scores."""
        likes = [reason for reason in reasons if reason is not None and dense_strength(reason, reason) is not None]
        if len(likes) == len(numbers):
            return occlude(lambda texts: self._dense(texts, numbers, likes), self.text, tokens, "dense block")
        return occlude(lambda texts: self.scores(texts, numbers), self.text, tokens)

    def scores(self, texts: list[str], numbers: Sequence[int]) -> Float64:
        """Scores of labels, shape (texts, labels); 0 where the model does not rank a label.

        Beam search is asked for one label at a time, because several labels would compete for the beam.
        """
        request, model = self.tagger._request(texts)[0], self.tagger._adapted_model()
        together = [[number] for number in numbers] if "beam" in model.abilities else [list(numbers)]
        found = np.zeros((len(texts), len(numbers)))
        for labels in together:
            distinct = sorted(set(labels))
            top = model.answer(
                replace(
                    request, k=len(distinct), allowed=distinct, beam=self.request.beam, threads=self.request.threads
                )
            )
            for at, number in enumerate(numbers):
                if number in distinct:
                    own = top.labels == number
                    found[:, at] = np.where(own, top.scores, 0).sum(axis=1)
        return found

    def _dense(self, texts: list[str], numbers: Sequence[int], likes: Sequence[Reason]) -> Float64:
        """Contribution of the dense block of each text, beside the sparse features of the whole text."""
        method = reasons_of(self.tagger.model_)
        own, request = self.request.X, self.tagger._request(texts)[0]
        sparse = (own.sparse if isinstance(own, Hybrid) else own)[np.zeros(len(texts), np.int64)]
        X = Hybrid(sparse, request.X.dense, request.X.dense_scale) if isinstance(own, Hybrid) else sparse
        found = [] if method is None else method(replace(self.request, X=X, texts=request.texts), numbers)
        return np.array(
            [[dense_strength(reason, like) for reason, like in zip(row, likes, strict=True)] for row in found],
            np.float64,
        )
