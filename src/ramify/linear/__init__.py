"""One level of linear classifiers: targets, negatives, training, pruning."""

from ramify.linear.targets import NORMS, level_targets
from ramify.linear.training import KnownLeaves, TreeTrainer, TreeTrainingConfig

__all__ = ["NORMS", "KnownLeaves", "TreeTrainer", "TreeTrainingConfig", "level_targets"]
