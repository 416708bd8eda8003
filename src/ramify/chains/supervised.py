"""Supervised training of a chain with teacher forcing: l_1..l_m, STOP are the labels of instance i in a given order.

loss = -Σ_i Σ_t log p(l_t | x_i, l_1..l_{t-1})                  targets "next": the next label of the order
loss = -Σ_i Σ_t log Σ_{s ≥ t} p(l_s | x_i, l_1..l_{t-1})        targets "remaining": any label not yet emitted

STOP is a target of "remaining" after the last label only. The gradient of "remaining" increases each remaining label in
proportion to its probability: the network chooses which one comes next. The order determines the prefixes only.

A batch of padded sequences is one call of the GRU, without a loop over labels. With thousands of labels, a batch uses
its own P labels and S uniformly sampled negatives; log((L - P) / S) is added to the logit of a sampled label, which
corrects the softmax for the sampling. Re-sequencing emits labels among the same candidates.

Jinseok Nam, Eneldo Loza Mencía, Hyunwoo J. Kim and Johannes Fürnkranz: Maximizing Subset Accuracy with Recurrent Neural
Networks in Multi-label Classification. NIPS 2017, pages 5413-5423.
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
from ramify.chains.sequences import features, sequences
from ramify.errors import InputError
from ramify.evaluation import evaluate, top_k
from ramify.torchloop import Shard, Task
from ramify.torchloop.batching import batches_by_cost
from ramify.torchloop.randomness import generator
from ramify.values import CSR, Int64

SMALLEST_SHARD = 32
"""Shards of 16 take 25 to 50% more CPU time (bibtex, batches of 32): each has gradients of all parameters."""

MEASURED = 500
"""Largest number of held-out instances in the evaluation of an epoch."""

EVALUATION_DRAWS, BLOCK = 16, 128
"""Sequences per held-out instance, and instances per block. Few sequences bias the choice towards flatter ones:
with 19 labels per instance (delicious), 8 instead of 32 lower the mean measure by 4 to 7 points."""


@dataclass(frozen=True, kw_only=True)
class ChainData:
    """Training data of a chain, and the settings that its losses need.

    Parameters
    ----------
    X, Y : csr_matrix, shape (n, d) and (n, L)
        Training instances, rows of X of length one, and their labels.
    held : (csr_matrix, csr_matrix) or None
        Held-out instances and labels.
    counts : int64 array, shape (L,)
        Training instances per label.
    longest : int
        Largest number of labels per sequence.
    dropout, feature_dropout : float
    sampled : int
        Negative labels per batch; 0 for the full softmax.
    seed : int, default 0
    targets : {"next", "remaining"}
    """

    X: CSR
    Y: CSR
    held: tuple[CSR, CSR] | None
    counts: Int64
    longest: int
    dropout: float
    feature_dropout: float
    sampled: int
    seed: int = 0
    targets: str = "next"


class SupervisedTask(Task):
    """A ``torchloop.Task``: prediction of the next label of a sequence.

    Parameters
    ----------
    network : ChainNetwork
    data : ChainData
    order : Order
        If it has the method ``follow``, this is called with the labels that the network emits for the batch.
    """

    network: ChainNetwork
    draws_globally = False
    smallest_shard = SMALLEST_SHARD

    def __init__(self, network: ChainNetwork, data: ChainData, order: Any) -> None:
        self.network, self.data, self.order = network, data, order
        self.lengths = np.diff(data.Y.indptr)
        self.never = torch.from_numpy(data.counts == 0).to(network.output.device)

    def batches(self, epoch: int, size: int, rng: np.random.Generator) -> Sequence[Int64]:
        """See ``torchloop.Task``."""
        return batches_by_cost(self.lengths, size, rng)

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``torchloop.Task``: the loss of the module's equations and the number of labels and STOPs."""
        data, network = self.data, self.network
        X, Y = features(data.X[shard.rows], network.output), data.Y[shard.rows]
        drawn = generator(*shard.counters)
        candidates, corrections = candidates_of(Y, drawn, self.never, data.sampled)
        targets = self._targets(X, Y, np.random.default_rng(shard.counters), candidates)
        outputs, wanted, place = forced_outputs(network, X, targets, Dropout(drawn, data.dropout, data.feature_dropout))
        logits = network.logits(outputs, candidates)
        logits = logits if corrections is None else logits + corrections
        shut = closed(wanted, self.never, candidates)[place]
        logits = logits.masked_fill_(shut, -torch.inf).float()
        if data.targets == "next":
            own = positions(candidates, wanted[place])
            return functional.cross_entropy(logits, own, reduction="sum"), float(len(outputs))
        wrong = ~remaining(Y, place[0], shut, candidates)
        losses = torch.logsumexp(logits, dim=1) - torch.logsumexp(logits.masked_fill(wrong, -torch.inf), dim=1)
        return losses.sum(), float(len(outputs))

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
                never=self.never, draws=EVALUATION_DRAWS, longest=self.data.longest,
            )
            for begin in range(0, X.shape[0], BLOCK)
        ]  # fmt: skip
        return ranking_quality(Y, np.concatenate(blocks))


def candidates_of(
    Y: CSR, drawn: torch.Generator, never: torch.Tensor, sampled: int
) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
    """Candidate labels of a batch, ascending, STOP last, and the corrections of their logits; None for all labels.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
        Labels of the batch; all are candidates.
    drawn : torch.Generator
    never : bool tensor, shape (L,)
        Labels that are never candidates.
    sampled : int
        Negative labels to sample; 0 for the full softmax.
    """
    if sampled == 0:
        return None, None
    device, stop = never.device, len(never)
    own = torch.from_numpy(np.append(np.unique(Y.indices).astype(np.int64), stop)).to(device)
    others = torch.unique(torch.randint(stop, (sampled,), generator=drawn)).to(device)
    others = others[~torch.isin(others, own) & ~never[others]]
    n_others = int((~never).sum()) - len(own) + 1
    candidates, order = torch.sort(torch.cat([own, others]))
    corrections = torch.zeros(len(candidates), device=device)
    if len(others):
        corrections[order >= len(own)] = float(np.log(max(1.0, n_others / len(others))))
    return candidates, corrections


SLACK = 4
"""Labels beyond the largest true number that re-sequencing emits at most; later ones would change little."""


def forced_outputs(
    network: ChainNetwork, X: Any, targets: torch.Tensor, drop: Dropout
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
    """Outputs of the network for whole sequences: targets (n, steps), -1 after the end.

    Returns
    -------
    outputs : tensor, shape (places, hidden)
        At every place that has a target.
    targets : tensor, shape (n, steps)
    place : two int64 tensors, shape (places,)
        Row and step of these places.
    """
    inputs = functional.pad(targets[:, :-1], (1, 0), value=network.stop).clamp(min=0)
    encoded = network.encode(X, drop)
    outputs, _ = network.states(encoded, inputs, network.first_state(encoded), drop)
    place = torch.nonzero(targets >= 0, as_tuple=True)
    return outputs[place], targets, place


def closed(targets: torch.Tensor, never: torch.Tensor, candidates: torch.Tensor | None = None) -> torch.Tensor:
    """Labels that are excluded at each step, bool, (n, steps, L + 1): emitted before, or never emitted."""
    n, steps = targets.shape
    first = torch.full((n, len(never) + 2), steps, dtype=torch.int32, device=targets.device)  # a last place for -1
    first[:, : len(never)].masked_fill_(never, -1)
    at = torch.arange(steps, dtype=torch.int32, device=targets.device)
    first.scatter_(1, torch.where(targets < 0, len(never) + 1, targets), at.expand(n, steps))
    first = first[:, :-1] if candidates is None else first[:, candidates]
    return at[None, :, None] > first[:, None, :]


def remaining(Y: CSR, rows: torch.Tensor, shut: torch.Tensor, candidates: torch.Tensor | None) -> torch.Tensor:
    """Labels of Y that are still to be emitted at each place; STOP where there are none.

    Parameters
    ----------
    Y : csr_matrix, shape (n, L)
    rows : int64 tensor, shape (places,)
    shut : bool tensor, shape (places, L + 1) or (places, candidates)
        Labels that are excluded at each place.
    candidates : int64 tensor or None

    Returns
    -------
    bool tensor, of the shape of ``shut``
    """
    labels = Y if candidates is None else Y[:, candidates[:-1].cpu().numpy()]
    truth = functional.pad(torch.from_numpy(labels.toarray() > 0), (0, 1)).to(shut.device)
    found = truth[rows] & ~shut
    found[:, -1] = ~found.any(dim=1)
    return found


def positions(candidates: torch.Tensor | None, labels: torch.Tensor) -> torch.Tensor:
    """Positions of labels among the candidates."""
    return labels if candidates is None else torch.searchsorted(candidates, labels)


def ranking_quality(Y: CSR, scores: Any) -> float:
    """Mean of P@1, P@3, P@5, nDCG@3 and nDCG@5; measures with k > L are left out."""
    largest = min(5, Y.shape[1])
    report = evaluate(Y, top_k(scores, largest), ks=tuple(k for k in (1, 3, 5) if k <= largest))
    names = [name for name in ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5") if int(name[-1]) <= largest]
    return float(np.mean([float(report[name]) for name in names]))
