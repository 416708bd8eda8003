"""A prepared prediction function that is rebuilt when the settings of its model have changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ramify.exchange import Single
from ramify.values import Float32, Int32


class PreparedCall:
    """Prediction for single instances.

    Parameters
    ----------
    settings : callable
        Returns the values that the function depends on, compared by ``==``; called for each prediction.
    prepare : callable
        Returns the function for the current settings.
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
