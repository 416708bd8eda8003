"""Open a model and answer batches of documents: what the command line and services share."""

from ramify.answering.opening import model_format, open_tagger
from ramify.answering.predictor import Answer, Predictor, Tag

__all__ = ["Answer", "Predictor", "Tag", "model_format", "open_tagger"]
