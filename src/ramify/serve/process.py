"""A process with the models, as the front of the service sees it: started, connected, and ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from ramify.errors import ModelFileError
from ramify.serve.batching import Waiting
from ramify.serve.jobs import Facts, Job, Place
from ramify.serve.worker import SIZE, encoded, run


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
        try:
            self._process.start()
        except BaseException:
            self._socket.close()
            raise
        finally:
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
