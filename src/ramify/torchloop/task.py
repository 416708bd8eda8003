"""What a system brings to the loop: a network, batches, a loss per shard of a batch, and a held-out measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ramify.values import Int64

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shard:
    """A part of a batch, the same whatever the number of threads.

    Parameters
    ----------
    rows : int64 array
        Instances.
    counters : tuple of int
        Seed, epoch, step and number of the shard: what its random numbers come from.
    """

    rows: Int64
    counters: tuple[int, ...]


class Task(Protocol):
    """One way to train one network."""

    @property
    def network(self) -> torch.nn.Module:
        """What is trained."""
        ...

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Int64]:
        """Row numbers per step of an epoch."""
        ...

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """The sum of the loss over a shard, and the number of targets that it is divided by, over the whole batch."""
        ...

    def measure(self) -> float:
        """How good the network is on held-out instances, larger is better; NaN where none are held out."""
        ...
