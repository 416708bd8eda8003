"""State of a training run between two steps: position, parameters, AdamW's moments, average and best parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ramify.errors import InputError
from ramify.torchloop.config import LoopConfig
from ramify.torchloop.events import Evaluation
from ramify.torchloop.task import ParameterGroup, Task


@dataclass
class Position:
    """Place in the data, and what has accumulated since the last evaluation.

    Parameters
    ----------
    epoch, batch : int
        Next batch.
    step : int
        Steps done.
    loss, targets : float
        Sums over the steps since the last evaluation.
    stale : int
        Evaluations since the best one.
    best_measure : float
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss: float = 0.0
    targets: float = 0.0
    stale: int = 0
    best_measure: float = -math.inf

    def to_json(self) -> dict[str, str]:
        """All fields as strings, because JSON has no infinity."""
        return {name: repr(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, fields: dict[str, str]) -> Position:
        """What ``to_json`` wrote; TypeError, ValueError or KeyError for anything else."""
        usual = asdict(cls())
        return cls(**{name: type(usual[name])(value) for name, value in fields.items()})


class RunState:
    """What changes while a network is trained.

    Parameters
    ----------
    task : Task
    config : LoopConfig
    """

    def __init__(self, task: Task, config: LoopConfig) -> None:
        trained = {name: value for name, value in task.network.named_parameters() if value.requires_grad}
        groups = task.parameter_groups()
        _check_groups(trained, groups)
        self.task = task
        self.names = list(trained)
        self.parameters: list[torch.Tensor] = list(trained.values())
        self.config = config
        self.optimizer = torch.optim.AdamW(
            [_options(group, config) for group in groups if len(group.parameters)], fused=True
        )
        self.average = [parameter.detach().clone() for parameter in self.parameters] if config.average else []
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.position = Position()
        self.evaluations: list[Evaluation] = []

    def budget_is_spent(self) -> bool:
        """Whether all steps or epochs are done."""
        done = self.position.step if self.config.epochs is None else self.position.epoch
        return done >= self.config.budget

    def is_finished(self) -> bool:
        """Whether the budget is spent, or the patience."""
        return self.budget_is_spent() or self.position.stale >= self.config.patience

    def evaluation_is_due(self) -> bool:
        """Whether the step that was done last is followed by an evaluation."""
        every = self.config.evaluate_every
        due = self.position.batch == 0 if every is None else self.position.step % every == 0
        return due or self.budget_is_spent()

    def checkpoint_is_due(self) -> bool:
        """Whether the step that was done last is followed by a checkpoint even without an evaluation."""
        every = self.config.checkpoint_every
        return every is not None and self.position.step % every == 0

    def done(self, n_batches: int) -> float:
        """Steps or epochs done, in the unit of the budget, given the number of batches of this epoch."""
        position = self.position
        return position.step if self.config.epochs is None else position.epoch + position.batch / n_batches

    def advance(self, n_batches: int, loss: float, targets: float) -> None:
        """Count a step, and its loss and targets; after the last batch the next epoch begins."""
        position = self.position
        position.step, position.batch = position.step + 1, position.batch + 1
        position.loss, position.targets = position.loss + loss, position.targets + targets
        if position.batch == n_batches:
            position.epoch, position.batch = position.epoch + 1, 0

    def update(self, gradients: Sequence[torch.Tensor], before: float, after: float) -> None:
        """One step of AdamW with clipped gradients (of all parameters, in their order), then the running average.

        The step is from ``before`` to ``after``, in the unit of the budget; ``advance`` has counted it.
        """
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(group["full_rate"], before, after)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            steps = self.position.step
            decay = min(self.config.average, steps / (steps + 9))
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the network has the running average as its parameters, if there is one."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for parameter, average in zip(self.parameters, self.average, strict=False):
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)

    @torch.no_grad()
    def record(self, measure: float) -> Evaluation:
        """Add an evaluation to the history; keep a copy of the present parameters if its measure is the best."""
        position = self.position
        best = not measure <= position.best_measure  # without a measure (NaN) the last evaluation is the best
        position.stale = 0 if best else position.stale + 1
        if best:
            position.best_measure = -math.inf if math.isnan(measure) else measure
            for kept, parameter in zip(self.best, self.parameters, strict=True):
                kept.copy_(parameter)
        epoch = position.epoch - 1 if position.batch == 0 else position.epoch
        loss = position.loss / max(1e-9, position.targets)
        position.loss = position.targets = 0.0
        self.evaluations.append(Evaluation(epoch, position.step, loss, measure, best))
        return self.evaluations[-1]

    @torch.no_grad()
    def keep_best(self) -> None:
        """Give the network the parameters of the best evaluation."""
        for kept, parameter in zip(self.best, self.parameters, strict=True):
            parameter.copy_(kept)

    def arrays(self) -> dict[str, Any]:
        """All tensors of the state as arrays by name."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._tensors().items()}

    @torch.no_grad()
    def restore(self, arrays: dict[str, Any], position: Position, evaluations: list[Evaluation]) -> None:
        """Continue from the state of a checkpoint; KeyError or RuntimeError if the arrays do not fit."""
        for parameter in self.parameters:
            if not self.optimizer.state[parameter]:
                moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                self.optimizer.state[parameter] = {"step": torch.tensor(0.0, device=parameter.device), **moments}
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name])).reshape(tensor.shape))
        self.position, self.evaluations = position, evaluations

    def _tensors(self) -> dict[str, torch.Tensor]:
        parts: dict[str, Sequence[torch.Tensor]] = {"parameters": self.parameters, "best": self.best}
        if self.average:
            parts["average"] = self.average
        for part in ("step", "exp_avg", "exp_avg_sq"):
            parts[part] = [self.optimizer.state[parameter][part] for parameter in self.parameters]
        named = {
            f"{part}/{name}": tensor
            for part, tensors in parts.items()
            for name, tensor in zip(self.names, tensors, strict=True)
        }
        return named | {f"own/{name}": tensor for name, tensor in self.task.own_state().items()}


def _options(group: ParameterGroup, config: LoopConfig) -> dict[str, Any]:
    rate = config.learning_rate if group.learning_rate is None else group.learning_rate
    decay = config.weight_decay if group.weight_decay is None else group.weight_decay
    return {"params": list(group.parameters), "lr": rate, "full_rate": rate, "weight_decay": decay}


def _check_groups(trained: dict[str, torch.nn.Parameter], groups: Sequence[ParameterGroup]) -> None:
    """InputError unless every trained parameter is in exactly one group."""
    given = [id(parameter) for group in groups for parameter in group.parameters]
    for name, parameter in trained.items():
        if given.count(id(parameter)) != 1:
            raise InputError(
                f"parameter {name} is in {given.count(id(parameter))} parameter groups, but must be in exactly one"
            )
    if len(given) != len(trained):
        raise InputError("the parameter groups have parameters that are not trained: leave these out")
