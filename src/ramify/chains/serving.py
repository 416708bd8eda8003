"""How a chain that is taught answers: blocks of instances, side by side, by a network in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify.chains.answers import ChainAnswers
from ramify.chains.sequences import Features, features
from ramify.chains.stored import network_arrays, stored_network
from ramify.checks import thread_count, whole_number
from ramify.torchloop import Environment, require_torch
from ramify.values import CSR, Float32, Float64, Int64

if TYPE_CHECKING:
    import torch

    from ramify.chains.decoding import Decoded
    from ramify.chains.network import ChainNetwork

Made = TypeVar("Made")
BLOCK_ENTRIES = 4_000_000
"""Numbers (instances × sequences × labels) per block of a search."""


class ServedChain(ChainAnswers):
    """Base of the chain that has parameters: it brings settings and ``fit``."""

    draws: int
    device: str
    threads: int | None
    arrays_: dict[str, Float32]
    label_counts_: Int64
    longest_: int

    def chains(self, X: Any, *, beam: int = 1) -> list[list[int]]:
        """The labels of each instance in the order in which the chain emits them, up to its own STOP.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
        beam : int, default 1
            With 1 the chain takes the most probable step each time. With more the most probable sequence that a search
            of so many beams finds is given: as a set may come in many orders, that can be a shorter one.
        """
        check_is_fitted(self)
        X, beam = self._features(X), whole_number("beam", beam, 1, 10_000)
        call = self._emitted if beam == 1 else lambda network, block: self._searched(network, block, beam).labels
        found = [labels.tolist() for _, labels in self._by_block(X, beam, call)]
        return [[label for label in row if label >= 0] for rows in found for row in rows]

    def predict_sets(self, X: Any, *, beam: int = 1) -> CSR:
        """0/1 matrix, shape (n, L): the labels of ``chains``. No threshold: the chain says itself when to stop."""
        rows = self.chains(X, beam=beam)
        indptr = np.cumsum([0, *(len(row) for row in rows)])
        indices = np.array([label for row in rows for label in row], np.int32)
        found = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), self.n_labels_))
        found.sort_indices()
        return found

    def step_probabilities(self, X: CSR, emitted: list[int]) -> Float64:
        """Probabilities of all labels and STOP before each step of a sequence, shape (steps, L + 1); for one instance.

        Steps are the labels and, where the sequence may go on no longer, the STOP.
        """
        from ramify.chains.decoding import probabilities

        environment, X = Environment(self.device, 1), self._features(X)
        with environment.open():
            network = self._serving(environment)
            return probabilities(network, features(X, network.output), emitted, self._never(network))

    def _scores(self, X: CSR) -> Iterator[tuple[int, Float32]]:
        """Blocks of scores (rows, L) with the number of their first row."""
        self.check_settings()
        unseen = self.label_counts_ == 0
        for begin, scores in self._by_block(X, self.draws, self._ranked):
            scores[:, unseen] = -np.inf
            yield begin, scores

    def _by_block(
        self, X: CSR, parallel: int, call: Callable[[ChainNetwork, Features], Made]
    ) -> Iterator[tuple[int, Made]]:
        """Answers to blocks of instances, so many sequences each, with the number of their first row."""
        size = int(max(1, min(512, BLOCK_ENTRIES // (parallel * (self.n_labels_ + 1)))))
        starts = range(0, X.shape[0], size)
        environment = Environment(self.device, thread_count(self.threads))
        network = self._serving(environment)
        step = 2 * environment.threads
        for first in range(0, len(starts), step):
            group = list(starts[first : first + step])
            with environment.open():  # never while the caller has its turn
                found = environment.map(
                    lambda begin: call(network, features(X[begin : begin + size], network.output)), group
                )
            yield from zip(group, found, strict=True)

    def _ranked(self, network: ChainNetwork, X: Features) -> Float32:
        from ramify.chains.decoding import marginals

        return marginals(network, X, never=self._never(network), draws=self.draws, longest=self.longest_)

    def _searched(self, network: ChainNetwork, X: Features, beam: int) -> Decoded:
        from ramify.chains.decoding import decode

        return decode(network, X, never=self._never(network), beam=beam, longest=self.longest_)

    def _emitted(self, network: ChainNetwork, X: Features) -> Int64:
        from ramify.chains.decoding import emit

        return emit(network, X, never=self._never(network), longest=self.longest_)

    def _never(self, network: ChainNetwork) -> torch.Tensor:
        import torch

        return torch.from_numpy(self.label_counts_ == 0).to(network.output.device)

    def network(self, device: Any = "cpu") -> ChainNetwork:
        """A copy of the network in float32, to go on teaching."""
        check_is_fitted(self)
        return stored_network(self.arrays_, self._sizes(), device).float().train().requires_grad_(True)

    def _serving(self, environment: Environment) -> ChainNetwork:
        """The network in float64, made when it is first asked."""
        kept = self.__dict__.get("_network")
        if kept is None or kept[0] != environment.device:
            require_torch(f"{type(self).__name__} and other systems on torch")
            kept = (environment.device, stored_network(self.arrays_, self._sizes(), environment.device))
            self.__dict__["_network"] = kept
        network: ChainNetwork = kept[1]
        return network

    def _sizes(self) -> dict[str, int]:
        sizes = {"n_features": self.n_features_in_, "n_labels": self.n_labels_}
        return sizes | {"embedding": self.embedding_, "hidden": self.hidden_}

    @property
    def n_parameters_(self) -> int:
        """Numbers that training has learnt."""
        return sum(array.size for array in self.arrays_.values())

    @property
    def embedding_(self) -> int:
        """Width of the labels' vectors, as fitted."""
        return int(self.arrays_["embedding"].shape[1])

    @property
    def hidden_(self) -> int:
        """Width of the states, as fitted."""
        return int(self.arrays_["output"].shape[1])

    def set_network(self, network: ChainNetwork) -> None:
        """Answer by this network from now on."""
        self.arrays_ = network_arrays(network)
        self.__dict__.pop("_network", None)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}
