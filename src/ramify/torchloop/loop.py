"""The training loop, which is the same for every system on torch: a ``Task`` brings network, data, loss and measure.

    g = Σ_shards ∇ loss(shard) / Σ_shards targets(shard)      clipped, then one step of AdamW

A batch is split into shards in a way that depends on its size only; their gradients are added in a fixed order. On a
CPU, the result is therefore the same, bit for bit, for any number of threads, and after any number of interruptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ramify.errors import InputError, RamifyError
from ramify.torchloop.checkpoint import Checkpoint
from ramify.torchloop.config import LoopConfig
from ramify.torchloop.environment import Environment
from ramify.torchloop.events import History, OnEvent
from ramify.torchloop.task import Shard, Task
from ramify.values import Int64

if TYPE_CHECKING:
    import torch

    from ramify.torchloop.state import RunState

MOST_SHARDS = 4
"""Largest number of shards of a batch on a CPU, unless ``micro_batch`` asks for more."""


def train(
    task: Task,
    config: LoopConfig,
    environment: Environment,
    *,
    progress: Callable[[float], None] | None = None,
    on_event: OnEvent | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train the network of a task; it ends with the parameters of the best evaluation.

    Parameters
    ----------
    task : Task
    config : LoopConfig
    environment : Environment
        Open, with ``shared=True`` if several processes train together; the network is on its device.
    progress : callable, optional
        Called with the share done, 0 to 1, before each step.
    on_event : callable, optional
        Called with each ``Evaluation``, after the checkpoint that includes it.
    checkpoint : Checkpoint, optional
        Where the state of the run is kept; a run that finds its state there continues from it.

    Returns
    -------
    History

    Raises
    ------
    InputError
        The checkpoint of another run, or an epoch without batches.
    RamifyError
        The loss is not finite.
    """
    import torch

    from ramify.torchloop.state import RunState

    report_progress = progress or (lambda done: None)
    processes = environment.processes
    state = RunState(task, config)
    if checkpoint is not None:
        checkpoint.restore(state)
    while not state.is_finished():
        epoch, first = state.position.epoch, state.position.batch
        batches = task.batches(epoch, config.batch_size * processes.count, np.random.default_rng([config.seed, epoch]))
        n_batches = len(batches)
        if first >= n_batches:
            raise InputError(f"epoch {epoch} has {n_batches} batches, but batch {first} is next: check the data")
        for number in range(first, n_batches):
            before = state.done(n_batches)
            report_progress(before / config.budget)
            task.network.train()
            counters = (config.seed, epoch, number)
            gradients, loss, targets = _batch_gradients(task, state, batches[number], counters, environment)
            state.advance(n_batches, loss, targets)
            after = state.done(n_batches)
            state.update(gradients, before, after)
            task.after_step(batches[number], config.rate(1.0, before, after), processes)
            event = None
            if state.evaluation_is_due():
                task.network.eval()
                with state.averaged(), torch.no_grad():
                    event = state.record(processes.of_first(task.measure(), environment.device))
            if checkpoint is not None and (event is not None or state.checkpoint_is_due()):
                if processes.rank == 0:
                    checkpoint.save(state)
                processes.wait()
            if event is not None and on_event is not None:
                on_event(event)
            if state.is_finished():
                break
    state.keep_best()
    task.network.eval()
    report_progress(1.0)
    return History(tuple(state.evaluations))


def _batch_gradients(
    task: Task, state: RunState, rows: Int64, counters: tuple[int, ...], environment: Environment
) -> tuple[list[torch.Tensor], float, float]:
    """Mean gradient per target over a batch, its summed loss, and its number of targets."""
    import torch

    gradients: list[torch.Tensor] = []
    loss, targets = 0.0, 0.0
    processes = environment.processes
    for part, part_loss, part_targets in _shard_gradients(task, state, rows, counters, environment):
        if gradients:
            torch._foreach_add_(gradients, part)
        else:
            gradients = _writable(part)
        loss, targets = loss + part_loss, targets + part_targets
    if not gradients:  # fewer shards than processes
        gradients = [torch.zeros_like(parameter) for parameter in state.parameters]
    processes.sum(gradients)
    loss, targets = processes.total([loss, targets], environment.device)
    if not math.isfinite(loss):
        step = state.position.step + 1
        raise RamifyError(f"the training loss of step {step} is {loss}: lower learning_rate or lengthen the warm-up")
    torch._foreach_div_(gradients, max(1e-9, targets))
    return gradients, loss, targets


def _shard_gradients(
    task: Task, state: RunState, rows: Int64, counters: tuple[int, ...], environment: Environment
) -> Iterator[tuple[list[torch.Tensor], float, float]]:
    """Gradient, loss and targets of each shard in turn; no more gradients are in memory than there are threads."""
    shards = _shards(task, state.config, rows, counters, environment)
    parallel = 1 if task.draws_globally and task.recomputes else environment.threads
    own = environment.processes.own(shards)
    for first in range(0, len(own), parallel):
        yield from environment.map(
            lambda shard: _gradient(task, state, shard, environment), own[first : first + parallel]
        )


def _shards(
    task: Task, config: LoopConfig, rows: Int64, counters: tuple[int, ...], environment: Environment
) -> list[Shard]:
    """Every n-th instance each: batches may be sorted by length, and shards should take equally long."""
    most = MOST_SHARDS if environment.device.type == "cpu" else 1
    count = max(1, min(most, len(rows) // task.smallest_shard))
    count = max(count, environment.processes.count)
    if config.micro_batch is not None:
        count = max(count, math.ceil(len(rows) / config.micro_batch))
    return [Shard(rows[start::count], (*counters, start)) for start in range(min(count, len(rows)))]


def _gradient(
    task: Task, state: RunState, shard: Shard, environment: Environment
) -> tuple[list[torch.Tensor], float, float]:
    import torch

    from ramify.torchloop.randomness import forward_draws, no_backward_draws, seeded_draws

    device = environment.device
    with seeded_draws(task, shard, device):
        with forward_draws(task, shard, device), environment.autocast():
            loss, targets = task.loss(shard)
        with no_backward_draws(task, shard, device):
            found = torch.autograd.grad(loss, state.parameters, allow_unused=True)
    gradients = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(state.parameters, found, strict=True)
    ]
    return gradients, float(loss.detach()), float(targets)


def _writable(gradients: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients that can be added to in place: autograd may return one tensor twice, or an expanded one."""
    import torch

    seen: set[int] = set()
    writable = []
    for gradient in gradients:
        alone = gradient.is_contiguous() and gradient.data_ptr() not in seen
        writable.append(gradient if alone else gradient.clone(memory_format=torch.contiguous_format))
        seen.add(gradient.data_ptr())
    return writable
