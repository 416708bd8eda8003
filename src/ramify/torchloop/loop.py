"""The loop itself: epochs of batches, each batch in shards, gradients summed in a fixed order, one step of AdamW.

    g = Σ_shards ∇ loss(shard) / Σ_shards targets        clipped; AdamW with warm-up and falling rate
    after each epoch: measure on held-out instances, keep the best, stop without progress, write a checkpoint

The same for every system on torch and, on a CPU, the same to the bit for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.torchloop.config import LoopConfig
from ramify.torchloop.environment import Environment
from ramify.torchloop.events import History, OnEvent
from ramify.torchloop.task import Shard, Task
from ramify.values import Int64

if TYPE_CHECKING:
    import torch

    from ramify.torchloop.state import RunState

SHARDS, SMALLEST_SHARD = 4, 32
"""Parts of a batch at most, and what a part is worth the trouble for: so many threads can be of use within one step."""


def train(
    task: Task,
    config: LoopConfig,
    environment: Environment,
    *,
    progress: Callable[[float], None] | None = None,
    on_event: OnEvent | None = None,
    checkpoint: tuple[Path, dict[str, Any]] | None = None,
) -> History:
    """Train a task's network; it ends with the parameters of its best epoch.

    Parameters
    ----------
    task : Task
        Brings network, batches, loss and measure.
    config : LoopConfig
    environment : Environment
        Open.
    progress : callable, optional
        Told the share done.
    on_event : callable, optional
        Told of each epoch.
    checkpoint : (Path, dict), optional
        Where to keep the state of the run, and what identifies it; a run that finds its state there goes on from it.

    Returns
    -------
    History
    """
    from ramify.torchloop.checkpoint import resume, save_checkpoint
    from ramify.torchloop.state import RunState

    state = RunState(task.network, config)
    if checkpoint is not None:
        resume(checkpoint[0], state, checkpoint[1])
    tell = progress or (lambda done: None)
    while len(state.events) < config.epochs and state.stale < config.patience:
        loss = _epoch(task, state, environment, tell)
        state.swap_average()
        event = state.close_epoch(loss, task.measure())
        state.swap_average()
        if checkpoint is not None:
            save_checkpoint(checkpoint[0], state, checkpoint[1])
        if on_event is not None:
            on_event(event)
    state.keep_best()
    tell(1.0)
    return History(tuple(state.events))


def _epoch(task: Task, state: RunState, environment: Environment, tell: Callable[[float], None]) -> float:
    config, epoch = state.config, len(state.events)
    batches = task.batches(epoch, np.random.default_rng([config.seed, epoch]))
    total, count = 0.0, 0.0
    for step, rows in enumerate(batches):
        done = epoch + step / len(batches)
        tell(done / config.epochs)
        shards = _shards(rows, (config.seed, epoch, step))
        parts = environment.map(lambda shard: _gradients(task, state, shard, environment), shards)
        targets = max(1e-9, sum(part[2] for part in parts))
        state.step(
            _means([part[0] for part in parts], targets),
            done / config.epochs,
            (step + 1) / len(batches) if epoch == 0 else 1.0,
        )
        total, count = total + sum(part[1] for part in parts), count + targets
    return total / max(1e-9, count)


def _means(shards: list[list[torch.Tensor]], targets: float) -> list[torch.Tensor]:
    """Sums over the shards, in their order, by the number of targets: made in place of the first shard's gradients."""
    first, *others = shards
    seen: set[int] = set()
    means = []
    for gradient in first:
        means.append(gradient.clone() if gradient.data_ptr() in seen else gradient)  # autograd may give one twice
        seen.add(gradient.data_ptr())
    for number, mean in enumerate(means):
        for shard in others:
            mean.add_(shard[number])
        mean.div_(targets)
    return means


def _shards(rows: Int64, counters: tuple[int, ...]) -> list[Shard]:
    """Instances in turn: batches are often sorted by length, and shards should take equally long."""
    count = max(1, min(SHARDS, len(rows) // SMALLEST_SHARD))
    return [Shard(rows[start::count], (*counters, start)) for start in range(count)]


def _gradients(
    task: Task, state: RunState, shard: Shard, environment: Environment
) -> tuple[list[torch.Tensor], float, float]:
    import torch

    with environment.mixed_precision():
        loss, targets = task.loss(shard)
    found = torch.autograd.grad(loss, state.parameters, allow_unused=True)
    gradients = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(state.parameters, found, strict=True)
    ]
    return gradients, float(loss.detach()), targets
