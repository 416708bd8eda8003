"""Recurrent classifier chains: labels emitted one after another, in an order that may depend on the input (PAPERS §6).

``order``      in which order labels are taught, re-sequencing among them
``network``    the network; ``sequences`` what it reads; ``decoding`` what is made of what it says
``supervised`` and ``reinforced`` two ways to teach it, ``rewards`` what the second one is after
``label_chain``, ``reinforced_chain`` and ``composite`` the estimators

The package imports without torch.
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
