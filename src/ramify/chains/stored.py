"""Conversion between a network and the arrays of a model directory.

Four sizes determine the shape of every array. Shapes, types and values are checked before a network is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError
from ramify.models.base.stored import stored_array
from ramify.values import Float32, Int64

if TYPE_CHECKING:
    from ramify.chains.network import ChainNetwork

SIZES = ("n_features", "n_labels", "embedding", "hidden")
PREFIX = "network/"


def _shapes(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    d, n_labels, embedding, hidden = (sizes[name] for name in SIZES)
    shapes: dict[str, tuple[int, ...]] = {
        "projection": (d, hidden),
        "projection_bias": (hidden,),
        "embedding": (n_labels + 1, embedding),
        "output": (n_labels + 1, hidden),
        "output_bias": (n_labels + 1,),
        "start.weight": (hidden, hidden),
        "start.bias": (hidden,),
        "see.weight": (embedding, hidden),
        "see.bias": (embedding,),
        "gru.weight_ih_l0": (3 * hidden, embedding),
        "gru.weight_hh_l0": (3 * hidden, hidden),
        "gru.bias_ih_l0": (3 * hidden,),
        "gru.bias_hh_l0": (3 * hidden,),
        "from_state.weight": (hidden, hidden),
        "from_state.bias": (hidden,),
        "value.weight": (1, hidden),
        "value.bias": (1,),
    }
    widths = {"input_norm": embedding, "output_norm": hidden}
    return shapes | {f"{norm}.{part}": (width,) for norm, width in widths.items() for part in ("weight", "bias")}


def network_arrays(network: ChainNetwork) -> dict[str, Float32]:
    """Copies of the parameters by name, float32."""
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def checked_arrays(arrays: dict[str, Any], sizes: Mapping[str, int]) -> dict[str, Float32]:
    """The parameters among the arrays of a model directory.

    Raises
    ------
    KeyError, InputError
        One is missing, of another type or shape, or not finite.
    """
    if set(sizes) != set(SIZES):
        raise InputError(f"the sizes must be {', '.join(SIZES)}")
    found = {}
    for name, shape in _shapes(sizes).items():
        found[name] = stored_array(arrays, PREFIX + name, np.float32, shape)
        if not np.isfinite(found[name]).all():
            raise InputError(f"array {PREFIX}{name} has values that are not finite")
    return found


def checked_counts(arrays: dict[str, Any], n_labels: int) -> Int64:
    """Training instances per label from a model directory, int64, shape (L,).

    Raises
    ------
    KeyError, InputError
        The array is missing, of another type or shape, has a negative number, or is all 0.
    """
    counts: Int64 = stored_array(arrays, "label_counts", np.int64, (n_labels,))
    if (counts < 0).any() or not counts.any():
        raise InputError("array label_counts has a negative number or is all 0")
    return counts


def sizes_of(arrays: Mapping[str, Float32]) -> dict[str, int]:
    """The four sizes that determine the shapes of all arrays."""
    d, hidden = arrays["projection"].shape
    rows, embedding = arrays["embedding"].shape
    return dict(zip(SIZES, (d, rows - 1, embedding, hidden), strict=True))


def stored_network(arrays: Mapping[str, Float32], device: Any) -> ChainNetwork:
    """A network with these parameters, in float64, without gradients, on a device."""
    import torch

    from ramify.chains.network import ChainNetwork, Shape

    network = ChainNetwork(Shape(**sizes_of(arrays)), device).double()
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return network.eval().requires_grad_(False)
