"""The head of one level: one linear classifier per node on the embeddings of the texts, trained row by row.

z_ij = w_j h_i + b_j        h: embedding of length 1, W: one row per node
w_j -= rate · Σ_i ∂loss_i/∂z_ij x_i / (1 + rate · Σ_i ∂²loss_i/∂z_ij² |x_i|²)      damped SGD, x = [h, 1]

The second term of the denominator bounds the curvature of the loss of a batch. It is large for a frequent node, where a
step of plain SGD at the same rate would overshoot. For a rare node with the loss "bce" it is near 0, and the step is
that of plain SGD. There are no moments.

A step changes the rows of the nodes that are active in its batch; no other row is touched. The cost of a step therefore
depends on the number of active nodes, and not on the number of nodes.

The gradient of the encoder is computed with the head before the step (``loss``), the update of the head after it
(``update``), from its inputs for the batch. It is the same for any division of the batch into shards.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ramify.transformers.losses import head_derivatives, head_loss
from ramify.transformers.shortlist import Active
from ramify.values import Float32


class Head:
    """Linear classifiers.

    Parameters
    ----------
    weight : float32 array, shape (nodes, width)
        W at the start.
    bias : float32 array, shape (nodes,)
    loss : {"bce", "squared-hinge", "hinge"}
    device : torch.device
    """

    def __init__(self, weight: Float32, bias: Float32, loss: str, device: torch.device) -> None:
        self.loss_name = loss
        rows = np.hstack([weight, bias[:, None]])  # a last input of 1 has the intercept as its weight
        self.rows = torch.from_numpy(rows.astype(np.float32)).to(device)

    def state(self) -> Mapping[str, torch.Tensor]:
        """All tensors that ``update`` changes."""
        return {"rows": self.rows}

    def outputs(self, inputs: torch.Tensor, active: Active) -> torch.Tensor:
        """Z of the active nodes, shape (n, m); padding has an arbitrary value."""
        used, place = _used_rows(active, self.rows.device)
        return _outputs(inputs, self.rows[used], place)

    def loss(self, inputs: torch.Tensor, active: Active) -> torch.Tensor:
        """Sum of the loss over instances (``losses``), differentiable with respect to the inputs."""
        return head_loss(self.loss_name, self.outputs(inputs, active), *_targets(active, self.rows.device))

    def update(self, inputs: torch.Tensor, active: Active, rate: float) -> None:
        """One step of damped SGD on the rows of the active nodes, for the summed loss of the instances."""
        used, place = _used_rows(active, self.rows.device)
        rows = self.rows[used]
        outputs = _outputs(inputs, rows, place)
        slope, curvature = head_derivatives(self.loss_name, outputs, *_targets(active, self.rows.device))
        if place is not None:
            empty = torch.zeros(len(inputs), len(rows), device=rows.device)
            slope, curvature = (empty.scatter_add(1, place, part) for part in (slope, curvature))
        inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
        self.rows[used] = rows - damped_step(inputs, slope, curvature, rate)


def damped_step(inputs: torch.Tensor, slope: torch.Tensor, curvature: torch.Tensor, rate: float) -> torch.Tensor:
    """Step of SGD on the rows of classifiers, shape (nodes, width), for the summed loss of some instances.

    Parameters
    ----------
    inputs : float32 tensor, shape (n, width)
        The last column is 1.
    slope, curvature : float32 tensors, shape (n, nodes)
        First and second derivative of the loss by each output.
    rate : float
    """
    largest = inputs.square().sum(dim=1) @ curvature  # at least the largest eigenvalue of each row's second derivative
    return (slope.T @ inputs) * (rate / (1 + rate * largest)).unsqueeze(1)


def _targets(active: Active, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weights of the positives, and which nodes are not padding; None: all."""
    valid = None if active.all_nodes else torch.from_numpy(active.nodes >= 0).to(device)
    return torch.from_numpy(active.weights).to(device), valid


def _used_rows(active: Active, device: torch.device) -> tuple[torch.Tensor | slice, torch.Tensor | None]:
    """The rows of the head that a batch uses, and the place of each active node among them; all rows: no places."""
    if active.all_nodes:
        return slice(None), None
    used, place = np.unique(active.nodes, return_inverse=True)
    if used[0] == -1:  # padding takes the place of another node, without effect on the loss
        used, place = used[1:], np.maximum(place - 1, 0)
    rows = torch.from_numpy(used.astype(np.int64)).to(device)
    return rows, torch.from_numpy(place.reshape(active.nodes.shape)).to(device)


def _outputs(inputs: torch.Tensor, rows: torch.Tensor, place: torch.Tensor | None) -> torch.Tensor:
    every = (inputs @ rows[:, :-1].T + rows[:, -1]).float()
    return every if place is None else every.gather(1, place)
