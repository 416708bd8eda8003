"""A trained generator for predictions: network, tokenizer, trie of the labels, and matching of open strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.exchange import CheckedRequest
from ramify.generate.answering import Decoding, by_score, merged_scores
from ramify.generate.base import Base
from ramify.generate.bcl import BinaryClusters
from ramify.generate.decoding import Generated
from ramify.generate.label_tokens import LabelTokens
from ramify.generate.mcg import ClusterGeneration
from ramify.generate.network import GenerationNetwork
from ramify.generate.open_labels import NearestName
from ramify.generate.trie import RankSets, Trie
from ramify.match import permitted
from ramify.torchloop import Environment
from ramify.transformers.tokens import TextTokenizer, tokenized
from ramify.values import CSR, Int64, as_csr, nonzero

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
    """

    network: GenerationNetwork
    tokenizer: TextTokenizer
    variant: Base
    tokens: LabelTokens
    labels: Int64

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
        trie = None if is_open else self._trie_for(request)
        if not is_open and trie is None:  # no label is permitted
            return [[] for _ in range(len(tokens))]
        decoding = Decoding(
            network=self.network, variant=self.variant, trie=trie, beam=beam, most=self.network.max_target
        )
        return decoding.sequences(
            tokens,
            environment,
            permitted=None if trie is None else _permitted(request, trie),
            clusters=clusters,
            report_progress=request.report,
        )

    def _trie_for(self, request: CheckedRequest) -> Trie | None:
        """The trie of the labels that are permitted for all texts; None if there are none."""
        if not isinstance(request.allowed, np.ndarray):
            return self.trie
        labels = self.labels[request.allowed[self.labels]]
        return Trie.of(self.tokens, labels) if len(labels) else None

    def text_of(self, pieces: Sequence[int]) -> str:
        """The string of output tokens."""
        return str(self.tokenizer.backend.decode(self.network.vocabulary.to_pieces(pieces))).strip()

    def matched(self, sequences: list[Generated], names: NearestName) -> tuple[list[Any], list[Any]]:
        """The labels of open sequences, and the strings that are no label, each with its score, best first.

        The strings have the spelling of the names.
        """

        def named(pieces: Any) -> Any:
            text = self.text_of(pieces)
            label = names.label_of(text)
            return (names.spelling.of(text) or None) if label is None else label

        found = merged_scores(sequences, named)
        labels = {one: score for one, score in found.items() if isinstance(one, int)}
        return by_score(labels), by_score({one: score for one, score in found.items() if isinstance(one, str)})


def _permitted(request: CheckedRequest, trie: Trie) -> Callable[[Int64], RankSets] | None:
    """The labels of each text, where a restriction differs between texts; None for a restriction for all."""
    if request.forbidden is None and not sp.issparse(request.allowed):
        return None
    if not sp.issparse(request.allowed):
        return lambda rows: RankSets.of(request.forbidden[rows], trie, forbidden=True)
    allowed = permitted(nonzero(as_csr(request.allowed)), None, request.forbidden)
    return lambda rows: RankSets.of(allowed[rows], trie, forbidden=False)
