"""Open a model and predict for batches of documents; used by the command line and by services."""

from ramify.answering.opening import model_format, open_tagger
from ramify.answering.predictor import Answer, Predictor, Tag, refuse_beside_rule

__all__ = ["Answer", "Predictor", "Tag", "model_format", "open_tagger", "refuse_beside_rule"]
