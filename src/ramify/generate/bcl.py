"""XLGen-BCL, binary cluster learning: the clusters of the labels, a bit vector b, are an input besides the text.

H = encoder(x)                                     h = mean of H over the text's tokens
p(b_c = 1 | x) = σ(w_c·h + a_c)                    the cluster head
p(y | x, b) = decoder(y | [H ; e_c for b_c = 1])   one learned state e_c per cluster, behind those of the text
loss = -Σ_t log p(y_t | x, b, y_<t)  +  weight · T · BCE(p(b | x), b)        T target tokens; BCE: mean over clusters

Training uses the true clusters; prediction those with p > 0.5, at least the most probable one.

Taehee Jung, Joo-Kyung Kim, Sungjin Lee, Dongyeop Kang: Cluster-Guided Label Generation in Extreme Multi-Label
Classification. EACL 2023.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ramify.generate.base import Base
from ramify.generate.examples import Examples, Inputs
from ramify.generate.network import GenerationNetwork
from ramify.values import Int64

INITIAL = 0.02
"""Standard deviation of the initial states of the clusters: small beside those of a text, which lead at first."""


class ClusterGuide(nn.Module):
    """The cluster head and the states of the clusters.

    Parameters
    ----------
    width : int
        Length of the encoder's states.
    n_clusters : int
    """

    def __init__(self, width: int, n_clusters: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, n_clusters)
        self.states = nn.Embedding(n_clusters, width)
        nn.init.normal_(self.states.weight, std=INITIAL)

    def logits(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of the clusters, float32, shape (n, K)."""
        weights = mask.unsqueeze(-1).to(states)
        pooled = (states * weights).sum(1) / weights.sum(1)
        found: torch.Tensor = self.head(pooled)
        return found.float()

    def joined(self, states: torch.Tensor, mask: torch.Tensor, bits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States and mask of text and clusters; the mask of the clusters is the bit vector."""
        clusters = self.states.weight.to(states).expand(len(states), -1, -1)
        return torch.cat([states, clusters], dim=1), torch.cat([mask, bits.to(mask)], dim=1)


class BinaryClusters(Base):
    """The variant "bcl"."""

    GUIDED = True

    def prepare(self, network: GenerationNetwork) -> None:
        """See ``Base``."""
        network.guide = ClusterGuide(network.width, network.vocabulary.n_clusters)

    def loss(
        self, network: GenerationNetwork, examples: Examples, rows: Int64, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float]:
        """See ``Base``."""
        inputs = examples.inputs(rows)
        bits = inputs.given_bits()
        states = network.encode(inputs.ids, inputs.mask)
        joined, mask = _guide(network).joined(states, inputs.mask, bits)
        targets = examples.label_targets(rows, rng, network, joined, mask)
        n_targets = float((targets >= 0).sum())
        generation = network.sequence_loss(joined, mask, targets)
        clusters = functional.binary_cross_entropy_with_logits(_guide(network).logits(states, inputs.mask), bits)
        return generation + self.weight * n_targets * clusters, n_targets

    def states(self, network: GenerationNetwork, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``Base``."""
        states = network.encode(inputs.ids, inputs.mask)
        bits = inputs.bits
        if bits is None:
            logits = _guide(network).logits(states, inputs.mask)
            best = functional.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
            bits = (logits > 0) | best
        return _guide(network).joined(states, inputs.mask, bits)


def _guide(network: GenerationNetwork) -> ClusterGuide:
    guide: ClusterGuide = network.guide
    return guide
