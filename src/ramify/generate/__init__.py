"""XLGen: labels written by a sequence-to-sequence model, guided by clusters of labels.

``xlgen``                      the estimator; ``fitting``: its training; ``serving``, ``answering``: its predictions
``with_tree``                  the estimator joined with a label tree
``base``, ``bcl``, ``mcg``     the three variants; ``examples``, ``task``: what they share in training
``label_tokens``, ``trie``     label names as token sequences, and which tokens may follow
``targets``, ``clusters``      target sequences and label clusters of the training
``network``, ``loading``       the network: an encoder-decoder, or an encoder with a new decoder; ``stored``: its state
``decoding``                   beam search; ``open_labels``: open strings matched to labels; ``spelling``: the others

The package imports without torch; what needs it raises ``MissingExtraError``.
"""

from ramify.generate.open_labels import Written
from ramify.generate.with_tree import XLGenWithTree
from ramify.generate.xlgen import XLGen

__all__ = ["Written", "XLGen", "XLGenWithTree"]
