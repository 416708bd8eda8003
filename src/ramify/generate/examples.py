"""Training examples of a generator: token ids of texts, target sequences, and the clusters of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ramify.errors import InputError, RamifyError
from ramify.generate.decoding import Grammar, generate
from ramify.generate.network import GenerationNetwork
from ramify.generate.targets import Targets
from ramify.generate.trie import Trie
from ramify.transformers.tokens import Tokens
from ramify.values import CSR, Int64


@dataclass(frozen=True, eq=False)
class Inputs:
    """The encoder's input for n instances.

    Parameters
    ----------
    ids, mask : int64 tensors, shape (n, t)
        See ``Tokens.padded``.
    bits : float32 tensor, shape (n, K), optional
        The clusters of the labels: the true ones in training; None: those that the network predicts.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    bits: torch.Tensor | None = None

    def given_bits(self) -> torch.Tensor:
        """The clusters; RamifyError without them, which is a defect of the caller."""
        if self.bits is None:
            raise RamifyError("the clusters of the inputs are not set: report this defect")
        return self.bits


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """The training instances.

    Parameters
    ----------
    tokens : Tokens
        Of n texts.
    Y : csr_matrix, shape (n, L)
        Labels.
    counts : int64 array, shape (L,)
        Training instances of each label.
    order : Order
        Of the labels of a target (``chains.order``).
    targets : Targets
    clusters : csr_matrix, shape (n, K)
        Clusters of the labels of each instance; K = 0 without clusters.
    cluster_targets : Targets
    device : torch.device
    """

    tokens: Tokens
    Y: CSR
    counts: Int64
    order: Any
    targets: Targets
    clusters: CSR
    cluster_targets: Targets
    device: torch.device

    def __len__(self) -> int:
        return len(self.tokens)

    def label_lengths(self) -> Int64:
        """Tokens of the labels of each instance, int64, shape (n,)."""
        rows = np.repeat(np.arange(self.Y.shape[0]), np.diff(self.Y.indptr))
        lengths = self.targets.tokens.lengths[self.Y.indices] + 1
        return np.bincount(rows, lengths, minlength=self.Y.shape[0]).astype(np.int64)

    def inputs(self, rows: Int64, *, with_clusters: bool = True) -> Inputs:
        """The texts of instances, with their true clusters."""
        ids, mask = self.tokens.padded(rows)
        bits = torch.from_numpy(self.clusters[rows].toarray()) if with_clusters else None
        return Inputs(ids.to(self.device), mask.to(self.device), None if bits is None else bits.to(self.device))

    def label_targets(
        self,
        rows: Int64,
        rng: np.random.Generator,
        network: GenerationNetwork,
        states: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """Target sequences of the labels: int64 tensor, shape (n, steps).

        Parameters
        ----------
        rows : int64 array, shape (n,)
        rng : Generator
            Of a random order.
        network : GenerationNetwork
        states, mask : tensors
            What the decoder attends to; the network's own order is generated from them.

        Raises
        ------
        InputError
            An order that does not give one key per label.
        """
        Y = self.Y[rows]
        if hasattr(self.order, "follow"):
            keys = self.order.follow(Y, self._emitted(network, states.detach(), mask, Y), rng)
        else:
            keys = np.asarray(self.order.keys(Y, self.counts, rng), np.float64)
        if keys.shape != (Y.nnz,):
            raise InputError(f"the order gives keys of shape {keys.shape}, but must give one per label: {(Y.nnz,)}")
        return torch.from_numpy(self.targets.sequences(Y, keys)).to(self.device)

    def _emitted(self, network: GenerationNetwork, states: torch.Tensor, mask: torch.Tensor, Y: CSR) -> Int64:
        """The labels that the network generates among those of a batch, in its own order, -1 after the last one."""
        trie = Trie.of(self.targets.tokens, np.unique(Y.indices).astype(np.int64))
        found = generate(network, states, mask, Grammar(network, trie), beam=1, most=self.targets.most)
        emitted = np.full((Y.shape[0], max(len(sequences[0].labels) for sequences in found)), -1, np.int64)
        for row, sequences in enumerate(found):
            emitted[row, : len(sequences[0].labels)] = trie.labels[list(sequences[0].labels)]
        return emitted

    @cached_property
    def _cluster_counts(self) -> Int64:
        """Instances of each cluster, shape (K,)."""
        return np.bincount(self.clusters.indices, minlength=self.clusters.shape[1]).astype(np.int64)

    def cluster_sequences(self, rows: Int64) -> Any:
        """Target sequences of the clusters, frequent ones first: int64 tensor, shape (n, steps)."""
        C = self.clusters[rows]
        keys = -self._cluster_counts[C.indices].astype(np.float64)
        return torch.from_numpy(self.cluster_targets.sequences(C, keys)).to(self.device)
