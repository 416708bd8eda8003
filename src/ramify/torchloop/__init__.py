"""One training loop for every system on torch: what differs between them is a ``Task``, never the loop.

The package itself imports without torch; whatever needs it says so by ``MissingExtraError``.
"""

from ramify.torchloop.config import LoopConfig
from ramify.torchloop.environment import Environment, require_torch
from ramify.torchloop.events import EpochEnd, History, OnEvent
from ramify.torchloop.loop import train
from ramify.torchloop.task import Task

__all__ = ["Environment", "EpochEnd", "History", "LoopConfig", "OnEvent", "Task", "require_torch", "train"]
