"""The time of a search: what is left, what a training will probably take, and the end of a training at the limit."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from ramify.tuning.settings import BLEND, Settings

SHARE_OF_DEFAULT = 1 / 6
"""Share of the limit that the default may take; of large data, fewer folds are held out then."""

COST_OF_BLEND, COST_OF_STATIC = 4.0, 1.5


class OutOfTimeError(Exception):
    """The limit is reached."""


class Pace:
    """Clock of a search.

    Parameters
    ----------
    begun : float
        ``time.monotonic()`` at the begin.
    limit : float or None
        Limit in seconds; None for no limit.
    """

    def __init__(self, begun: float, limit: float | None) -> None:
        self.begun, self.limit = begun, limit
        self._seconds: dict[tuple[object, ...], list[float]] = defaultdict(list)

    @property
    def elapsed(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return float("inf") if self.limit is None else self.limit - self.elapsed

    @property
    def limit_text(self) -> str:
        """The limit as text."""
        return "no time" if self.limit is None else f"{self.limit / 60:g} minutes"

    def check_time(self, stage: str, done: float) -> None:
        """A progress callback that ends a training at the limit.

        Raises
        ------
        OutOfTimeError
            The limit is reached.
        """
        if self.left <= 0:
            raise OutOfTimeError

    @contextmanager
    def training(self, settings: Settings) -> Iterator[None]:
        """Context of one training, whose time is recorded for estimates.

        Raises
        ------
        OutOfTimeError
            The training would probably not be finished in time.
        """
        if not self.allows(settings):
            raise OutOfTimeError
        begun = time.monotonic()
        yield
        self._seconds[_kind(settings)].append(time.monotonic() - begun)

    def allows(self, settings: Settings) -> bool:
        """Whether a training of this kind probably fits into the time left; True if none was finished yet."""
        if self.limit is None:
            return True
        return self.left > self._expected(settings)

    def folds(self, settings: Settings, most: int) -> int:
        """Number of folds of which the default, with these settings, takes at most a sixth of the limit."""
        seconds = self._seconds.get(_kind(settings))
        if self.limit is None or not seconds:
            return most
        return max(1, min(most, int(SHARE_OF_DEFAULT * self.limit / max(seconds[0], 1e-9))))

    def _expected(self, settings: Settings) -> float:
        """Seconds of a training: those of its kind, or else of another kind times the ratio of their usual costs."""
        seconds = self._seconds.get(_kind(settings))
        if seconds:
            return median(seconds)
        first = next(iter(self._seconds.values()), None)
        return 0.0 if first is None else _usual_cost(settings) * median(first)


def _usual_cost(settings: Settings) -> float:
    """Time of a training, as a multiple of that of the default, where none of its kind was measured."""
    return (
        settings.trees
        * (COST_OF_BLEND if settings.model == BLEND else 1.0)
        * (COST_OF_STATIC if settings.static else 1.0)
    )


def _kind(settings: Settings) -> tuple[object, ...]:
    """What determines the time of a training most."""
    trees = settings.trees * int(settings.model_settings.get("trees", 2 if settings.model == BLEND else 1))
    return settings.model, trees, settings.static, "characters" in (settings.tfidf or {})
