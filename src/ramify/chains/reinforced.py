"""Policy gradient for a chain: its actions are labels and STOP, the reward of an action is its gain in a measure.

R_t = Σ_{s ≥ t} reward_s                         return of step t
A_t = (R_t - b(z_t)) normalised over the shard   advantage; the baseline b is a trained linear function of z_t
loss = -Σ A_t log p(l_t) - β Σ H_t + ½ Σ (R_t - b)² + γ · supervised cross-entropy

H_t is the entropy of the policy. Sequences are sampled with dropout, and the same units are dropped in the update: the
policy that is updated is the policy that acted (Williams: Simple Statistical Gradient-Following Algorithms for
Connectionist Reinforcement Learning. Machine Learning 8:229-256, 1992). With thousands of labels, the actions are the
labels of the batch and sampled negatives, as in ``supervised``.

Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz: Learning
Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742. The baseline, the
entropy bonus and the supervised term are choices of this implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ramify.chains.decoding import emit
from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import features
from ramify.chains.supervised import ChainData, SupervisedTask, candidates_of, closed, forced_outputs, positions
from ramify.torchloop import Shard
from ramify.torchloop.randomness import generator
from ramify.values import Float64, Int64


class ReinforcedTask(SupervisedTask):
    """A ``torchloop.Task``: policy gradient with a learned baseline.

    Parameters
    ----------
    network : ChainNetwork
        Trained with supervision before.
    data : ChainData
    order : Order
        Label order of the supervised term.
    reward : callable
        One of ``rewards``.
    entropy : float
        β.
    anchor : float
        γ; 0 for none.
    samples : int
        Sequences sampled per instance.
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
        """See ``torchloop.Task``: the loss of the module's equation and the number of actions."""
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
        outputs, _, place = forced_outputs(network, X, targets, drop)
        logits = network.logits(outputs, candidates)
        logits = logits.masked_fill_(closed(targets, self.never, candidates)[place], -torch.inf)
        log_p = torch.log_softmax(logits.float(), dim=1)
        returns = torch.from_numpy(self._returns(Y, emitted, targets.shape[1])).to(log_p)[place]
        baseline = network.value(outputs.detach()).float()[:, 0]
        advantage = returns - baseline.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-6)
        chosen = log_p.gather(1, positions(candidates, targets[place])[:, None])[:, 0]
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
    """Append STOP to sequences; those that have the largest length have none."""
    lengths = (emitted >= 0).sum(axis=1)
    targets = np.pad(emitted, ((0, 0), (0, 1)), constant_values=-1)
    ended = lengths < longest
    targets[np.flatnonzero(ended), lengths[ended]] = stop
    return targets
