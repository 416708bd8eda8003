"""The state of a training run between two epochs: parameters, AdamW's moments, running average, best parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ramify.torchloop.config import LoopConfig
from ramify.torchloop.events import EpochEnd

LAST_SHARE = 0.05
"""Of the learning rate, that is left at the end."""


class RunState:
    """What changes while a network is trained.

    Parameters
    ----------
    network : Module
    config : LoopConfig
    """

    def __init__(self, network: torch.nn.Module, config: LoopConfig) -> None:
        self.names = [name for name, _ in network.named_parameters()]
        self.parameters: list[torch.Tensor] = [parameter for _, parameter in network.named_parameters()]
        self.config = config
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.average = [parameter.detach().clone() for parameter in self.parameters] if config.average else []
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.best_measure, self.stale = -math.inf, 0
        self.events: list[EpochEnd] = []

    def step(self, gradients: Sequence[torch.Tensor], share: float, warm: float) -> None:
        """One step of AdamW.

        Parameters
        ----------
        gradients : tensors
            Of all parameters, in their order.
        share : float
            Of the whole run, that is done.
        warm : float
            Of the warm-up, that is done; 1 afterwards.
        """
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip, foreach=True)
        rate = self.config.learning_rate * min(1.0, warm) * (1 - (1 - LAST_SHARE) * share)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            with torch.no_grad():
                steps = self.optimizer.state[self.parameters[0]]["step"].item()
                decay = min(self.config.average, steps / (steps + 9))
                torch._foreach_lerp_(self.average, self.parameters, 1 - decay)

    @torch.no_grad()
    def swap_average(self) -> None:
        """Exchange parameters and running average, where there is one."""
        for parameter, average in zip(self.parameters, self.average, strict=False):
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)

    @torch.no_grad()
    def close_epoch(self, loss: float, measure: float) -> EpochEnd:
        """Take note of an epoch's measure; keep its parameters, as they are now, where it is the best."""
        best = not measure <= self.best_measure  # without a measure (NaN) the last epoch is the best
        self.stale = 0 if best else self.stale + 1
        if best:
            self.best_measure = -math.inf if math.isnan(measure) else measure
            for kept, parameter in zip(self.best, self.parameters, strict=True):
                kept.copy_(parameter)
        event = EpochEnd(len(self.events), loss, measure, best)
        self.events.append(event)
        return event

    @torch.no_grad()
    def keep_best(self) -> None:
        """Give the network the parameters of the best epoch."""
        for kept, parameter in zip(self.best, self.parameters, strict=True):
            parameter.copy_(kept)

    def arrays(self) -> dict[str, Any]:
        """Everything as arrays by name."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._tensors().items()}

    @torch.no_grad()
    def restore(self, arrays: dict[str, Any], events: list[EpochEnd], stale: int, best_measure: float) -> None:
        """What ``arrays`` gave, and the rest of a checkpoint."""
        for parameter in self.parameters:
            if not self.optimizer.state[parameter]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                self.optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name])).reshape(tensor.shape))
        self.events, self.stale, self.best_measure = events, stale, best_measure

    def _tensors(self) -> dict[str, torch.Tensor]:
        groups: dict[str, Sequence[torch.Tensor]] = {"parameters": self.parameters, "best": self.best}
        if self.average:
            groups["average"] = self.average
        for part in ("step", "exp_avg", "exp_avg_sq"):
            groups[part] = [self.optimizer.state[parameter][part] for parameter in self.parameters]
        return {
            f"{group}/{name}": tensor
            for group, tensors in groups.items()
            for name, tensor in zip(self.names, tensors, strict=True)
        }
