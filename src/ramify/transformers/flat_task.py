"""Fine-tuning of the encoder with a head over all labels, computed in chunks of labels, without a tree.

For each chunk c of labels, with h = dropout(embedding), for the instances i of a batch:
    p_ic = sigmoid(W_c h_i + b_c)
    g_i += W_cᵀ (p_ic - y_ic)                   input gradient, by which the encoder is trained
    W_c -= rate Σ_i (p_ic - y_ic) x_iᵀ / (1 + rate Σ_i p_ic (1 - p_ic) |x_i|²)
                                     damped SGD (``head``) at once, x = [h, 1], without gradient or moments in memory

The memory of a step is one chunk of outputs, besides W itself. The chunks are computed twice: for the input gradient of
each shard, and for the update of the whole batch, so that the result does not depend on the division into shards.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

from ramify.evaluation import top_k
from ramify.models.base.model import mean_precision
from ramify.torchloop import Shard
from ramify.transformers.fine_tuning import EncoderTask, FineTuning
from ramify.transformers.head import damped_step
from ramify.transformers.levels import log_odds
from ramify.values import CSR, Int64, TopK


class FlatTask(EncoderTask):
    """A ``torchloop.Task``: binary cross-entropy over all labels.

    Parameters
    ----------
    run : FineTuning
    rows : int64 array
        Instances to train on.
    learning_rate : float
        Of SGD on the head, for the sum of the loss over the instances of a batch.
    chunk : int
        Labels per chunk.
    dropout : float
        Share of the entries of an embedding that are dropped before the head.
    """

    def __init__(self, run: FineTuning, rows: Int64, learning_rate: float, chunk: int, dropout: float) -> None:
        super().__init__(run, rows)
        self.learning_rate, self.chunk, self.dropout = learning_rate, chunk, dropout
        self.Y: CSR = run.training.Y
        n_labels = self.Y.shape[1]
        positives = np.bincount(self.Y[rows].indices, minlength=n_labels)
        odds = log_odds(positives.astype(np.float64), len(rows) - positives)
        self.bias = torch.from_numpy(odds).to(self.device)
        self.weight = torch.zeros(n_labels, run.encoder.width, device=self.device)

    def own_state(self) -> dict[str, torch.Tensor]:
        """See ``Task``."""
        return {"weight": self.weight, "bias": self.bias}

    def head_loss(self, embeddings: torch.Tensor, shard: Shard) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``EncoderTask``; the loss is a tensor with the accumulated input gradient as its gradient."""
        inputs = functional.dropout(embeddings, self.dropout)
        fixed, gradient = inputs.detach(), torch.zeros_like(inputs)
        loss = torch.zeros((), device=self.device)
        for labels, outputs, truth in self._chunks(fixed, shard.rows):
            loss += functional.binary_cross_entropy_with_logits(outputs, truth, reduction="sum")
            gradient += (outputs.sigmoid_() - truth) @ self.weight[labels]
        product = (inputs * gradient).sum()
        return loss + product - product.detach(), fixed

    def update_head(self, inputs: torch.Tensor, rows: Int64, rate: float) -> None:
        """See ``EncoderTask``."""
        inputs, rate = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1), rate * self.learning_rate
        for labels, outputs, truth in self._chunks(inputs[:, :-1], rows):
            share = outputs.sigmoid_()
            curvature = share * (1 - share)
            step = damped_step(inputs, share.sub_(truth), curvature, rate)
            self.weight[labels] -= step[:, :-1]
            self.bias[labels] -= step[:, -1]

    def _chunks(self, inputs: torch.Tensor, rows: Int64) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
        """Labels of each chunk, outputs and 0/1 targets, both of shape (n, labels of the chunk)."""
        Y = self.Y[rows]
        for first in range(0, Y.shape[1], self.chunk):
            labels = slice(first, min(first + self.chunk, Y.shape[1]))
            outputs = (inputs @ self.weight[labels].T + self.bias[labels]).float()
            yield labels, outputs, torch.from_numpy(Y[:, labels].toarray()).to(self.device)

    def measured(self, embeddings: torch.Tensor) -> float:
        """Mean of P@1, P@3 and P@5 of held-out instances."""
        Y = self.Y[self.run.held]
        if Y.nnz == 0:
            return float("nan")
        k = min(5, Y.shape[1])
        tops = [
            (top_k(outputs.cpu().numpy(), k), labels.start)
            for labels, outputs, _ in self._chunks(embeddings, self.run.held)
        ]
        return mean_precision(Y, merged_tops(tops, k), self.Y[self.run.rest])


def merged_tops(tops: list[tuple[TopK, int]], k: int) -> TopK:
    """The k best labels of chunks, each with the number of its first label."""
    labels = np.hstack([np.where(top.labels >= 0, top.labels + first, -1) for top, first in tops])
    scores = np.hstack([top.scores for top, _ in tops])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return TopK(np.take_along_axis(labels, order, axis=1).astype(np.int32), np.take_along_axis(scores, order, axis=1))
