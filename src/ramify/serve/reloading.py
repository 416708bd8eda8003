"""Models that are replaced while the service runs: their directories are watched, and new models are opened.

A directory is looked at every ``PERIOD`` seconds. A change counts when it is the same at two looks. A model that cannot
be opened is tried again when its directory changes again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ramify.serve.jobs import Place

PERIOD = 1.0
"""Seconds between looks at the directories."""

Identity = frozenset[tuple[str, int, int, int]]

log = logging.getLogger("ramify.serve")


def identity(directory: str) -> Identity:
    """Names, sizes, times and inodes of the files of a directory; empty if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)


class Watch:
    """Looks for changes of model directories.

    Parameters
    ----------
    places : sequence of Place
    on_change : async callable
        Called with the name of a model whose directory has changed. It returns whether the new model is used, or None
        if it was not tried; then it is called again.
    known : mapping of str to Identity, optional
        State of the directories before their models were opened; the present one when None.
    """

    def __init__(
        self,
        places: Sequence[Place],
        on_change: Callable[[str], Awaitable[bool | None]],
        known: Mapping[str, Identity] | None = None,
    ) -> None:
        self._places, self._on_change = places, on_change
        self._known = dict(known or {place.name: identity(place.directory) for place in places})
        self._seen = dict(self._known)

    async def run(self) -> None:
        """Look until the task is cancelled."""
        while True:
            await asyncio.sleep(PERIOD)
            for place in self._places:
                try:
                    await self.look(place)
                except Exception:
                    log.exception("unexpected error")

    async def look(self, place: Place) -> None:
        """Look at one directory once."""
        now = await asyncio.to_thread(identity, place.directory)
        before, self._seen[place.name] = self._seen[place.name], now
        if now == self._known[place.name] or now != before or not now:
            return
        used = await self._on_change(place.name)
        if used is not None:
            self._known[place.name] = now
        if used:
            log.warning("the model %s was replaced; the new one is used", place.name)
