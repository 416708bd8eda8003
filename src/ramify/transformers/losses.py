"""Losses of a head, weighted and summed over the active nodes of each instance.

loss(i) = Σ_{j in A_i} w_ij ℓ(y_ij z_ij)        A_i: nodes that are active for instance i

z_ij   output of the head                       bce             ℓ(m) = log(1 + exp(-m))
y_ij   1 for a positive, -1 for a negative      squared-hinge   ℓ(m) = max(0, 1 - m)²
w_ij   weight of a positive; 1 for a negative   hinge           ℓ(m) = max(0, 1 - m)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

LOSSES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bce": lambda margin: functional.softplus(-margin),
    "squared-hinge": lambda margin: functional.relu(1 - margin).square(),
    "hinge": lambda margin: functional.relu(1 - margin),
}


def head_loss(name: str, outputs: torch.Tensor, weights: torch.Tensor, active: torch.Tensor | None) -> torch.Tensor:
    """Sum of the loss over instances.

    Parameters
    ----------
    name : {"bce", "squared-hinge", "hinge"}
    outputs : float tensor, shape (n, m)
        Outputs of the head for m nodes per instance.
    weights : float32 tensor, shape (n, m)
        Weight of each positive; 0 for negatives.
    active : bool tensor, shape (n, m), or None
        False for padding, which has neither loss nor gradient; None: all nodes are active.
    """
    positive = weights > 0
    losses = LOSSES[name](torch.where(positive, outputs, -outputs)) * torch.where(positive, weights, 1.0)
    return losses.sum() if active is None else losses.masked_fill(~active, 0.0).sum()


DERIVATIVES: dict[str, Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]] = {
    "bce": lambda margin: (-torch.sigmoid(-margin), torch.sigmoid(margin) * torch.sigmoid(-margin)),
    "squared-hinge": lambda margin: (-2 * functional.relu(1 - margin), 2.0 * (margin < 1)),
    "hinge": lambda margin: (-1.0 * (margin < 1), 1.0 * (margin < 1)),
}
"""First and second derivative of each loss; of the hinge loss, which has no second one, the size of the first."""


def head_derivatives(
    name: str, outputs: torch.Tensor, weights: torch.Tensor, active: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and second derivative of ``head_loss`` by each output, both of shape (n, m); 0 for padding."""
    positive = weights > 0
    sign = torch.where(positive, 1.0, -1.0)
    weight = torch.where(positive, weights, 1.0)
    if active is not None:
        weight = weight.masked_fill(~active, 0.0)
    slope, curvature = DERIVATIVES[name](sign * outputs)
    return sign * weight * slope, weight * curvature
