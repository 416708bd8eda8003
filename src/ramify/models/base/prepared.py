"""A call that is prepared for the settings of a model, and that is prepared again after a change of these.

Settings and call are replaced together, in one assignment, so that threads which share a model never pair the call of
one state with the settings of another.
"""

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
        Returns the values that the call depends on, compared by ``==``; it is called at each answer. It may hold the
        ``id`` of a fitted object that the call keeps a reference to.
    prepare : callable
        Returns the function for the current settings.
    """

    __slots__ = ("_prepare", "_settings", "_state")

    def __init__(self, settings: Callable[[], tuple[Any, ...]], prepare: Callable[[], Single]) -> None:
        self._settings, self._prepare = settings, prepare
        self._state = (settings(), prepare())

    def __call__(self, *instance: Any) -> tuple[Int32, Float32]:
        """Labels and scores, shapes (1, k), of one instance (see ``exchange.Single``)."""
        settings, (used, answer) = self._settings(), self._state
        if settings != used:
            answer = self._prepare()
            self._state = (settings, answer)
        return answer(*instance)
