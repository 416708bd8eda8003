"""One level of linear classifiers: targets, negatives, training, pruning."""

from ramify.linear.targets import NORMS, level_targets
from ramify.linear.training import KnownLeaves, TrainingConfig, TreeTrainer

__all__ = ["NORMS", "KnownLeaves", "TrainingConfig", "TreeTrainer", "level_targets"]
