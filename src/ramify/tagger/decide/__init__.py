"""From scores to decisions: calibrated probabilities, and label sets by rules that are fitted on held-out documents."""

from ramify.tagger.decide.calibration import Calibration
from ramify.tagger.decide.evidence import Evidence
from ramify.tagger.decide.fitting import fit_rule
from ramify.tagger.decide.reliability import Reliability, reliability

__all__ = ["Calibration", "Evidence", "Reliability", "fit_rule", "reliability"]
