"""The processes with the models: replaced when they end, and brought to the same versions of the models.

A process that is replaced opens the versions in use (``kept``), whatever the model directories hold by then. One that
cannot open a model tries again, while the other processes answer.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from ramify.errors import InputError
from ramify.serve.batching import Dispatcher
from ramify.serve.config import Limits
from ramify.serve.jobs import Facts, Place
from ramify.serve.kept import Kept
from ramify.serve.process import Process
from ramify.serve.reloading import identity

SETTLED = 10.0
"""Seconds after which the end of a process is no failed start."""

LONGEST_PAUSE = 5.0
"""Seconds between failed starts at most."""

PAUSES = (1.0, 30.0)
"""Seconds between a process's tries to open a model: first, and at most."""

REMEDY = "raise the limits of open files, processes and memory"

log = logging.getLogger("ramify.serve")


class Processes:
    """Several processes with the same models.

    Parameters
    ----------
    places : sequence of Place
        The models, the default one first.
    number : int
        Number of processes.
    limits : Limits, optional
        Default limits when None.

    Raises
    ------
    ModelFileError
        A model cannot be opened.
    InputError
        The system starts no process.
    """

    def __init__(self, places: Sequence[Place], number: int, limits: Limits | None = None) -> None:
        self.places, self.number = list(places), number
        self.restarts = 0
        self.identities = {place.name: identity(place.directory) for place in self.places}
        self._failures = 0
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._aligning: set[tuple[Process, str]] = set()
        self._tickets = itertools.count()
        self._opening: dict[int, tuple[Process, asyncio.Future[Facts | str | None]]] = {}
        self._kept = Kept()
        self._started: list[Process] = []
        try:
            for _ in range(number):
                self._started.append(Process(self.places))
            for link in self._started:
                link.wait()
        except OSError as error:
            self.close()
            raise InputError(f"the processes of the models cannot be started ({error.strerror}): {REMEDY}") from None
        except BaseException:
            self.close()
            raise
        self.dispatcher = Dispatcher(self._started[0].facts, limits or Limits())
        for place in self.places:
            self._kept.keep(place, self.dispatcher.models[place.name].version)

    async def start(self) -> None:
        """Connect the processes to the event loop."""
        for link in self._started:
            await self._join(link)
            self._align(link)
        self._started = []

    async def stop(self) -> None:
        """End all processes."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        links: list[Any] = [*self._started, *self.dispatcher.links]
        for link in links:
            link.end()
        await asyncio.gather(*(asyncio.to_thread(link.join) for link in links))
        self._started = []
        self.dispatcher.links.clear()
        self._kept.close()

    def close(self) -> None:
        """End all processes at once, where ``stop`` was not awaited; they ignore the signals of a terminal."""
        links: list[Any] = [*self._started, *(self.dispatcher.links if hasattr(self, "dispatcher") else [])]
        for link in links:
            link.kill()
            link.join()
        self._kept.close()

    async def open_again(self, name: str) -> bool | None:
        """Let every process open the present model of a directory, then use it.

        If a process cannot open it, all keep the model in use.

        Returns
        -------
        bool or None
            Whether it is used; None if no process has tried to open it.
        """
        [place] = [place for place in self.places if place.name == name]
        links: list[Any] = [link for link in self.dispatcher.links if link.ready]
        found = await asyncio.gather(*(self._opened(link, place) for link in links))
        sentences = [one for one in found if isinstance(one, str)]
        versions = {one.version: one for one in found if isinstance(one, Facts)}
        if not sentences and not versions:
            return None
        used = not sentences and len(versions) == 1
        if used:
            (version, facts), *_ = versions.items()
            self._kept.keep(place, version)
            self.dispatcher.models[name] = facts
        elif sentences:
            log.warning("the model %s was replaced, but %s; the earlier one is used", name, sentences[0])
        for link in self.dispatcher.links:
            if isinstance(link, Process) and link.ready:
                self._align(link)  # also those that became ready meanwhile
        return used

    async def _opened(self, link: Process, place: Place) -> Facts | str | None:
        """What a process finds in a model directory: a model, or one sentence; None if it has ended."""
        ticket, future = next(self._tickets), asyncio.get_running_loop().create_future()
        self._opening[ticket] = link, future
        link.tell(("open", ticket, *place))
        found: Facts | str | None = await future
        if isinstance(found, Facts):
            link.versions[place.name] = found.version
        return found

    def _align(self, link: Process) -> None:
        """Let a process use the versions in use, and close others."""
        for name, facts in self.dispatcher.models.items():
            if link.versions.get(name) == facts.version:
                link.tell(("forget", name, facts.version))
            elif (link, name) not in self._aligning:
                self._aligning.add((link, name))
                self._do(self._open_in(link, name))

    async def _open_in(self, link: Process, name: str) -> None:
        """Let a process open the version in use, as often as it takes."""
        [place] = [place for place in self.places if place.name == name]
        pause, longest = PAUSES
        while link.ready and link.versions.get(name) != self.dispatcher.models[name].version:
            found = await self._opened(link, self._kept.place(place))
            if isinstance(found, Facts):
                self.dispatcher.wake()
            elif found is not None:
                log.warning("process %s cannot open the model %s, because %s; it tries again", link.pid, name, found)
            if link.versions.get(name) != self.dispatcher.models[name].version:
                await asyncio.sleep(pause)
                pause = min(longest, 2 * pause)
        self._aligning.discard((link, name))
        if link.ready and all(
            one is not link for one, _ in self._opening.values()
        ):  # ``open_again`` aligns it at its end
            link.tell(("forget", name, self.dispatcher.models[name].version))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task until the processes stop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, link: Process) -> None:
        link.on_message, link.on_end = self._message, self._end
        await link.connect()
        self.dispatcher.links.append(link)

    def _message(self, link: Process, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        if kind == "done":
            self.dispatcher.done(link, *rest)
        elif kind == "opened":
            ticket, found = rest
            self._opening.pop(ticket)[1].set_result(found)
        elif kind == "ready":
            self._align(link)
            self.dispatcher.wake()

    def _end(self, link: Process) -> None:
        """A process has ended: its batch goes to another one, and a new one is started."""
        if link in self.dispatcher.links:
            self.dispatcher.links.remove(link)
        for ticket in [ticket for ticket, (one, _) in self._opening.items() if one is link]:
            self._opening.pop(ticket)[1].set_result(None)
        if self._stopping:
            return
        self._failures = 0 if time.monotonic() - link.started > SETTLED else self._failures + 1
        self.dispatcher.lost(link)
        self._do(self._replace(link))

    async def _replace(self, link: Process) -> None:
        await asyncio.to_thread(link.join)
        self.restarts += 1
        log.warning("process %s ended with code %s; a new one is started", link.pid, link.exit_code)
        new = None
        while new is None:
            if self._failures > self.number:
                await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2 ** min(10, self._failures - self.number)))
            try:
                new = await asyncio.to_thread(Process, [self._kept.place(place) for place in self.places])
            except OSError as error:
                self._failures = max(self._failures, self.number) + 1
                log.warning("no new process can be started (%s); it is tried again: %s", error.strerror, REMEDY)
        if self._stopping:
            new.end()
            new.join()
            return
        await self._join(new)
