"""Losses of a head, weighted and averaged over the active nodes of each instance.

loss(i) = 1 / |A_i| Σ_{j in A_i} w_ij ℓ(y_ij z_ij)           A_i: nodes that are active for instance i

z_ij   output of the head                       squared-hinge   ℓ(m) = max(0, 1 - m)²
y_ij   1 for a positive, -1 for a negative      hinge           ℓ(m) = max(0, 1 - m)
w_ij   weight of a positive; 1 for a negative   bce             ℓ(m) = log(1 + exp(-m))
"""

from __future__ import annotations

import torch
from torch.nn import functional

LOSSES = {
    "squared-hinge": lambda margin: functional.relu(1 - margin).square(),
    "hinge": lambda margin: functional.relu(1 - margin),
    "bce": lambda margin: functional.softplus(-margin),
}


def head_loss(name: str, outputs: torch.Tensor, weights: torch.Tensor, active: torch.Tensor | None) -> torch.Tensor:
    """Sum of the loss over instances.

    Parameters
    ----------
    name : {"squared-hinge", "hinge", "bce"}
    outputs : float tensor, shape (n, m)
        Outputs of the head for m nodes per instance.
    weights : float32 tensor, shape (n, m)
        Weight of each positive; 0 for negatives.
    active : bool tensor, shape (n, m), or None
        False for padding, which has neither loss nor gradient; None: all nodes are active.
    """
    positive = weights > 0
    losses = LOSSES[name](torch.where(positive, outputs, -outputs)) * torch.where(positive, weights, 1.0)
    if active is None:
        return losses.mean(dim=1).sum()
    return (losses.masked_fill(~active, 0.0).sum(dim=1) / active.sum(dim=1).clamp(min=1)).sum()
