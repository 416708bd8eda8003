"""Transformers over label trees: pretrained encoders as feature parts and as fine-tuned matchers.

``config``       settings of an encoder; ``checkpoints``: its files; ``encoder``: the module and its state
``tokens``       token ids; ``embedding``: token ids to vectors; ``cache``: vectors on disk
``vectorizer``   an encoder as a vectorizer; ``distill``: static vectors from an encoder

The package imports without torch.
"""

from ramify.transformers.distill import distilled
from ramify.transformers.vectorizer import Encoder

__all__ = ["Encoder", "distilled"]
