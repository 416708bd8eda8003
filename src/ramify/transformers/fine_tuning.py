"""What all ways of fine-tuning share: encoder, token ids, held-out instances, settings of the loop, checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ramify.exchange import CheckedTraining
from ramify.torchloop import (
    Checkpoint,
    Environment,
    History,
    LoopConfig,
    ParameterGroup,
    Shard,
    Task,
    train,
    without_decay_of_vectors,
)
from ramify.torchloop.batching import batches_by_cost
from ramify.torchloop.checkpoint import fingerprint
from ramify.torchloop.processes import Processes
from ramify.transformers.embedding import embedded
from ramify.transformers.encoder import TextEncoder
from ramify.transformers.tokens import Tokens
from ramify.values import Float32, Int64

MEASURED = 256
"""Largest number of held-out instances."""

FEWEST_HELD = 8
"""Fewer held-out instances are not held out."""


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """A run: data, encoder and settings.

    Parameters
    ----------
    training : CheckedTraining
    encoder : TextEncoder
        It is trained in place.
    tokens : Tokens
        Of the training texts.
    environment : Environment
        Open, shared with the other processes.
    loops : tuple of LoopConfig
        Settings of each stage; their seed is that of the run.
    rest, held : int64 arrays
        Instances to train on, and held-out ones.
    checkpoint : Path or None
        Directory of the checkpoints of the stages.
    identity : dict
        JSON values that distinguish runs.
    """

    training: CheckedTraining
    encoder: TextEncoder
    tokens: Tokens
    environment: Environment
    loops: tuple[LoopConfig, ...]
    rest: Int64
    held: Int64
    checkpoint: Path | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)

    def embeddings(self, rows: Int64 | None = None) -> Float32:
        """Embeddings of length 1 of some instances, all when None: float32, shape (len(rows), width)."""
        self.training.report("embed", 0.0)
        tokens = self.tokens if rows is None else self.tokens.take(rows)
        found = embedded(
            self.encoder, tokens, self.environment, report_progress=lambda done: self.training.report("embed", done)
        )
        self.training.report("embed", 1.0)
        return found

    def stage_rows(self, stage: int) -> Int64:
        """The instances of a stage, ascending: those to train on, or as many as its steps can use."""
        loop = self.loops[stage]
        most = (loop.steps or 0) * loop.batch_size * self.environment.processes.count
        if most >= len(self.rest):
            return self.rest
        return np.sort(np.random.default_rng([loop.seed, stage]).choice(self.rest, most, replace=False))

    def stage_checkpoint(self, stage: int) -> Checkpoint | None:
        """The checkpoint of a stage; None without a directory."""
        if self.checkpoint is None:
            return None
        return Checkpoint(self.checkpoint / f"stage-{stage}", {"stage": stage, **self.identity})

    def steps_done(self, stage: int) -> int:
        """Number of steps of a stage in its checkpoint; 0 without one."""
        checkpoint = self.stage_checkpoint(stage)
        return 0 if checkpoint is None else checkpoint.steps_done()

    def is_finished(self, stage: int) -> bool:
        """Whether the checkpoint of a stage has all of its steps."""
        return self.steps_done(stage) >= (self.loops[stage].steps or 0)

    def train(self, task: EncoderTask, stage: int) -> History:
        """Train the encoder on a task; ``stage`` counts from 0."""
        steps = [loop.steps or 0 for loop in self.loops]

        def progress(done: float) -> None:
            self.training.report("fine-tune", (sum(steps[:stage]) + done * steps[stage]) / sum(steps))

        checkpoint = self.stage_checkpoint(stage)
        return train(task, self.loops[stage], self.environment, progress=progress, checkpoint=checkpoint)


def held_out(n: int, share: float, seed: int) -> tuple[Int64, Int64]:
    """Numbers of the instances to train on and of the held-out ones, both ascending."""
    count = min(MEASURED, int(n * share))
    count = count if count >= FEWEST_HELD else 0
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[count:]), np.sort(order[:count])


def identity_of(training: CheckedTraining, network: torch.nn.Module, settings: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values that distinguish runs: settings, data, and the weights of a network before the run."""
    digest = hashlib.sha256()
    for text in training.texts or ():
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    weights = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        weights.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    data = fingerprint(*(matrix for matrix in (training.X, training.Y) if matrix is not None))
    return {"settings": dict(settings), "data": data, "texts": digest.hexdigest(), "encoder": weights.hexdigest()}


class EncoderTask(Task):
    """Base of the tasks: the encoder is the network, a head outside of it is updated after each step.

    A subclass implements ``head_loss``, ``update_head`` and ``measured``.

    Parameters
    ----------
    run : FineTuning
    rows : int64 array
        Instances to train on.
    """

    def __init__(self, run: FineTuning, rows: Int64) -> None:
        self.run, self.rows = run, rows
        self.network = run.encoder.to(run.environment.device)
        self.device = run.environment.device
        self._seen: dict[int, torch.Tensor] = {}

    def head_loss(self, embeddings: torch.Tensor, shard: Shard) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of the loss over a shard, differentiable with respect to its embeddings, and the inputs of the head.

        Parameters
        ----------
        embeddings : float32 tensor, shape (n, width)
            Of length 1.
        shard : Shard
        """
        raise NotImplementedError

    def update_head(self, inputs: torch.Tensor, rows: Int64, rate: float) -> None:
        """Update the head for a batch.

        Parameters
        ----------
        inputs : float32 tensor, shape (n, width)
            Inputs of the head for the instances of the batch.
        rows : int64 array, shape (n,)
        rate : float
            Factor of the learning rate, 0 to 1.
        """
        raise NotImplementedError

    def measured(self, embeddings: torch.Tensor) -> float:
        """Quality of the head's ranking of the held-out instances, given their embeddings."""
        raise NotImplementedError

    def batches(self, epoch: int, size: int, rng: np.random.Generator) -> list[Int64]:
        """See ``Task``: batches of texts of similar length."""
        return [self.rows[batch] for batch in batches_by_cost(self.run.tokens.lengths[self.rows], size, rng)]

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``Task``: sum of the loss over instances, and their number."""
        ids, mask = self.run.tokens.padded(shard.rows)
        vectors = self.network(ids.to(self.device), mask.to(self.device))
        embeddings = functional.normalize(vectors.float(), dim=1)
        with torch.autocast(self.device.type, enabled=False):
            loss, inputs = self.head_loss(embeddings, shard)
        self._seen.update(zip(shard.rows.tolist(), inputs.detach(), strict=True))
        return loss, float(len(shard.rows))

    def after_step(self, rows: Int64, rate: float, processes: Processes) -> None:
        """See ``Task``: update the head with the inputs of the whole batch, which all processes collect."""
        missing = torch.zeros(self.run.encoder.width, device=self.device)
        inputs = torch.stack([self._seen.get(row, missing) for row in rows.tolist()])
        self._seen.clear()
        processes.sum([inputs])
        self.update_head(inputs, rows, rate)

    def parameter_groups(self) -> list[ParameterGroup]:
        """See ``Task``: no decay of biases and normalisation layers."""
        return [group for group in without_decay_of_vectors(self.network.parameters()) if len(group.parameters)]

    def measure(self) -> float:
        """See ``Task``."""
        if len(self.run.held) == 0:
            return float("nan")
        embeddings = embedded(self.run.encoder, self.run.tokens.take(self.run.held), self.run.environment)
        return self.measured(torch.from_numpy(embeddings).to(self.device))
