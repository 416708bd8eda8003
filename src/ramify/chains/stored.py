"""A network as arrays for a model directory, and back: every shape is known from four sizes and looked at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError
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
    """The parameters by name, as float32 arrays of their own."""
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def checked_arrays(arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Float32]:
    """The parameters among the arrays of a model directory.

    Raises
    ------
    InputError
        One is missing, of another type or shape, or not finite.
    """
    if set(sizes) != set(SIZES):
        raise InputError(f"the sizes must be {', '.join(SIZES)}")
    found = {}
    for name, shape in _shapes(sizes).items():
        array = arrays.get(PREFIX + name)
        fits = isinstance(array, np.ndarray) and array.dtype == np.float32 and array.shape == shape
        if not fits or not np.isfinite(array).all():  # type: ignore[arg-type]
            raise InputError(f"array {name} has the wrong type, shape or values")
        found[name] = np.asarray(array)
    return found


def checked_counts(counts: Any, n_labels: int) -> Int64:
    """The labels' training counts of a model directory; InputError where they cannot be."""
    fits = isinstance(counts, np.ndarray) and counts.dtype == np.int64 and counts.shape == (n_labels,)
    if not fits or (counts < 0).any() or not counts.any():
        raise InputError("the labels' counts have the wrong type, shape or values")
    return np.asarray(counts)


def stored_network(arrays: Mapping[str, Float32], sizes: Mapping[str, int], device: Any) -> ChainNetwork:
    """The network in float64, ready to answer."""
    import torch

    from ramify.chains.network import ChainNetwork, Shape

    network = ChainNetwork(Shape(**sizes), device).double()
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return network.eval().requires_grad_(False)
