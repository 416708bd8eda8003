"""One training loop for every system on torch. A system gives a ``Task``; the loop contains no model.

``loop``         the loop; ``state``: what a step changes; ``checkpoint``: its storage
``config``       settings; ``environment``: device, threads, precision; ``processes``: several processes or machines
``task``         the base class of tasks; ``batching``: random batches; ``randomness``: reproducible draws
``events``       evaluations and their history

The package imports without torch; what needs it raises ``MissingExtraError``.
"""

from ramify.torchloop.checkpoint import Checkpoint
from ramify.torchloop.config import LoopConfig
from ramify.torchloop.environment import Environment, require_torch
from ramify.torchloop.events import Evaluation, History, OnEvent
from ramify.torchloop.loop import train
from ramify.torchloop.task import ParameterGroup, Shard, Task, without_decay_of_vectors

__all__ = [
    "Checkpoint",
    "Environment",
    "Evaluation",
    "History",
    "LoopConfig",
    "OnEvent",
    "ParameterGroup",
    "Shard",
    "Task",
    "require_torch",
    "train",
    "without_decay_of_vectors",
]
