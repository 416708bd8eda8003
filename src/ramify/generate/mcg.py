"""XLGen-MCG, multi-task cluster generation: one model learns two tasks, mixed 1:1.

text                      →  cluster tokens                    first the clusters
text and cluster tokens   →  labels                            then the labels, with the true clusters in training

Prediction generates the clusters of a text, appends their tokens to it, and generates the labels.

Taehee Jung, Joo-Kyung Kim, Sungjin Lee, Dongyeop Kang: Cluster-Guided Label Generation in Extreme Multi-Label
Classification. EACL 2023.
"""

from __future__ import annotations

import numpy as np
import torch

from ramify.generate.base import Base
from ramify.generate.decoding import Grammar, generate
from ramify.generate.examples import Examples, Inputs
from ramify.generate.label_tokens import LabelTokens
from ramify.generate.network import GenerationNetwork
from ramify.generate.trie import Trie
from ramify.values import Int64

MOST_CLUSTERS = 32
"""Largest number of clusters of an instance, the most frequent ones; the encoder's input has so many more places."""


def cluster_tokens(n_clusters: int) -> int:
    """Largest number of tokens of a sequence of clusters: one for each, and one behind it."""
    return 2 * min(max(1, n_clusters), MOST_CLUSTERS)


class ClusterGeneration(Base):
    """The variant "mcg"."""

    GUIDED = True
    TASKS = 2

    def loss(
        self, network: GenerationNetwork, examples: Examples, rows: Int64, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float]:
        """See ``Base``: examples up to n - 1 are of the labels, those from n on of the clusters."""
        of_labels = rows < len(examples)
        loss, n_targets = torch.zeros((), device=examples.device), 0.0
        if of_labels.any():
            instances = rows[of_labels]
            inputs = with_clusters(network, examples.inputs(instances))
            states = network.encode(inputs.ids, inputs.mask)
            targets = examples.label_targets(instances, rng, network, states, inputs.mask)
            loss = loss + network.sequence_loss(states, inputs.mask, targets)
            n_targets += float((targets >= 0).sum())
        if not of_labels.all():
            instances = rows[~of_labels] - len(examples)
            inputs = examples.inputs(instances, with_clusters=False)
            targets = examples.cluster_sequences(instances)
            loss = loss + network.sequence_loss(network.encode(inputs.ids, inputs.mask), inputs.mask, targets)
            n_targets += float((targets >= 0).sum())
        return loss, n_targets

    def states(self, network: GenerationNetwork, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``Base``: two steps."""
        if inputs.bits is None:
            inputs = Inputs(inputs.ids, inputs.mask, generated_clusters(network, inputs))
        joined = with_clusters(network, inputs)
        return network.encode(joined.ids, joined.mask), joined.mask


def generated_clusters(network: GenerationNetwork, inputs: Inputs) -> torch.Tensor:
    """The clusters that the model generates, token by token: float32, shape (n, K)."""
    n_clusters = network.vocabulary.n_clusters
    trie = Trie.of(LabelTokens.single(network.vocabulary.first_cluster, n_clusters))
    states = network.encode(inputs.ids, inputs.mask)
    found = generate(network, states, inputs.mask, Grammar(network, trie), beam=1, most=cluster_tokens(n_clusters))
    bits = torch.zeros((len(found), n_clusters), device=states.device)
    for row, sequences in enumerate(found):
        bits[row, [int(trie.labels[rank]) for one in sequences[:1] for rank in one.labels]] = 1
    return bits


def with_clusters(network: GenerationNetwork, inputs: Inputs) -> Inputs:
    """The input ids of texts followed by those of their clusters; at most ``MOST_CLUSTERS`` of each."""
    ids, mask = inputs.ids.cpu().numpy(), inputs.mask.cpu().numpy()
    bits = inputs.given_bits().cpu().numpy() > 0
    bits &= np.cumsum(bits, axis=1) <= MOST_CLUSTERS
    lengths, counts = mask.sum(axis=1), bits.sum(axis=1)
    joined = np.full((len(ids), int((lengths + counts).max())), int(network.fill_input), np.int64)
    place = np.arange(joined.shape[1])
    joined[place < lengths[:, None]] = ids[mask > 0]
    rows, clusters = np.nonzero(bits)
    joined[rows, (lengths[:, None] + np.cumsum(bits, axis=1) - 1)[rows, clusters]] = (
        network.first_cluster_input + clusters
    )
    full = (place < (lengths + counts)[:, None]).astype(np.int64)
    device = inputs.ids.device
    return Inputs(torch.from_numpy(joined).to(device), torch.from_numpy(full).to(device), inputs.bits)
