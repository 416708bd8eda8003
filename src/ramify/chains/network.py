"""The network: an encoded instance, a GRU over the labels emitted so far, and a score for each label and STOP.

e    = drop(relu(x W + w))                               sparse x; (n, hidden)
h_0  = tanh(e A)
h_t  = GRU(LN(drop(E[l_t] + e B)), h_{t-1})              the input at every step
z_t  = drop(relu(LN(h_t C))) + e                         contribution of the labels so far, plus the instance
p(l | x, l_1..l_t) = softmax(z_t V + v) over labels not yet emitted, and STOP

The instance's path has no normalisation layer, which would scale up instances with few known features. Dropout is
variational: one mask per sequence, the same at all steps (Gal and Ghahramani: A Theoretically Grounded Application of
Dropout in Recurrent Neural Networks. NIPS 2016). Shapes are in comments.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ramify.chains.sequences import Features


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of a network.

    Parameters
    ----------
    n_features, n_labels : int
        d and L.
    embedding, hidden : int
        Width of label vectors, and of encoded instances and states.
    """

    n_features: int
    n_labels: int
    embedding: int
    hidden: int


class Dropout:
    """Dropout masks, drawn once per place from a given generator; torch's global generator is not used.

    Parameters
    ----------
    generator : torch.Generator
    rate, feature_rate : float
        Share of units, and of an instance's features, that are dropped.
    """

    def __init__(self, generator: torch.Generator, rate: float, feature_rate: float = 0.0) -> None:
        self.generator, self.rate, self.feature_rate = generator, rate, feature_rate
        self._masks: dict[str, torch.Tensor] = {}
        self._part: tuple[torch.Tensor, int] | None = None

    def of(self, rows: torch.Tensor, n: int) -> Dropout:
        """The same masks, restricted to some of the n instances."""
        part = copy(self)
        part._part = (rows, n)
        return part

    def __call__(self, place: str, values: torch.Tensor) -> torch.Tensor:
        """Drop units of (n, steps, units) or (n, units): the same at all steps and in every call for a place."""
        n = values.shape[0] if self._part is None else self._part[1]
        mask = self._mask(place, (n, *(1 for _ in values.shape[2:]), values.shape[-1]), self.rate, values)
        return values * (mask if self._part is None else mask[self._part[0]])

    def features(self, values: torch.Tensor) -> torch.Tensor:
        """Drop features of instances."""
        return values * self._mask("features", tuple(values.shape), self.feature_rate, values)

    def _mask(self, place: str, shape: tuple[int, ...], rate: float, like: torch.Tensor) -> torch.Tensor:
        if place not in self._masks:
            drawn = torch.rand(shape, generator=self.generator)
            self._masks[place] = ((drawn >= rate) / (1 - rate)).to(device=like.device, dtype=like.dtype)
        return self._masks[place]


class ChainNetwork(nn.Module):
    """The network of the module's equations.

    Parameters
    ----------
    shape : Shape
    device : torch.device
    generator : torch.Generator, optional
        Source of the initial parameters; without it they are uninitialised and must be loaded.
    """

    def __init__(self, shape: Shape, device: Any = "cpu", generator: torch.Generator | None = None) -> None:
        super().__init__()
        hidden, embedding = shape.hidden, shape.embedding
        with torch.device("meta"):  # layers would draw from torch's global generator
            self.projection = nn.Parameter(torch.empty(shape.n_features, hidden))
            self.projection_bias = nn.Parameter(torch.empty(hidden))
            self.embedding = nn.Parameter(torch.empty(shape.n_labels + 1, embedding))
            self.start = nn.Linear(hidden, hidden)
            self.see = nn.Linear(hidden, embedding)
            self.input_norm = nn.LayerNorm(embedding)
            self.gru = nn.GRU(embedding, hidden, batch_first=True)
            self.from_state = nn.Linear(hidden, hidden)
            self.output_norm = nn.LayerNorm(hidden)
            self.output = nn.Parameter(torch.empty(shape.n_labels + 1, hidden))
            self.output_bias = nn.Parameter(torch.empty(shape.n_labels + 1))
            self.value = nn.Linear(hidden, 1)
        self.to_empty(device=device)
        self.shape = shape
        if generator is not None:
            self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        for name, parameter in self.named_parameters():
            if "norm" in name:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            elif parameter.ndim == 1:
                parameter.zero_()
            else:
                # The projection has inputs of length 1; embeddings are looked up one at a time; other layers sum.
                scale = 0.2 if name == "projection" else 0.3 if name == "embedding" else parameter.shape[1] ** -0.5
                drawn = torch.randn(parameter.shape, generator=generator) * scale
                parameter.copy_(drawn)

    @property
    def stop(self) -> int:
        """The number of START and STOP, L."""
        return self.shape.n_labels

    def encode(self, X: Features, drop: Dropout | None = None) -> torch.Tensor:
        """Encode instances, (n, hidden)."""
        values = X.values if drop is None else drop.features(X.values)
        summed = functional.embedding_bag(
            X.indices, self.projection, X.offsets, mode="sum", per_sample_weights=values.to(self.projection.dtype)
        )
        encoded = functional.relu(summed + self.projection_bias)
        return encoded if drop is None else drop("instance", encoded)

    def first_state(self, encoded: torch.Tensor) -> torch.Tensor:
        """The state before the first step, (1, n, hidden)."""
        return torch.tanh(self.start(encoded))[None]

    def states(
        self, encoded: torch.Tensor, emitted: torch.Tensor, before: torch.Tensor, drop: Dropout | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs z of the steps that read labels (n, steps), (n, steps, hidden); last state, (1, n, hidden)."""
        read = self.embedding[emitted] + self.see(encoded)[:, None]  # (n, steps, embedding)
        read = self.input_norm(read)
        hidden, last = self.gru(read if drop is None else drop("input", read), before)
        outputs = functional.relu(self.output_norm(self.from_state(hidden)))
        outputs = outputs if drop is None else drop("output", outputs)
        return outputs + encoded[:, None], last

    def logits(self, outputs: torch.Tensor, candidates: torch.Tensor | None = None) -> torch.Tensor:
        """Scores of all labels and STOP, or of candidates only: (..., hidden) -> (..., L + 1)."""
        weights: torch.Tensor = self.output
        bias: torch.Tensor = self.output_bias
        if candidates is not None:
            weights, bias = weights[candidates], bias[candidates]
        return functional.linear(outputs, weights, bias)
