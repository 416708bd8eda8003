"""Training of a generator: a ``torchloop.Task`` over the examples of a variant, measured by F1 of generated sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ramify.generate.base import Base
from ramify.generate.examples import Examples
from ramify.generate.network import GenerationNetwork
from ramify.torchloop import ParameterGroup, Shard, Task, without_decay_of_vectors
from ramify.torchloop.batching import batches_by_cost
from ramify.values import Int64


@dataclass(frozen=True)
class Rates:
    """Learning rates: of the pretrained parameters, and of the new ones."""

    pretrained: float
    new: float


class GenerationTask(Task):
    """See ``torchloop.Task``.

    Parameters
    ----------
    network : GenerationNetwork
    variant : Base
    examples : Examples
    rates : Rates
    held_out_quality : callable, optional
        Quality of the network on held-out instances.
    """

    network: GenerationNetwork
    smallest_shard = 16

    def __init__(
        self,
        network: GenerationNetwork,
        variant: Base,
        examples: Examples,
        rates: Rates,
        held_out_quality: Callable[[], float] | None = None,
    ) -> None:
        self.network, self.variant, self.examples = network, variant, examples
        self.rates, self.held_out_quality = rates, held_out_quality

    def batches(self, epoch: int, size: int, rng: np.random.Generator) -> Sequence[Int64]:
        """See ``Task``: examples whose inputs and targets are of similar length."""
        lengths = self.examples.tokens.lengths + self.examples.label_lengths()
        return batches_by_cost(np.tile(lengths, self.variant.TASKS), size, rng)

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``Task``: sum of the loss and number of target tokens."""
        return self.variant.loss(self.network, self.examples, shard.rows, np.random.default_rng(shard.counters))

    def parameter_groups(self) -> list[ParameterGroup]:
        """See ``Task``."""
        pretrained, new = self.network.pretrained_parameters()
        groups = [
            *without_decay_of_vectors(pretrained, self.rates.pretrained),
            *without_decay_of_vectors(new, self.rates.new),
        ]
        return [group for group in groups if len(group.parameters)]

    def measure(self) -> float:
        """See ``Task``."""
        return float("nan") if self.held_out_quality is None else self.held_out_quality()
