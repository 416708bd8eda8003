"""Warm-up: every label is trained independently before the chain is.

p(l | x) = σ(e V + v)_l        e, V and v are those of the chain (``network``); binary cross-entropy, no recurrence

An epoch takes about a quarter of the time of an epoch of the chain. A chain with warm-up ranks better: without it, each
label of an instance is a target at one of many steps only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import features
from ramify.chains.supervised import MEASURED, SMALLEST_SHARD, ChainData, candidates_of, ranking_quality
from ramify.torchloop import Shard, Task
from ramify.torchloop.batching import random_batches
from ramify.torchloop.randomness import generator
from ramify.values import Int64


class Shared(nn.Module):
    """The parameters of the network that the warm-up trains, shared with it.

    Parameters
    ----------
    network : ChainNetwork
    """

    def __init__(self, network: ChainNetwork) -> None:
        super().__init__()
        self.projection, self.projection_bias = network.projection, network.projection_bias
        self.output, self.output_bias = network.output, network.output_bias


class LabelwiseTask(Task):
    """A ``torchloop.Task``: binary cross-entropy of every label.

    Parameters
    ----------
    chain : ChainNetwork
    data : ChainData
    """

    draws_globally = False
    smallest_shard = SMALLEST_SHARD

    def __init__(self, chain: ChainNetwork, data: ChainData) -> None:
        self.chain, self.data = chain, data
        self.network = Shared(chain)
        self.never = torch.from_numpy(data.counts == 0).to(chain.output.device)

    def batches(self, epoch: int, size: int, rng: np.random.Generator) -> Sequence[Int64]:
        """See ``torchloop.Task``."""
        return random_batches(self.data.X.shape[0], size, rng)

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``torchloop.Task``: the binary cross-entropy and the number of instances."""
        data, chain = self.data, self.chain
        X, Y = features(data.X[shard.rows], chain.output), data.Y[shard.rows]
        drawn = generator(*shard.counters)
        candidates, corrections = candidates_of(Y, drawn, self.never, data.sampled)
        encoded = chain.encode(X, Dropout(drawn, data.dropout, data.feature_dropout))
        labels, weight = Y, None
        logits = chain.logits(encoded, candidates)[:, :-1]
        if candidates is not None and corrections is not None:  # each sampled label stands for many
            labels, weight = Y[:, candidates[:-1].cpu().numpy()], corrections[:-1].exp()
        targets = torch.from_numpy(labels.toarray() > 0).to(logits.device)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), targets.float(), weight, reduction="sum")
        return loss, float(len(shard.rows))

    def measure(self) -> float:
        """As ``SupervisedTask.measure``, for the scores of the independent labels."""
        if self.data.held is None:
            return float("nan")
        X, Y = (part[:MEASURED] for part in self.data.held)
        scores = self.chain.logits(self.chain.encode(features(X, self.chain.output)))[:, :-1]
        return ranking_quality(Y, scores.masked_fill(self.never, -torch.inf).cpu().numpy())
