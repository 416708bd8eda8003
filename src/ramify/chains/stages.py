"""Training of a LabelChain in two stages: the warm-up, then the chain.

The warm-up trains every label independently (``warmup``); the chain is trained after it, with teacher forcing
(``supervised``). This module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ramify.chains.network import ChainNetwork, Shape
from ramify.chains.order import order_of
from ramify.chains.supervised import ChainData, SupervisedTask
from ramify.chains.warmup import LabelwiseTask
from ramify.torchloop import Environment, History, OnEvent, train
from ramify.torchloop.randomness import generator

if TYPE_CHECKING:
    from ramify.chains.label_chain import LabelChain

WARMUP_COST = 0.2
"""Time of a warm-up epoch relative to an epoch of the chain, estimated; used for the progress bar only."""

RATE_AFTER_WARMUP = 0.3
"""Factor of the chain's learning rate after a warm-up."""


def warmed_up(
    chain: LabelChain,
    data: ChainData,
    environment: Environment,
    report_progress: Callable[[float], None],
    on_event: OnEvent | None,
) -> ChainNetwork:
    """A new network after the warm-up; parameters as in ``train_stages``."""
    shape = Shape(
        n_features=data.X.shape[1], n_labels=data.Y.shape[1], embedding=int(chain.embedding), hidden=int(chain.hidden)
    )
    network = ChainNetwork(shape, environment.device, generator(data.seed))
    if chain.warmup > 0:
        train(
            LabelwiseTask(network, data),
            replace(chain.loop_config(data.seed), epochs=chain.warmup),
            environment,
            progress=report_progress,
            on_event=on_event,
            checkpoint=chain.checkpoint_for("warmup", data),
        )
    return network


def train_stages(
    chain: LabelChain,
    data: ChainData,
    environment: Environment,
    report_progress: Callable[[float], None],
    on_event: OnEvent | None,
    start: ChainNetwork | None = None,
) -> tuple[ChainNetwork, History]:
    """Train a network with the settings of a chain.

    Parameters
    ----------
    chain : LabelChain
        Its settings have been checked.
    data : ChainData
    environment : Environment
        Open, shared with the other processes.
    report_progress : callable
        Called with the share done, 0 to 1.
    on_event : callable, optional
        Called after each evaluation of either stage.
    start : ChainNetwork, optional
        A network after its warm-up; it is trained further. None: a new one.

    Returns
    -------
    ChainNetwork
    History
        Of the second stage.
    """
    config = chain.loop_config(data.seed)
    warmup_cost = chain.warmup * WARMUP_COST
    share = 0.0 if start is not None else warmup_cost / (warmup_cost + chain.epochs)
    network = start or warmed_up(chain, data, environment, lambda done: report_progress(share * done), on_event)
    if chain.warmup > 0:
        config = replace(config, learning_rate=chain.learning_rate * RATE_AFTER_WARMUP)
    history = train(
        SupervisedTask(network, data, order_of(chain.order, data.seed)),
        config,
        environment,
        progress=lambda done: report_progress(share + (1 - share) * done),
        on_event=on_event,
        checkpoint=chain.checkpoint_for("supervised", data),
    )
    return network, history
