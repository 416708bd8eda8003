"""Fine-tuning of the encoder together with the head of one level of a label tree.

    h = dropout(encoder(text) / |encoder(text)|)       z = W h + b on the active nodes       loss: ``losses``

Encoder: AdamW of the training loop. Head: SGD on the rows of the active nodes (``head``).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ramify.models.base.model import mean_precision
from ramify.torchloop import Shard
from ramify.transformers.fine_tuning import EncoderTask, FineTuning
from ramify.transformers.head import Head
from ramify.transformers.levels import HeadSettings
from ramify.transformers.shortlist import Active, Shortlist
from ramify.values import CSR, Int64, TopK, as_label_matrix


class LevelTask(EncoderTask):
    """A ``torchloop.Task``: one level.

    Parameters
    ----------
    run : FineTuning
    rows : int64 array
        Instances to train on.
    head : Head
    shortlist : Shortlist
    settings : HeadSettings
        Learning rate and dropout are used.
    """

    def __init__(self, run: FineTuning, rows: Int64, head: Head, shortlist: Shortlist, settings: HeadSettings) -> None:
        super().__init__(run, rows)
        self.head, self.shortlist, self.settings = head, shortlist, settings

    def head_loss(self, embeddings: torch.Tensor, shard: Shard) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``EncoderTask``."""
        inputs = functional.dropout(embeddings, self.settings.dropout)
        return self.head.loss(inputs, self.shortlist.active(shard.rows)), inputs

    def update_head(self, inputs: torch.Tensor, rows: Int64, rate: float) -> None:
        """See ``EncoderTask``."""
        self.head.update(inputs, self.shortlist.active(rows), rate * self.settings.learning_rate)

    def own_state(self) -> dict[str, torch.Tensor]:
        """See ``Task``."""
        return dict(self.head.state())

    def measured(self, embeddings: torch.Tensor) -> float:
        """Mean of P@1, P@3 and P@5 of the nodes of held-out instances, among their active nodes."""
        active = self.shortlist.active(self.run.held)
        outputs = self.head.outputs(embeddings, active).cpu().numpy()
        targets = self.shortlist.targets
        truth = positives(targets[self.run.held])
        if truth.nnz == 0:
            return float("nan")
        return mean_precision(truth, best_nodes(outputs, active), positives(targets[self.run.rest]))


def best_nodes(outputs: np.ndarray, active: Active, k: int = 5) -> TopK:
    """The k active nodes of the largest outputs."""
    scores = np.where(active.nodes >= 0, outputs, -np.inf).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    labels, scores = np.take_along_axis(active.nodes, order, axis=1), np.take_along_axis(scores, order, axis=1)
    missing = ((0, 0), (0, k - order.shape[1]))
    return TopK(
        np.pad(labels, missing, constant_values=-1).astype(np.int32), np.pad(scores, missing, constant_values=-np.inf)
    )


def positives(targets: CSR) -> CSR:
    """0/1 matrix of the positives."""
    return as_label_matrix(targets, targets.shape[0], n_labels=targets.shape[1])
