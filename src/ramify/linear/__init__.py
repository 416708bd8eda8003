"""One level of linear classifiers: targets, negatives, training, pruning."""

from ramify.linear.targets import level_targets
from ramify.linear.training import TrainingConfig, TreeTrainer

__all__ = ["TrainingConfig", "TreeTrainer", "level_targets"]
