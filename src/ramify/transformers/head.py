"""The head of one level: one linear classifier per node on the embeddings of the texts, trained row by row.

z = W h + b        h: embedding of length 1, W: one row per node

A step changes the rows of the nodes that are active in its batch, and their moments of Adam; no other row is touched.
The cost of a step therefore depends on the number of active nodes, and not on the number of nodes.

The gradient of the encoder is computed with the head before the step (``loss``), the update of the head after it
(``update``), from the embeddings of the batch. It is the same for any division of the batch into shards.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ramify.transformers.losses import head_loss
from ramify.transformers.shortlist import Active
from ramify.values import Float32

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Constants of Adam; each row counts its own steps, for the correction of the bias."""


class Head:
    """Linear classifiers with Adam per row.

    Parameters
    ----------
    weight : float32 array, shape (nodes, width)
        W at the start.
    bias : float32 array, shape (nodes,)
    loss : {"squared-hinge", "hinge", "bce"}
    device : torch.device
    """

    def __init__(self, weight: Float32, bias: Float32, loss: str, device: torch.device) -> None:
        self.loss_name = loss
        rows = np.hstack([weight, bias[:, None]])  # a last input of 1 has the intercept as its weight
        self.rows = torch.from_numpy(rows.astype(np.float32)).to(device)
        self.first, self.second = torch.zeros_like(self.rows), torch.zeros_like(self.rows)
        self.steps = torch.zeros(len(rows), device=device)

    def state(self) -> Mapping[str, torch.Tensor]:
        """All tensors that ``update`` changes."""
        return {"rows": self.rows, "first": self.first, "second": self.second, "steps": self.steps}

    def outputs(self, embeddings: torch.Tensor, active: Active) -> torch.Tensor:
        """Z of the active nodes, shape (n, m); padding has an arbitrary value."""
        used, place = _used_rows(active, self.rows.device)
        return _outputs(embeddings, self.rows[used], place)

    def loss(self, embeddings: torch.Tensor, active: Active) -> torch.Tensor:
        """Sum of the loss over instances (``losses``), differentiable with respect to the embeddings."""
        return self._loss(self.outputs(embeddings, active), active)

    def update(self, embeddings: torch.Tensor, active: Active, learning_rate: float) -> None:
        """One step of Adam on the rows of the active nodes, for the mean loss of the instances."""
        used, place = _used_rows(active, self.rows.device)
        rows = self.rows[used].detach().requires_grad_(True)
        with torch.enable_grad():
            loss = self._loss(_outputs(embeddings, rows, place), active) / len(embeddings)
            [gradient] = torch.autograd.grad(loss, rows)
        self.steps[used] += 1
        first = self.first[used].lerp_(gradient, 1 - BETA1)
        second = self.second[used].lerp_(gradient.square(), 1 - BETA2)
        self.first[used], self.second[used] = first, second
        steps = self.steps[used].unsqueeze(1)
        scale = (second / (1 - BETA2**steps)).sqrt_().add_(EPSILON)
        self.rows[used] = rows.detach() - learning_rate * first / (1 - BETA1**steps) / scale

    def _loss(self, outputs: torch.Tensor, active: Active) -> torch.Tensor:
        weights = torch.from_numpy(active.weights).to(outputs.device)
        valid = None if active.all_nodes else torch.from_numpy(active.nodes >= 0).to(outputs.device)
        return head_loss(self.loss_name, outputs, weights, valid)


def _used_rows(active: Active, device: torch.device) -> tuple[torch.Tensor | slice, torch.Tensor | None]:
    """The rows of the head that a batch uses, and the place of each active node among them; all rows: no places."""
    if active.all_nodes:
        return slice(None), None
    used, place = np.unique(active.nodes, return_inverse=True)
    if used[0] == -1:  # padding takes the place of another node, without effect on the loss
        used, place = used[1:], np.maximum(place - 1, 0)
    rows = torch.from_numpy(used.astype(np.int64)).to(device)
    return rows, torch.from_numpy(place.reshape(active.nodes.shape)).to(device)


def _outputs(embeddings: torch.Tensor, rows: torch.Tensor, place: torch.Tensor | None) -> torch.Tensor:
    every = (embeddings @ rows[:, :-1].T + rows[:, -1]).float()
    return every if place is None else every.gather(1, place)
