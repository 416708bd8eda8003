"""Teaching a chain by rewards (PAPERS §6b): its actions are labels and STOP, its reward what they do for a measure.

R_t = Σ_{s ≥ t} reward_s                         what is still to be won
A_t = (R_t - b(z_t)) normalised over the batch   b is learned: a line in what the network says at the step
loss = -Σ A_t log p(l_t) - β Σ H_t + ½ Σ (R_t - b)² + γ · cross-entropy of the warm start's data

Sequences are drawn from the network with units dropped, and the same units are dropped while it learns from them: the
policy that is improved is the policy that acted (Williams 1992). With very many labels it acts among those of its batch
and a sample of the others, as the data does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ramify.chains.decoding import emit
from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import features
from ramify.chains.supervised import ChainData, SupervisedTask, among, candidates_of, closed, taught
from ramify.torchloop.environment import generator
from ramify.torchloop.task import Shard
from ramify.values import Float64, Int64


class ReinforcedTask(SupervisedTask):
    """A ``torchloop.Task``: policy gradient with a learned baseline.

    Parameters
    ----------
    network : ChainNetwork
        Warm: it was taught by targets before.
    data : ChainData
    order : Order
        Of the targets that keep a share in the loss.
    reward : callable
        One of ``rewards``.
    entropy : float
        β.
    anchor : float
        γ; 0 for none.
    samples : int
        Sequences drawn per instance.
    """

    def __init__(
        self,
        network: ChainNetwork,
        data: ChainData,
        order: Any,
        *,
        reward: Callable[[Float64, Float64, Float64], Float64],
        entropy: float,
        anchor: float,
        samples: int,
    ) -> None:
        super().__init__(network, data, order)
        self.reward, self.entropy, self.anchor, self.samples = reward, entropy, anchor, samples

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``torchloop.Task``: policy, entropy and baseline, and the number of actions."""
        loss, actions = self._policy_loss(shard)
        if self.anchor > 0:
            supervised, targets = super().loss(shard)
            loss = loss + self.anchor * supervised * (actions / max(1.0, targets))
        return loss, actions

    def _policy_loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        data, network = self.data, self.network
        rows = np.repeat(shard.rows, self.samples)
        X, Y = features(data.X[rows], network.output), data.Y[rows]
        candidates, _ = candidates_of(Y, generator(*shard.counters, 3), self.never, data.sampled)
        drop = Dropout(generator(*shard.counters, 1), data.dropout, data.feature_dropout)
        emitted = emit(
            network, X, never=self.never, longest=data.longest,
            candidates=candidates, drop=drop, generator=generator(*shard.counters, 2),
        )  # fmt: skip
        targets = torch.from_numpy(_with_stop(emitted, network.stop, data.longest)).to(network.output.device)
        told, _, place = taught(network, X, targets, drop)
        logits = network.logits(told, candidates)
        logits = logits.masked_fill_(closed(targets, self.never, candidates)[place], -torch.inf)
        log_p = torch.log_softmax(logits.float(), dim=1)
        returns = torch.from_numpy(self._returns(Y, emitted, targets.shape[1])).to(log_p)[place]
        baseline = network.value(told.detach()).float()[:, 0]
        advantage = returns - baseline.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-6)
        chosen = log_p.gather(1, among(candidates, targets[place])[:, None])[:, 0]
        entropy = -(log_p.exp() * log_p.masked_fill(torch.isinf(log_p), 0)).sum()
        loss = -(advantage * chosen).sum() - self.entropy * entropy + 0.5 * ((returns - baseline) ** 2).sum()
        return loss, float(len(chosen))

    def _returns(self, Y: Any, emitted: Int64, steps: int) -> Float64:
        truth = Y.toarray() > 0
        n_true = truth.sum(axis=1).astype(np.float64)
        emits = np.zeros((len(emitted), steps))
        emits[:, : emitted.shape[1]] = emitted >= 0
        hits = np.zeros_like(emits)
        hits[:, : emitted.shape[1]] = (emitted >= 0) & np.take_along_axis(truth, np.maximum(emitted, 0), axis=1)
        rewards = self.reward(hits, emits, n_true)
        return np.ascontiguousarray(np.flip(np.cumsum(np.flip(rewards, 1), axis=1), 1))


def _with_stop(emitted: Int64, stop: int, longest: int) -> Int64:
    """Sequences with the STOP that ended them; those that were cut at the longest have none."""
    lengths = (emitted >= 0).sum(axis=1)
    targets = np.pad(emitted, ((0, 0), (0, 1)), constant_values=-1)
    ended = lengths < longest
    targets[np.flatnonzero(ended), lengths[ended]] = stop
    return targets
