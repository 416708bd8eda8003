"""A trained generator for predictions: network, tokenizer, trie of the labels, and matching of open strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ramify.exchange import CheckedRequest
from ramify.generate.answering import Decoding
from ramify.generate.base import Base
from ramify.generate.bcl import BinaryClusters
from ramify.generate.decoding import Generated
from ramify.generate.label_tokens import LabelTokens
from ramify.generate.mcg import ClusterGeneration
from ramify.generate.network import GenerationNetwork
from ramify.generate.open_labels import NearestName
from ramify.generate.trie import Trie
from ramify.match import permitted_mask
from ramify.torchloop import Environment
from ramify.transformers.tokens import TextTokenizer, tokenized
from ramify.values import CSR, Bool, Int64

VARIANTS: dict[str, type[Base]] = {"base": Base, "bcl": BinaryClusters, "mcg": ClusterGeneration}


@dataclass(frozen=True, kw_only=True)
class ServingGenerator:
    """What predictions need.

    Parameters
    ----------
    network : GenerationNetwork
    tokenizer : TextTokenizer
    variant : Base
    tokens : LabelTokens
        Of all labels.
    labels : int array
        The labels that are generated: of labels with equal tokens, one.
    most : int
        Largest number of tokens per sequence.
    """

    network: GenerationNetwork
    tokenizer: TextTokenizer
    variant: Base
    tokens: LabelTokens
    labels: Int64
    most: int

    @cached_property
    def trie(self) -> Trie:
        """The trie of the labels."""
        return Trie.of(self.tokens, self.labels)

    def sequences(
        self,
        request: CheckedRequest,
        environment: Environment,
        *,
        beam: int,
        is_open: bool = False,
        clusters: CSR | None = None,
    ) -> list[list[Generated]]:
        """The sequences of each text of a request, best first; restrictions apply to closed decoding."""
        tokens = tokenized(self.tokenizer, request.texts or (), self.network.max_tokens, threads=request.threads)
        decoding = Decoding(
            network=self.network,
            variant=self.variant,
            trie=None if is_open else self.trie,
            beam=beam,
            most=self.most,
        )
        restricted = not is_open and (request.allowed is not None or request.forbidden is not None)
        return decoding.sequences(
            tokens,
            environment,
            permitted=(lambda rows: self._permitted(request, rows)) if restricted else None,
            clusters=clusters,
            report_progress=request.report,
        )

    def _permitted(self, request: CheckedRequest, rows: Int64) -> Bool:
        may = permitted_mask(request.allowed, request.forbidden, rows, len(self.tokens))
        return np.ascontiguousarray(may[:, self.trie.labels])

    def text_of(self, pieces: Sequence[int]) -> str:
        """The string of output tokens."""
        return str(self.tokenizer.backend.decode(self.network.vocabulary.to_pieces(pieces))).strip()

    def matched(self, sequences: list[Generated], names: NearestName) -> tuple[list[Any], list[Any]]:
        """The labels of open sequences, and the strings that are no label, each with its score, best first.

        The strings have the spelling of the names.
        """
        from ramify.generate.answering import merged_scores

        labels: dict[int, float] = {}
        strings: dict[str, float] = {}
        for pieces, score in merged_scores(sequences).items():
            text = self.text_of(pieces)
            label = names.label_of(text)
            if label is not None:
                labels[label] = labels.get(label, 0.0) + score
            elif text:
                text = names.spelling.of(text)
                strings[text] = strings.get(text, 0.0) + score
        return _by_score(labels), _by_score(strings)


def _by_score(scores: dict[Any, float]) -> list[tuple[Any, float]]:
    return sorted(((one, min(1.0, score)) for one, score in scores.items()), key=lambda pair: (-pair[1], pair[0]))
