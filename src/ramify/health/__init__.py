"""The state of labelled data before training: sizes, label frequencies, duplicates, names, languages."""

from ramify.health.data_health import DataHealth
from ramify.health.inspection import inspect_data

__all__ = ["DataHealth", "inspect_data"]
