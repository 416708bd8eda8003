"""Generated labels of texts: blocks of texts are encoded and decoded, several at a time on a CPU with several threads.

score(l) = Σ_s w_s p(l | x, labels of sequence s before l)        w_s ∝ p(s | x), over the sequences of the beam search

A label that several sequences contain receives the probability of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ramify.generate.base import Base
from ramify.generate.decoding import Generated, Grammar, generate
from ramify.generate.examples import Inputs
from ramify.generate.network import GenerationNetwork
from ramify.generate.trie import RankSets, Trie
from ramify.torchloop import Environment
from ramify.transformers.embedding import batches_of_tokens
from ramify.transformers.tokens import Tokens
from ramify.values import CSR, Int64, TopK

BLOCK_TOKENS_CPU, BLOCK_TOKENS_GPU = 1024, 65_536
"""Input tokens per block, padding included."""

MOST_ROWS = 64
"""Largest number of texts per block on a CPU."""

MOST_VALUES = 1 << 26
"""Largest number of probabilities (texts · beam · output tokens) per step of a block."""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How labels are generated.

    Parameters
    ----------
    network : GenerationNetwork
    variant : Base
    trie : Trie or None
        None: open decoding.
    beam : int
    most : int
        Largest number of tokens per sequence.
    """

    network: GenerationNetwork
    variant: Base
    trie: Trie | None
    beam: int
    most: int

    def sequences(
        self,
        tokens: Tokens,
        environment: Environment,
        *,
        permitted: Callable[[Int64], RankSets] | None = None,
        clusters: CSR | None = None,
        report_progress: Callable[[float], None] | None = None,
    ) -> list[list[Generated]]:
        """The sequences of each text, best first; in closed decoding with label ids as labels.

        Parameters
        ----------
        tokens : Tokens
            Of n texts.
        environment : Environment
            Open.
        permitted : callable, optional
            The labels that may be generated for the texts with given numbers.
        clusters : csr_matrix, shape (n, K), optional
            True clusters, for the upper bound of a guided variant; None: those that the network predicts.
        report_progress : callable, optional
            Called with the share of the texts that is done.
        """
        device = environment.device
        on_cpu = device.type == "cpu"
        blocks = batches_of_tokens(tokens.lengths, BLOCK_TOKENS_CPU if on_cpu else BLOCK_TOKENS_GPU)
        most = max(1, MOST_VALUES // (self.beam * self.network.vocabulary.size))
        most = min(most, MOST_ROWS) if on_cpu else most
        blocks = [part for block in blocks for part in np.split(block, range(most, len(block), most))]
        found: list[list[Generated]] = [[] for _ in range(len(tokens))]
        self.network.to(device).eval()

        def of_block(rows: Int64) -> None:
            ids, mask = tokens.padded(rows)
            bits = None if clusters is None else torch.from_numpy(clusters[rows].toarray()).to(device)
            with torch.no_grad(), environment.autocast():  # both contexts belong to the thread
                inputs = Inputs(ids.to(device), mask.to(device), bits)
                states, mask = self.variant.states(self.network, inputs)
                sets = None if permitted is None else permitted(rows)
                grammar = Grammar(self.network, self.trie, sets, len(rows))
                sequences = generate(self.network, states, mask, grammar, beam=self.beam, most=self.most)
            for row, one in zip(rows.tolist(), sequences, strict=True):
                found[row] = one if self.trie is None else [_with_ids(sequence, self.trie) for sequence in one]

        done = 0
        for first in range(0, len(blocks), environment.threads):
            group = blocks[first : first + environment.threads]
            environment.map(of_block, group)
            done += sum(len(rows) for rows in group)
            if report_progress is not None:
                report_progress(done / len(tokens))
        return found


def _with_ids(one: Generated, trie: Trie) -> Generated:
    return replace(one, labels=tuple(trie.labels[list(one.labels)].tolist()))


def ranked_labels(sequences: list[list[Generated]], k: int) -> TopK:
    """The k labels with the largest scores of each instance; rows with fewer labels are filled with -1 and -inf."""
    return ranking([by_score(merged_scores(found))[:k] for found in sequences], k)


def by_score(scores: dict[Any, float]) -> list[tuple[Any, float]]:
    """Labels or strings with scores of at most 1, best first; equal ones in their own order."""
    best = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    return [(label, min(1.0, score)) for label, score in best]


def ranking(rows: list[list[tuple[int, float]]], k: int) -> TopK:
    """Labels with scores, at most k per instance, as a ranking; -1 and -inf after the last one."""
    top = TopK(np.full((len(rows), k), -1, np.int32), np.full((len(rows), k), -np.inf, np.float32))
    for row, tags in enumerate(rows):
        for place, (label, score) in enumerate(tags):
            top.labels[row, place], top.scores[row, place] = label, score
    return top


def merged_scores(sequences: list[Generated], named: Callable[[Any], Any] = lambda label: label) -> dict[Any, float]:
    """The score of each label of the sequences of one instance (see the module).

    Parameters
    ----------
    sequences : list of Generated
    named : callable, optional
        What a generated label is, for instance the label with its name; of equal ones in a sequence, the first counts.
        None is left out.
    """
    if not sequences:
        return {}
    totals = np.array([one.total for one in sequences])
    weights = np.exp(totals - totals.max())
    weights /= weights.sum()
    scores: dict[Any, float] = {}
    for one, weight in zip(sequences, weights.tolist(), strict=True):
        for label, score in _distinct(one, named).items():
            scores[label] = scores.get(label, 0.0) + weight * float(np.exp(score))
    return scores


def _distinct(one: Generated, named: Callable[[Any], Any]) -> dict[Any, float]:
    """The log probability of the first one of equal labels."""
    found: dict[Any, float] = {}
    for label, score in zip(map(named, one.labels), one.scores, strict=True):
        if label is not None:
            found.setdefault(label, score)
    return found


def best_sets(sequences: list[list[Generated]], n_labels: int) -> CSR:
    """0/1 matrix, shape (n, L): the labels of the best sequence of each instance."""
    from ramify.chains.answering import set_matrix

    rows = [sorted(found[0].labels) if found else [] for found in sequences]
    return set_matrix(rows, n_labels)
