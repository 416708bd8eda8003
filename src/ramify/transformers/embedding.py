"""Embeddings of tokenized texts: batches of similar length with a budget of tokens, on any device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from ramify.torchloop import Environment
from ramify.transformers.tokens import Tokens
from ramify.values import Float32, Int64

BUDGET_CPU, BUDGET_GPU = 1024, 65_536
"""Tokens per batch, padding included."""


class Embedder(Protocol):
    """A module that maps token ids and mask, int64 of shape (n, t), to vectors of shape (n, width)."""

    width: int
    training: bool

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The vectors."""
        ...

    def to(self, device: Any, /) -> Any:
        """Move the module."""
        ...

    def eval(self) -> Any:
        """Evaluation mode."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Training mode."""
        ...


def embedded(
    encoder: Embedder,
    tokens: Tokens,
    environment: Environment,
    *,
    report_progress: Callable[[float], None] | None = None,
) -> Float32:
    """Embeddings of texts.

    Parameters
    ----------
    encoder : Embedder
        A ``TextEncoder``, or a module with its methods. Moved to the device of the environment; used in evaluation
        mode, which is undone afterwards.
    tokens : Tokens
        Of n texts.
    environment : Environment
        Open. On a CPU with several threads, batches are computed in parallel.
    report_progress : callable, optional
        Called with the share of the tokens that is done.

    Returns
    -------
    float32 array, shape (n, width)
        Rows of length 1. A text without tokens other than special ones has a row of zeros. The result for a text
        depends on the other texts by rounding errors only, and not on the number of threads.
    """
    Z = np.zeros((len(tokens), encoder.width), np.float32)
    on_cpu = environment.device.type == "cpu"
    rows = np.flatnonzero(tokens.lengths > tokens.n_special)
    batches = batches_of_tokens(tokens.lengths[rows], BUDGET_CPU if on_cpu else BUDGET_GPU)
    batches = [rows[batch] for batch in batches]
    encoder.to(environment.device)
    was_training = encoder.training
    encoder.eval()

    def embed(batch: Int64) -> None:
        Z[batch] = _embedded_batch(encoder, tokens, batch, environment)

    done, total = 0, max(1, int(tokens.lengths[rows].sum()))
    try:
        for first in range(0, len(batches), environment.threads):
            group = batches[first : first + environment.threads]
            environment.map(embed, group)
            done += sum(int(tokens.lengths[batch].sum()) for batch in group)
            if report_progress is not None:
                report_progress(done / total)
    finally:
        encoder.train(was_training)
    return Z


def batches_of_tokens(lengths: Int64, budget: int) -> list[Int64]:
    """Numbers of texts in batches of similar length, longest first.

    Parameters
    ----------
    lengths : int64 array, shape (n,)
        Tokens per text.
    budget : int
        Largest number of tokens per batch, padding included; a longer text is a batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, first = [], 0
    while first < len(order):
        size = max(1, budget // max(1, int(lengths[order[first]])))
        batches.append(order[first : first + size])
        first += size
    return batches


def _embedded_batch(encoder: Embedder, tokens: Tokens, rows: Int64, environment: Environment) -> Float32:
    """Unit vectors of some texts, shape (m, width)."""
    ids, mask = tokens.padded(rows)
    with torch.inference_mode(), environment.autocast():  # both contexts belong to the thread
        vectors = encoder(ids.to(environment.device), mask.to(environment.device))
        unit = torch.nn.functional.normalize(vectors.float(), dim=1)
    found: Float32 = unit.cpu().numpy()
    return found
