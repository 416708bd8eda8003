"""One training loop for every system on torch: what differs between them is a ``Task``, never the loop.

The package itself imports without torch; whatever needs it says so by ``MissingExtraError``.
"""

from ramify.training.config import TrainingConfig
from ramify.training.environment import Environment, require_torch
from ramify.training.events import EpochEnd, History, OnEvent
from ramify.training.loop import train
from ramify.training.task import Task

__all__ = ["Environment", "EpochEnd", "History", "OnEvent", "Task", "TrainingConfig", "require_torch", "train"]
