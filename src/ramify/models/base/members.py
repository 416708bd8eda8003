"""What an ensemble asks of its members, and what it lends them: copies by seed, label vectors made once, progress."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ramify.checks import Own, Whole, check_inside, whole_number
from ramify.errors import InputError
from ramify.label_vectors import PIFA
from ramify.protocols import Representation
from ramify.values import CSR, Float32, Int32, StageProgress
from ramify.wording import quoted

TREES = Whole(1, 1000)
METHODS = ("fit", "predict_topk", "get_params")

Single = Callable[[Int32, Float32], tuple[Int32, Float32]]


def copies(model: Any, trees: int) -> list[Any]:
    """Unfitted clones with the model's seed, seed + 1 and so on; a model without a seed gives one.

    Raises
    ------
    InputError
        No estimator.
    """
    check_model(model)
    first = clone(model)
    if "seed" not in first.get_params(deep=False):
        return [first]
    seed = tree_seeds(first.seed, trees)
    return [first, *(clone(model).set_params(seed=seed + step) for step in range(1, trees))]


def unfitted(name: str, part: Any, default: type) -> Any:
    """An unfitted copy of a part, and the default where it is None; a part without ``get_params`` is copied as it is.

    Raises
    ------
    InputError
        No object with ``fit`` or ``fit_transform``, a class in place of one, or a setting that breaks its rule.
    """
    if part is None:
        return default()
    if isinstance(part, type):
        raise InputError(f"{name} is the class {part.__name__}, but must be an object: give {part.__name__}()")
    if not hasattr(part, "fit") and not hasattr(part, "fit_transform"):
        raise InputError(f"{name} is {quoted(part)}, but must be an object that fits, such as {default.__name__}()")
    fresh = clone(part) if hasattr(part, "get_params") else copy.deepcopy(part)
    check_inside(fresh)  # before texts are read
    return fresh


def tree_seeds(seed: Any, trees: int) -> int:
    """The first of so many consecutive seeds; InputError where the last is too large."""
    return whole_number("seed", seed, 0, 2**32 - trees)


def check_model(model: Any) -> None:
    """InputError where the model is no estimator that ranks labels."""
    if not Own(METHODS).fits(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else quoted(model)
        raise InputError(f"models holds {what}, but must hold estimators with {', '.join(METHODS)}: as XRLinear()")
    check_inside(model)


def check_log_scores(model: Any) -> None:
    """InputError where an average would take the 0 of a label that is not named for the best of all scores."""
    transform = getattr(model, "score_transform", None)
    if isinstance(transform, str) and transform.startswith("log-"):
        raise InputError(f"combine is 'average', but a member's score_transform is {transform!r}: combine by 'sigmoid'")


def check_agreement(members: Sequence[Any]) -> None:
    """InputError where fitted members know other features or labels than the first."""
    for size, what in (("n_features_in_", "features"), ("n_labels_", "labels")):
        known = [getattr(member, size) for member in members]
        for number, count in enumerate(known):
            if count != known[0]:
                raise InputError(
                    f"member {number} knows {count} {what}, but member 0 knows {known[0]}: "
                    "train all members on the same data"
                )


def taken(call: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that a function has parameters for."""
    if not options:
        return {}  # looking at a signature takes as long as a member's answer to one instance
    names = inspect.signature(call).parameters
    return {name: value for name, value in options.items() if name in names}


def required(call: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that are not None.

    Raises
    ------
    InputError
        One that the function has no parameter for.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given.keys() - taken(call, given).keys():
        owner = type(getattr(call, "__self__", call)).__name__
        raise InputError(f"{name} is given, but the member {owner} does not take it: leave it or the member out")
    return given


def single_call(member: Any, k: int) -> Single:
    """The member's fast way for single instances, or the common way where it has none."""
    if hasattr(member, "single"):
        ask: Single = member.single(k)
        return ask
    width = int(member.n_features_in_)

    def answer(indices: Int32, values: Float32) -> tuple[Int32, Float32]:
        one = sp.csr_matrix((values, indices, np.array([0, len(indices)])), shape=(1, width))
        top = member.predict_topk(one, k)
        return top.labels, top.scores

    return answer


def set_beam(model: Any, beam: int) -> None:
    """Another beam for a model, or for the members of an ensemble that search by one.

    Raises
    ------
    InputError
        None does.
    """
    parts = [part for part in getattr(model, "members_", [model]) if "beam" in part.get_params(deep=False)]
    if not parts:
        raise InputError(f"beam is {beam}, but the model does not search by a beam: leave it out")
    for part in parts:
        part.set_params(beam=beam)


def part_of(progress: StageProgress | None, number: int, count: int) -> StageProgress | None:
    """Progress for part ``number`` of ``count``, told on as a share of the whole."""
    if progress is None:
        return None
    told = progress
    return lambda stage, done: told(stage, (number + done) / count)


class MadeOnce:
    """Label vectors that several models ask for: made for the first, forgotten with the last.

    Parameters
    ----------
    representation : Representation
        Makes them.
    uses : int
        How often they are asked for.
    """

    def __init__(self, representation: Representation, uses: int) -> None:
        self.representation, self.uses = representation, uses
        self._kept: tuple[CSR, CSR, Any] | None = None

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """The vectors, shape (L, anything); made again for other matrices than last time."""
        kept = self._kept
        if kept is None or not (_equal(kept[0], X) and _equal(kept[1], Y)):
            kept = (X, Y, self.representation.represent(X, Y, threads=threads))
        self.uses -= 1
        self._kept = kept if self.uses > 0 else None
        return kept[2]


def _equal(first: CSR, second: CSR) -> bool:
    return first.shape == second.shape and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("indptr", "indices", "data")
    )


@contextmanager
def shared_representations(groups: Sequence[tuple[Any, Sequence[Any]]]) -> Iterator[None]:
    """Within, members that make the same label vectors make them once.

    Parameters
    ----------
    groups : sequence of (model, clones of it)
        Clones of one model share, and so do all that use PIFA with the same settings.
    """
    users: dict[Any, list[Any]] = {}
    for model, clones in groups:
        if "representation" in model.get_params(deep=False):
            made_by = PIFA() if model.representation is None else model.representation
            users.setdefault(made_by if type(made_by) is PIFA else id(made_by), []).extend(clones)
    own = [(member, member.representation) for members in users.values() for member in members]
    for members in users.values():
        made_by = members[0].representation
        once = MadeOnce(PIFA() if made_by is None else made_by, len(members))
        for member in members:
            member.representation = once
    try:
        yield
    finally:
        for member, representation in own:
            member.representation = representation
