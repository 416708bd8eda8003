"""``+`` between vectorizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ramify.checks import Own
from ramify.errors import InputError
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.features.concatenated import Concatenated

METHODS = ("fit_transform", "transform")
"""Methods of a vectorizer."""


class Addable:
    """Base of vectorizers: ``first + second`` is ``Concatenated(first, second)``, also with those of scikit-learn."""

    def __add__(self, other: Any) -> Concatenated:
        return _sum(self, other, other)

    def __radd__(self, other: Any) -> Concatenated:
        return _sum(other, self, other)


def _sum(first: Any, second: Any, other: Any) -> Concatenated:
    if isinstance(other, type) or not Own(METHODS).fits(other):
        shown = f"the class {other.__name__}" if isinstance(other, type) else quoted(other)
        raise InputError(f"{shown} is added to a vectorizer, but must be an object with {' and '.join(METHODS)}")
    from ramify.features.concatenated import Concatenated

    return Concatenated(first, second)
