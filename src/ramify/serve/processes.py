"""The processes with the models: started, connected, and replaced when they end."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from ramify.errors import ModelFileError
from ramify.serve.batching import Dispatcher, Waiting
from ramify.serve.config import Limits
from ramify.serve.jobs import Facts, Job, Place
from ramify.serve.worker import SIZE, encoded, run

SETTLED = 10.0
"""Seconds after which the end of a process is no failed start."""

LONGEST_PAUSE = 5.0
"""Seconds between failed starts at most."""

log = logging.getLogger("ramify.serve")


class Process(asyncio.Protocol):
    """A link to a process with the models.

    Parameters
    ----------
    places : sequence of Place
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.ready = False
        self.batch: list[Waiting] = []
        self.sent = 0.0
        self.versions: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.facts: list[Facts] = []
        self.started = time.monotonic()
        self.on_message: Callable[[Process, tuple[Any, ...]], None] = lambda link, message: None
        self.on_end: Callable[[Process], None] = lambda link: None
        self._transport: Any = None
        self._received = bytearray()
        self._socket, theirs = socket.socketpair()
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads and connections
        self._process = context.Process(target=run, args=(theirs, list(places)), daemon=True, name="ramify-models")
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Wait until the models are open.

        Raises
        ------
        ModelFileError
            A model cannot be opened, or the process ended.
        """
        while not self.ready:
            data = self._socket.recv(65_536)
            if not data:
                raise ModelFileError("a process ended while it opened the models: give it more memory")
            self._messages_of(data)
        if self.failed:
            raise ModelFileError(next(iter(self.failed.values())))

    async def connect(self) -> None:
        """Use the event loop from now on."""
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        connect = loop.create_unix_connection if hasattr(socket, "AF_UNIX") else loop.create_connection
        await connect(lambda: self, sock=self._socket)

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process; negative for a signal."""
        return self._process.exitcode

    def has(self, model: str) -> bool:
        """Whether the process holds a model."""
        return model in self.versions

    def send(self, model: str, version: str, jobs: list[Job]) -> None:
        """Begin to answer requests."""
        self.tell(("batch", model, version, jobs))

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message to the process."""
        self._transport.write(encoded(message))

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> None:
        """Close the connection, so that the process ends; call ``join`` then."""
        if self._transport is None:
            self._socket.close()
        else:
            self._transport.abort()

    def join(self, seconds: float = 2.0) -> None:
        """Wait for the end of the process, which is killed after some seconds."""
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        for message in self._messages_of(data):
            self.on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.ready = False
        self.on_end(self)

    def _messages_of(self, data: bytes) -> list[tuple[Any, ...]]:
        self._received += data
        found = []
        while len(self._received) >= SIZE.size:
            (size,) = SIZE.unpack_from(self._received)
            if len(self._received) < SIZE.size + size:
                break
            message = pickle.loads(memoryview(self._received)[SIZE.size : SIZE.size + size])
            del self._received[: SIZE.size + size]
            if message[0] == "ready":
                _, self.facts, self.failed = message
                self.versions = {one.name: one.version for one in self.facts}
                self.ready = True
            found.append(message)
        return found


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
    """

    def __init__(self, places: Sequence[Place], number: int, limits: Limits | None = None) -> None:
        self.places, self.number = list(places), number
        self.restarts = 0
        self._failures = 0
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: dict[Process, asyncio.Future[Facts | str | None]] = {}
        self._started = started = [Process(self.places) for _ in range(number)]
        try:
            for link in started:
                link.wait()
        except BaseException:
            self.close()
            raise
        self.dispatcher = Dispatcher(started[0].facts, limits or Limits())

    async def start(self) -> None:
        """Connect the processes to the event loop."""
        for link in self._started:
            await self._join(link)
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

    def close(self) -> None:
        """End all processes at once, where ``stop`` was not awaited; they ignore the signals of a terminal."""
        links: list[Any] = [*self._started, *(self.dispatcher.links if hasattr(self, "dispatcher") else [])]
        for link in links:
            link.kill()
            link.join()

    async def open_again(self, name: str) -> bool:
        """Let every process open the present model of a directory, then use it; whether it is used.

        If a process cannot open it, all keep the model in use.
        """
        links: list[Any] = [link for link in self.dispatcher.links if link.ready]
        loop = asyncio.get_running_loop()
        for link in links:
            self._opening[link] = loop.create_future()
            link.tell(("open", name))
        found = [one for one in await asyncio.gather(*(self._opening[link] for link in links)) if one is not None]
        for link in links:
            self._opening.pop(link, None)
        sentences = [one for one in found if isinstance(one, str)]
        versions = {one.version: one for one in found if isinstance(one, Facts)}
        if sentences or len(versions) != 1:
            if sentences:
                log.warning("the model %s was replaced, but %s; the earlier one is used", name, sentences[0])
            return False
        (version, facts), *_ = versions.items()
        self.dispatcher.models[name] = facts
        for link in links:
            link.versions[name] = version
            link.tell(("forget", name, version))
        return True

    async def _join(self, link: Process) -> None:
        link.on_message, link.on_end = self._message, self._end
        await link.connect()
        self.dispatcher.links.append(link)

    def _message(self, link: Process, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        if kind == "done":
            self.dispatcher.done(link, *rest)
        elif kind in ("opened", "unopened"):
            waiting = self._opening.get(link)
            if waiting is not None and not waiting.done():
                waiting.set_result(rest[1])
        elif kind == "ready":
            for name, sentence in link.failed.items():
                log.warning("a new process has no model %s, because %s", name, sentence)
            self.dispatcher.wake()

    def _end(self, link: Process) -> None:
        """A process has ended: its batch goes to another one, and a new one is started."""
        if link in self.dispatcher.links:
            self.dispatcher.links.remove(link)
        waiting = self._opening.get(link)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if self._stopping:
            return
        self._failures = 0 if time.monotonic() - link.started > SETTLED else self._failures + 1
        self.dispatcher.lost(link)
        task = asyncio.get_running_loop().create_task(self._replace(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self, link: Process) -> None:
        await asyncio.to_thread(link.join)
        self.restarts += 1
        log.warning("process %s ended with code %s; a new one is started", link.pid, link.exit_code)
        if self._failures > self.number:
            await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2 ** min(10, self._failures - self.number)))
        new = await asyncio.to_thread(Process, self.places)
        if self._stopping:
            new.end()
            new.join()
            return
        await self._join(new)
