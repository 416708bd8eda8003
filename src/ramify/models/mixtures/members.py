"""Members of an ensemble or a fusion: clones that differ in their seed, consistency checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ramify.checks import Whole, check_inside, whole_number
from ramify.errors import InputError
from ramify.models.base.adapter import is_model, set_known, settings_of, unfitted
from ramify.wording import quoted

TREES = Whole(1, 1000)


def clones_by_seed(model: Any, trees: int) -> list[Any]:
    """Unfitted copies with the seeds seed, seed + 1, ...; one copy of a model without a seed.

    Raises
    ------
    InputError
        The argument is not a model.
    """
    check_model(model)
    settings = settings_of(model)
    if "seed" not in settings:
        return [unfitted(model)]
    seed, first = tree_seeds(settings["seed"], trees), unfitted(model)
    shared = {"representation": settings_of(first).get("representation")}  # so that label vectors are computed once
    return [first, *(set_known(unfitted(model), seed=seed + step, **shared) for step in range(1, trees))]


def tree_seeds(seed: Any, trees: int) -> int:
    """The checked first of ``trees`` consecutive seeds; InputError if the last one is too large."""
    return whole_number("seed", seed, 0, 2**32 - trees)


def check_model(model: Any) -> None:
    """Raise InputError unless an object is an unfitted model."""
    if not is_model(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else quoted(model)
        raise InputError(
            f"models contains {what}, but must contain objects with fit and predict_topk, such as XRLinear()"
        )
    check_inside(model)


def check_log_scores(model: Any) -> None:
    """Raise InputError for log scores: in an average, the 0 of an unranked label would be the maximum."""
    transform = getattr(model, "score_transform", None)  # at each answer: ``get_params`` takes 0.2 ms
    if isinstance(transform, str) and transform.startswith("log-"):
        raise InputError(f"combine is 'average', but a member's score_transform is {transform!r}: combine by 'sigmoid'")


def check_agreement(sizes: Sequence[tuple[int | None, int]]) -> None:
    """Raise InputError if fitted members have different numbers of features or labels.

    Parameters
    ----------
    sizes : sequence of (int or None, int)
        Features and labels of each member: None for a member that uses no features, 0 for unknown labels.
    """
    for place, what in enumerate(("features", "labels")):
        known = [(number, size[place]) for number, size in enumerate(sizes) if size[place]]
        for number, count in known[1:]:
            if count != known[0][1]:
                raise InputError(
                    f"member {number} has {count} {what}, but member {known[0][0]} has {known[0][1]}: "
                    "train all members on the same data"
                )
