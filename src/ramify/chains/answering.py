"""Prediction by a trained chain: a network in float64 is applied to blocks of instances, which run in parallel.

float64 makes the float32 results of an instance independent of the batch that it is part of. This module imports
without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import scipy.sparse as sp

from ramify.chains.sequences import Features, features
from ramify.chains.stored import stored_network
from ramify.torchloop import Environment, require_torch
from ramify.values import CSR, Float32, Float64, Int64

if TYPE_CHECKING:
    import torch

    from ramify.chains.network import ChainNetwork

Result = TypeVar("Result")
BLOCK_ENTRIES = 4_000_000
"""Largest number of values (instances × sequences × labels) per block."""
BLOCK_ROWS = 512


@dataclass(frozen=True)
class PredictionNetwork:
    """A trained network and what prediction needs beside it.

    Parameters
    ----------
    network : ChainNetwork
        In float64; its parameters take no gradient.
    never : bool tensor, shape (L,)
        Labels without a training instance, which are never emitted.
    longest : int
        Largest number of labels per sequence.
    """

    network: ChainNetwork
    never: torch.Tensor
    longest: int


def prediction_network(
    arrays: Mapping[str, Float32], label_counts: Int64, longest: int, device: torch.device
) -> PredictionNetwork:
    """Load the arrays of a trained chain on a device.

    Parameters
    ----------
    arrays : mapping of str to float32 array
        Parameters of the network by name.
    label_counts : int64 array, shape (L,)
        Training instances per label.
    longest : int
    device : torch.device

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    require_torch("prediction by classifier chains")
    import torch

    network = stored_network(arrays, device)
    return PredictionNetwork(network, torch.from_numpy(label_counts == 0).to(device), longest)


def scores_by_block(
    chain: PredictionNetwork, X: CSR, draws: int, environment: Environment
) -> Iterator[tuple[int, Float32]]:
    """Scores of all labels, a float32 block of shape (rows, L) at a time, with the number of its first row.

    Parameters
    ----------
    chain : PredictionNetwork
    X : csr_matrix, shape (n, d)
    draws : int
        Sequences per instance.
    environment : Environment

    Yields
    ------
    int, float32 array of shape (rows, L)
        -inf for labels without a training instance.
    """
    from ramify.chains.decoding import marginals

    unseen = chain.never.cpu().numpy()

    def ranked(block: Features) -> Float32:
        return marginals(chain.network, block, never=chain.never, draws=draws, longest=chain.longest)

    for begin, scores in _by_block(chain, X, draws, ranked, environment):
        scores[:, unseen] = -np.inf
        yield begin, scores


def emitted_labels(chain: PredictionNetwork, X: CSR, beam: int, environment: Environment) -> list[list[int]]:
    """The labels of each instance in the order of emission, STOP excluded.

    Parameters
    ----------
    chain : PredictionNetwork
    X : csr_matrix, shape (n, d)
    beam : int
        1 takes the most probable label at each step; more take the best sequence of a beam search of this width.
    environment : Environment
    """
    from ramify.chains.decoding import decode, emit

    def greedy(block: Features) -> Int64:
        return emit(chain.network, block, never=chain.never, longest=chain.longest)

    def searched(block: Features) -> Int64:
        return decode(chain.network, block, never=chain.never, beam=beam, longest=chain.longest).labels

    blocks = _by_block(chain, X, beam, greedy if beam == 1 else searched, environment)
    return [[label for label in row if label >= 0] for _, labels in blocks for row in labels.tolist()]


def step_probabilities(chain: PredictionNetwork, x: CSR, emitted: list[int], environment: Environment) -> Float64:
    """Probabilities of all labels and STOP before each step of one instance's sequence, shape (steps, L + 1)."""
    from ramify.chains.decoding import probabilities

    with environment.open():
        return probabilities(chain.network, features(x, chain.network.output), emitted, chain.never)


def set_matrix(rows: list[list[int]], n_labels: int) -> CSR:
    """Label sets as a 0/1 matrix, float32, shape (n, L)."""
    indptr = np.cumsum([0, *(len(row) for row in rows)])
    indices = np.array([label for row in rows for label in row], np.int32)
    found = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), n_labels))
    found.sort_indices()
    return found


def _by_block(
    chain: PredictionNetwork, X: CSR, parallel: int, call: Callable[[Features], Result], environment: Environment
) -> Iterator[tuple[int, Result]]:
    """Results of ``call`` for blocks of instances of ``parallel`` sequences each, and the first row of each block."""
    size = max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // (parallel * (len(chain.never) + 1))))
    starts = range(0, X.shape[0], size)
    group_size = 2 * environment.threads
    for first in range(0, len(starts), group_size):
        group = list(starts[first : first + group_size])
        with environment.open():  # closed again before each yield: the caller's code runs with torch's own settings
            found = environment.map(lambda begin: call(features(X[begin : begin + size], chain.network.output)), group)
        yield from zip(group, found, strict=True)
