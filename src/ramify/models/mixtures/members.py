"""Members of an ensemble: clones that differ by their seed, and checks that members fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ramify.checks import Whole, check_inside, whole_number
from ramify.errors import InputError
from ramify.models.base.adapter import is_model, set_known, settings_of, unfitted
from ramify.wording import quoted

TREES = Whole(1, 1000)


def clones_by_seed(model: Any, trees: int) -> list[Any]:
    """Unfitted copies with the model's seed, seed + 1 and so on; a model without a seed gives one.

    Raises
    ------
    InputError
        No model.
    """
    check_model(model)
    settings = settings_of(model)
    if "seed" not in settings:
        return [unfitted(model)]
    seed, first = tree_seeds(settings["seed"], trees), unfitted(model)
    shared = {"representation": settings_of(first).get("representation")}  # label vectors are then made once
    return [first, *(set_known(unfitted(model), seed=seed + step, **shared) for step in range(1, trees))]


def tree_seeds(seed: Any, trees: int) -> int:
    """The first of so many consecutive seeds; InputError where the last is too large."""
    return whole_number("seed", seed, 0, 2**32 - trees)


def check_model(model: Any) -> None:
    """InputError where an object cannot rank labels."""
    if not is_model(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else quoted(model)
        raise InputError(f"models holds {what}, but must hold objects with fit and predict_topk, such as XRLinear()")
    check_inside(model)


def check_log_scores(model: Any) -> None:
    """InputError where an average would take the 0 of an unranked label for the best of all log scores."""
    transform = settings_of(model).get("score_transform")
    if isinstance(transform, str) and transform.startswith("log-"):
        raise InputError(f"combine is 'average', but a member's score_transform is {transform!r}: combine by 'sigmoid'")


def check_agreement(sizes: Sequence[tuple[int | None, int]]) -> None:
    """InputError where fitted members are for other features or labels than the first.

    Parameters
    ----------
    sizes : sequence of (int or None, int)
        Features and labels of each member; None for a member that uses no features.
    """
    for place, what in enumerate(("features", "labels")):
        for number, size in enumerate(sizes):
            if size[place] != sizes[0][place]:
                raise InputError(
                    f"member {number} has {size[place]} {what}, but member 0 has {sizes[0][place]}: "
                    "train all members on the same data"
                )
