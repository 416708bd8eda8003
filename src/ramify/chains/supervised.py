"""Teaching a chain by targets: cross-entropy of the next label, the labels before it given (teacher forcing).

One call of the GRU over a batch of padded sequences, no loop over labels. With very many labels a batch is about its
own labels and a uniform sample of the others. In the softmax each of these stands for (L - P) / S of them: its logit
grows by the logarithm of that. What the network emits for re-sequencing is chosen among them, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ramify.chains.decoding import emit, marginals
from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import features, sequences, shuffled_batches
from ramify.errors import InputError
from ramify.evaluation import evaluate, top_k
from ramify.torchloop.environment import generator
from ramify.torchloop.task import Shard
from ramify.values import CSR, Int64

MEASURED = 500
"""Held-out instances that an epoch is measured on, at most."""

WATCHED, BLOCK = 16, 128
"""Sequences drawn for each of them, and instances at a time. Few draws would favour epochs that are less sure: with 19
labels per instance (delicious), 8 cost 4 to 7 points of the mean measure against 32."""


@dataclass(frozen=True, kw_only=True)
class ChainData:
    """What a chain is taught from.

    Parameters
    ----------
    X, Y : csr_matrix, shape (n, d) and (n, L)
        Training instances, rows of X of length one, and their labels.
    held : (csr_matrix, csr_matrix) or None
        Held-out instances and labels.
    counts : int64 array, shape (L,)
        Training instances per label.
    longest : int
        Labels per sequence at most.
    batch_size : int
    dropout, feature_dropout : float
    sampled : int
        Labels to sample per batch; 0 for the full softmax.
    """

    X: CSR
    Y: CSR
    held: tuple[CSR, CSR] | None
    counts: Int64
    longest: int
    batch_size: int
    dropout: float
    feature_dropout: float
    sampled: int


class SupervisedTask:
    """A ``torchloop.Task``: the next label of an order.

    Parameters
    ----------
    network : ChainNetwork
    data : ChainData
    order : Order
        One that has ``follow`` is asked by it, with what the network emits for the batch.
    """

    def __init__(self, network: ChainNetwork, data: ChainData, order: Any) -> None:
        self.network, self.data, self.order = network, data, order
        self.lengths = np.diff(data.Y.indptr)
        self.never = torch.from_numpy(data.counts == 0).to(network.output.device)

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Int64]:
        """See ``torchloop.Task``."""
        return shuffled_batches(self.lengths, self.data.batch_size, rng)

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``torchloop.Task``: cross-entropy, and the number of labels and STOPs."""
        data, network = self.data, self.network
        X, Y = features(data.X[shard.rows], network.output), data.Y[shard.rows]
        drawn = generator(*shard.counters)
        candidates, grows = candidates_of(Y, drawn, self.never, data.sampled)
        targets = self._targets(X, Y, np.random.default_rng(shard.counters), candidates)
        told, wanted, place = taught(network, X, targets, Dropout(drawn, data.dropout, data.feature_dropout))
        logits = network.logits(told, candidates)
        logits = logits if grows is None else logits + grows
        logits = logits.masked_fill_(closed(wanted, self.never, candidates)[place], -torch.inf)
        own = among(candidates, wanted[place])
        return functional.cross_entropy(logits.float(), own, reduction="sum"), float(len(told))

    def _targets(self, X: Any, Y: CSR, rng: np.random.Generator, candidates: torch.Tensor | None) -> torch.Tensor:
        data = self.data
        if hasattr(self.order, "follow"):
            longest = min(int(np.diff(Y.indptr).max()) + SLACK, data.longest)
            emitted = emit(self.network, X, never=self.never, longest=longest, candidates=candidates)
            keys = self.order.follow(Y, emitted, rng)
        else:
            keys = np.asarray(self.order.keys(Y, data.counts, rng), np.float64)
        if keys.shape != (Y.nnz,):
            raise InputError(f"the order gives keys of shape {keys.shape}, but must give one per label: {(Y.nnz,)}")
        return torch.from_numpy(sequences(Y, keys)).to(self.network.output.device)

    def measure(self) -> float:
        """Mean of P@1, P@3, P@5, nDCG@3 and nDCG@5 of the ranking of held-out instances."""
        if self.data.held is None:
            return float("nan")
        X, Y = (part[:MEASURED] for part in self.data.held)
        blocks = [
            marginals(
                self.network, features(X[begin : begin + BLOCK], self.network.output),
                never=self.never, draws=WATCHED, longest=self.data.longest,
            )
            for begin in range(0, X.shape[0], BLOCK)
        ]  # fmt: skip
        return ranking_quality(Y, np.concatenate(blocks))


def candidates_of(
    Y: CSR, drawn: torch.Generator, never: torch.Tensor, sampled: int
) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
    """Labels that a batch is about, ascending, STOP last, and what their logits grow by; None where it is all.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        Of the batch: its labels are among the candidates.
    drawn : torch.Generator
    never : bool tensor, shape (L,)
        Labels that are never a candidate.
    sampled : int
        Other labels to draw; 0 where the batch is about all labels.
    """
    if sampled == 0:
        return None, None
    device, stop = never.device, len(never)
    own = torch.from_numpy(np.append(np.unique(Y.indices).astype(np.int64), stop)).to(device)
    others = torch.unique(torch.randint(stop, (sampled,), generator=drawn)).to(device)
    others = others[~torch.isin(others, own) & ~never[others]]
    n_others = int((~never).sum()) - len(own) + 1
    candidates, order = torch.sort(torch.cat([own, others]))
    grows = torch.zeros(len(candidates), device=device)
    if len(others):
        grows[order >= len(own)] = float(np.log(max(1.0, n_others / len(others))))
    return candidates, grows


SLACK = 4
"""Labels beyond the true number that are emitted at most for re-sequencing: later ones could only reorder the rest."""


def taught(
    network: ChainNetwork, X: Any, targets: torch.Tensor, drop: Dropout
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
    """Read whole sequences: targets (n, steps), -1 after the end.

    Returns
    -------
    told : tensor, shape (places, hidden)
        What the network says at every place that has a target.
    targets : tensor, shape (n, steps)
    place : two int64 tensors, shape (places,)
        Row and step of these places.
    """
    inputs = functional.pad(targets[:, :-1], (1, 0), value=network.stop).clamp(min=0)
    encoded = network.encode(X, drop)
    told, _ = network.states(encoded, inputs, network.first_state(encoded), drop)
    place = torch.nonzero(targets >= 0, as_tuple=True)
    return told[place], targets, place


def closed(targets: torch.Tensor, never: torch.Tensor, candidates: torch.Tensor | None = None) -> torch.Tensor:
    """Labels that cannot come at each step, (n, steps, L + 1): emitted before, or never emitted."""
    n, steps = targets.shape
    first = torch.full((n, len(never) + 2), steps, dtype=torch.int32, device=targets.device)  # a last place for -1
    first[:, : len(never)].masked_fill_(never, -1)
    at = torch.arange(steps, dtype=torch.int32, device=targets.device)
    first.scatter_(1, torch.where(targets < 0, len(never) + 1, targets), at.expand(n, steps))
    first = first[:, :-1] if candidates is None else first[:, candidates]
    return at[None, :, None] > first[:, None, :]


def among(candidates: torch.Tensor | None, labels: torch.Tensor) -> torch.Tensor:
    """Places of labels among the candidates."""
    return labels if candidates is None else torch.searchsorted(candidates, labels)


def ranking_quality(Y: CSR, scores: Any) -> float:
    """Mean of P@1, P@3, P@5, nDCG@3 and nDCG@5, as far as there are labels."""
    asked = min(5, Y.shape[1])
    report = evaluate(Y, top_k(scores, asked), ks=tuple(k for k in (1, 3, 5) if k <= asked))
    names = [name for name in ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5") if int(name[-1]) <= asked]
    return float(np.mean([float(report[name]) for name in names]))
