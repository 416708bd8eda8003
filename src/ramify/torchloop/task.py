"""What a system gives to the loop: a network, batches, the loss of a shard of a batch, and a held-out measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ramify.values import Int64

if TYPE_CHECKING:
    import torch

    from ramify.torchloop.processes import Processes


@dataclass(frozen=True)
class Shard:
    """A part of a batch; it does not depend on the number of threads.

    Parameters
    ----------
    rows : int64 array
        Instances.
    counters : tuple of int
        Seed, epoch, batch and number of the shard, from which its random numbers are drawn (``randomness``).
    """

    rows: Int64
    counters: tuple[int, ...]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate and a weight decay.

    Parameters
    ----------
    parameters : sequence of Parameter
    learning_rate, weight_decay : float, optional
        None: that of ``LoopConfig``. Warm-up and decay apply to all groups.
    """

    parameters: Sequence[torch.nn.Parameter]
    learning_rate: float | None = None
    weight_decay: float | None = None


def without_decay_of_vectors(
    parameters: Iterable[torch.nn.Parameter], learning_rate: float | None = None
) -> list[ParameterGroup]:
    """Two groups: matrices with the usual weight decay; vectors (biases, normalisation layers) without."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    return [ParameterGroup(matrices, learning_rate), ParameterGroup(vectors, learning_rate, weight_decay=0.0)]


class Task(ABC):
    """Base of the ways to train a network.

    Attributes
    ----------
    network : Module
        Its parameters with ``requires_grad`` are trained. A forward pass must not change it: shards run in parallel.
    smallest_shard : int
        A batch is split for parallel threads only as far as each shard has this many instances.
    draws_globally : bool
        Whether the network draws from torch's global generator, as modules with dropout do. False saves the
        interception of torch's operations.
    recomputes : bool
        Whether backward passes recompute activations (gradient checkpointing). If so, and if the network draws
        globally, shards run one after another.
    """

    network: torch.nn.Module
    smallest_shard: int = 16
    draws_globally: bool = True
    recomputes: bool = False

    @abstractmethod
    def batches(self, epoch: int, size: int, rng: np.random.Generator) -> Sequence[Int64]:
        """Row numbers of each batch of an epoch (see ``batching``); a function of the arguments only.

        Parameters
        ----------
        epoch : int
        size : int
            ``LoopConfig.batch_size``.
        rng : Generator
            Seeded by seed and epoch.
        """

    @abstractmethod
    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """Sum of the loss over a shard, and its number of targets, by whose sum over the batch the loss is divided.

        Parameters
        ----------
        shard : Shard
        """

    def measure(self) -> float:
        """Quality of the network on held-out instances, larger is better; NaN without held-out instances.

        The loop calls it without gradients and with the network in evaluation mode.
        """
        return float("nan")

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """Groups that contain every trained parameter once."""
        return [ParameterGroup([parameter for parameter in self.network.parameters() if parameter.requires_grad])]

    def after_step(self, rows: Int64, rate: float, processes: Processes) -> None:  # noqa: B027 - optional
        """Update tensors that are not parameters of ``network``, such as the rows of a large head that a batch uses.

        The loop calls it after each update of the parameters, on the thread that called ``train``. The update must be a
        function of the batch and of the state before the step, and the same in all processes.

        Parameters
        ----------
        rows : int64 array
            The instances of the batch, of all processes.
        rate : float
            Factor of the learning rate of this step by warm-up and decay, 0 to 1.
        processes : Processes
            For sums over the processes.
        """

    def own_state(self) -> Mapping[str, torch.Tensor]:
        """The tensors that ``after_step`` changes, by name: a checkpoint contains them."""
        return {}
