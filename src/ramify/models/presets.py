"""Three settings for three needs, and one for the tail: names in place of numbers. What each costs: docs/presets.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ramify import catalogue
from ramify.errors import InputError
from ramify.wording import nearest_name, quoted


@dataclass(frozen=True)
class Preset:
    """An estimator to be.

    Parameters
    ----------
    model : str
        Its class, as the command line calls it.
    settings : dict
        What differs from the defaults of the class.
    """

    model: str = "xr-linear"
    settings: dict[str, Any] = field(default_factory=dict)


PRESETS = {
    "fast": Preset(
        "xr-linear",
        {"negatives": "tfn", "path_weight": 0.75, "epsilon": 0.5, "max_leaf": 64}
        | {"cost_positive": 1.0, "cost_negative": 1.0, "tail_cost": 0.0},
    ),
    "default": Preset(),
    "best": Preset("blend", {"tail_cost": 0.5, "tail_rank": 0.1}),
    "tail": Preset("blend", {"tail_cost": 0.5, "tail_rank": 0.6}),
}


def named(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    InputError
        An unknown name.
    """
    if not isinstance(name, str) or name not in PRESETS:
        near = nearest_name(name, PRESETS) if isinstance(name, str) else None
        hint = "choose one of these" if near is None else f"did you mean {near!r}?"
        raise InputError(f"preset is {quoted(name)}, but must be one of {', '.join(PRESETS)}: {hint}")
    return PRESETS[name]


def preset(name: str, *, seed: int = 0, threads: int | None = None) -> Any:
    """An unfitted estimator by what it is for.

    Parameters
    ----------
    name : {"fast", "default", "best", "tail"}
        Quick to train and small; the defaults of ``XRLinear``; the most precise (a ``Blend``, several times the cost);
        or rare labels before frequent ones (a ``Blend``, too), at some cost in precision.
    seed : int, default 0
        Same seed, same model.
    threads : int, optional
        None takes every CPU.

    Returns
    -------
    XRLinear or Blend

    Raises
    ------
    InputError
        An unknown name.
    """
    chosen = named(name)
    return catalogue.find(catalogue.MODEL, chosen.model, "model").load()(**chosen.settings, seed=seed, threads=threads)
