"""A call that was prepared for the settings of a model, and that is prepared anew after they were changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ramify.exchange import Single
from ramify.values import Float32, Int32


class PreparedCall:
    """Answers for single instances.

    Parameters
    ----------
    settings : callable
        Gives the values that the call depends on, compared by ``==``; it is called at each answer.
    prepare : callable
        Makes the call for the present settings.
    """

    __slots__ = ("_answer", "_prepare", "_settings", "_used")

    def __init__(self, settings: Callable[[], tuple[Any, ...]], prepare: Callable[[], Single]) -> None:
        self._settings, self._prepare = settings, prepare
        self._used, self._answer = settings(), prepare()

    def __call__(self, indices: Int32, values: Float32) -> tuple[Int32, Float32]:
        """Labels and scores, shapes (1, k), of one instance's (feature numbers, values)."""
        settings = self._settings()
        if settings != self._used:
            self._answer = self._prepare()
            self._used = settings
        return self._answer(indices, values)
