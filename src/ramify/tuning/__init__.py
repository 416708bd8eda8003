"""Tuning: a search over models, their settings and features on held-out training documents (extra ``tune``)."""

from ramify.tuning.evidence import FIVE, MEAN, Estimate, Objective
from ramify.tuning.result import Trial, Tuned
from ramify.tuning.search import Limits, Standing, check_installed, tune
from ramify.tuning.settings import Settings

__all__ = [
    "FIVE",
    "MEAN",
    "Estimate",
    "Limits",
    "Objective",
    "Settings",
    "Standing",
    "Trial",
    "Tuned",
    "check_installed",
    "tune",
]
