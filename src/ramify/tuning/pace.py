"""The time of a search: what is left, what a training will probably take, and the end of a training at the limit."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from ramify.tuning.settings import Settings


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
        seconds = self._seconds.get(_kind(settings))
        return self.left > (median(seconds) if seconds else 0.0)


def _kind(settings: Settings) -> tuple[object, ...]:
    """What determines the time of a training most."""
    trees = settings.trees * int(settings.model_settings.get("trees", 2 if settings.model == "blend" else 1))
    return settings.model, trees, settings.static, "characters" in (settings.tfidf or {})
