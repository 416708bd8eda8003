"""Recurrent classifier chains: labels are emitted one after another, in an order that may depend on the input.

    Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz:
    Learning Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742.
    Jinseok Nam, Eneldo Loza Mencía, Hyunwoo J. Kim and Johannes Fürnkranz: Maximizing Subset Accuracy with Recurrent
    Neural Networks in Multi-label Classification. NIPS 2017, pages 5413-5423.

``order``                   label orders for training, re-sequencing among them
``network``                 the network; ``sequences``: its inputs; ``decoding``: scores and label sets from its outputs
``warmup``, ``supervised``  losses of the two training stages; ``stages`` runs them
``reinforced``              the policy gradient; ``rewards``: its rewards
``label_chain``, ``reinforced_chain``, ``composite``   the estimators; ``answering``: their prediction

The package imports without torch. See also ``docs/papers.md#classifier-chains-with-learnt-label-order``.
"""

from ramify.chains.composite import CompositeChain
from ramify.chains.label_chain import LabelChain
from ramify.chains.looking import ChainView, OrderStatistics, look, order_statistics
from ramify.chains.order import FixedOrder, FrequentFirst, FreshOrder, OwnOrder, RareFirst, Resequenced
from ramify.chains.reinforced_chain import ReinforcedChain

__all__ = [
    "ChainView",
    "CompositeChain",
    "FixedOrder",
    "FrequentFirst",
    "FreshOrder",
    "LabelChain",
    "OrderStatistics",
    "OwnOrder",
    "RareFirst",
    "ReinforcedChain",
    "Resequenced",
    "look",
    "order_statistics",
]
