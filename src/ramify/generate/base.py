"""XLGen-base: text → labels.

loss = -Σ_t log p(y_t | x, y_<t)           the labels of an instance as one sequence (``targets``)

Taehee Jung, Joo-Kyung Kim, Sungjin Lee, Dongyeop Kang: Cluster-Guided Label Generation in Extreme Multi-Label
Classification. EACL 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ramify.generate.examples import Examples, Inputs
from ramify.generate.network import GenerationNetwork
from ramify.values import Int64


@dataclass(frozen=True)
class Base:
    """The variant without clusters; the others are its subclasses.

    Parameters
    ----------
    weight : float, default 1
        Weight of a loss of clusters, where there is one.
    """

    weight: float = 1.0

    TASKS = 1
    """Examples that each instance gives in an epoch."""

    GUIDED = False
    """Whether the variant uses clusters."""

    def prepare(self, network: GenerationNetwork) -> None:
        """Add what the variant trains besides the sequence-to-sequence model."""

    def loss(
        self, network: GenerationNetwork, examples: Examples, rows: Int64, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float]:
        """Sum of the loss over examples, and their number of target tokens.

        Parameters
        ----------
        network : GenerationNetwork
        examples : Examples
        rows : int64 array
            Examples, from 0 to ``TASKS`` · n - 1: example e is of instance e modulo n.
        rng : Generator
            Of a random order.
        """
        inputs = examples.inputs(rows, with_clusters=False)
        states = network.encode(inputs.ids, inputs.mask)
        targets = examples.label_targets(rows, rng, network, states, inputs.mask)
        return network.sequence_loss(states, inputs.mask, targets), float((targets >= 0).sum())

    def states(self, network: GenerationNetwork, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """What the decoder of labels attends to: states, shape (n, t, width), and mask, shape (n, t).

        Parameters
        ----------
        network : GenerationNetwork
            In evaluation mode.
        inputs : Inputs
            With the true clusters as ``bits``, the upper bound of the guidance is found.
        """
        return network.encode(inputs.ids, inputs.mask), inputs.mask
