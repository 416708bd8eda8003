"""Models on a hub such as Hugging Face: upload with a model card, verified download (extra ``hub``).

``place`` reaches a repository and turns the errors of ``huggingface_hub`` into sentences of ramify, ``pushing`` and
``pulling`` move the two files of a model directory, and ``card`` writes the model card.
"""

from ramify.hub.card import CardOptions, model_card, read_report
from ramify.hub.place import Place
from ramify.hub.pulling import from_pretrained, pull
from ramify.hub.pushing import Pushed, push, push_tagger

__all__ = [
    "CardOptions",
    "Place",
    "Pushed",
    "from_pretrained",
    "model_card",
    "pull",
    "push",
    "push_tagger",
    "read_report",
]
