"""Transformers over label trees: pretrained encoders as feature parts and as fine-tuned matchers.

``config``                     settings of an encoder; ``checkpoints``: its files; ``encoder``: the module and its state
``tokens``                     token ids; ``embedding``: token ids to vectors; ``cache``: vectors on disk
``vectorizer``                 an encoder as a vectorizer; ``distill``: static vectors from an encoder
``model``                      base of the estimators: fine-tune, embed, rank by XRLinear on [tf-idf | embedding]
``xr_transformer``             fine-tuning level by level; ``x_transformer``: one level; ``flat_transformer``: no tree
``multi_resolution``           the loop over levels; ``levels``: targets and linear models; ``shortlist``: active nodes
``level_task``, ``flat_task``  what a step computes; ``head``, ``losses``: the head of a level; ``fine_tuning``: the run

The package imports without torch. See also ``docs/transformers.md``.
"""

from ramify.transformers.distill import distilled
from ramify.transformers.flat_transformer import FlatTransformer
from ramify.transformers.vectorizer import Encoder
from ramify.transformers.x_transformer import XTransformer
from ramify.transformers.xr_transformer import XRTransformer

__all__ = ["Encoder", "FlatTransformer", "XRTransformer", "XTransformer", "distilled"]
