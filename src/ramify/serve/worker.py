"""A process that holds the models and answers batches until the front closes the connection."""

from __future__ import annotations

import gc
import logging
import pickle
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ramify.errors import RamifyError
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Answer, Place, Refusal

SIZE = struct.Struct("<Q")
"""Before each message: its length in bytes."""


def encoded(message: Any) -> bytes:
    """A message with its length; both ends are processes of one service, so that pickle is safe."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return SIZE.pack(len(body)) + body


def run(connection: socket.socket, places: Sequence[Place]) -> None:
    """Open the models, report them, and answer until the connection is closed."""
    # Signals of a terminal or a service manager go to all processes; the front ends this one by closing the connection.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(format="ramify: %(message)s")
    with suppress(OSError, EOFError):
        Worker(connection, places).work()


class Worker:
    """The models, and the connection to the front.

    Parameters
    ----------
    connection : socket
    places : sequence of Place
        The models.
    """

    def __init__(self, connection: socket.socket, places: Sequence[Place]) -> None:
        self._connection, self._places = connection, {place.name: place for place in places}
        self._hosted: dict[tuple[str, str], Hosted] = {}
        self._latest: dict[str, Hosted] = {}
        self._sending = threading.Lock()

    def work(self) -> None:
        """Open the models, and answer messages."""
        _one_thread()
        failed: dict[str, str] = {}
        for name in self._places:
            found = self._opened(name)
            if isinstance(found, str):
                failed[name] = found
        gc.collect()
        gc.freeze()  # collections need not visit the models
        self._send(("ready", [one.facts for one in self._latest.values()], failed))
        while True:
            kind, *arguments = self._received()
            if kind == "batch":
                self._answer(*arguments)
            elif kind == "open":
                threading.Thread(target=self._open, args=arguments, daemon=True).start()
            elif kind == "forget":
                self._forget(*arguments)

    def _answer(self, model: str, version: str, jobs: list[Any]) -> None:
        from ramify.serve.tagging import answers

        begin = time.perf_counter()
        one = self._hosted.get((model, version), self._latest.get(model))
        found: list[Answer] = (
            [Refusal(503, f"the model {model!r} cannot be opened: send the request again later")] * len(jobs)
            if one is None
            else answers(one, jobs)
        )
        self._send(("done", found, time.perf_counter() - begin))

    def _open(self, name: str) -> None:
        """Open the present model of a directory beside the one in use."""
        found = self._opened(name)
        self._send(("unopened", name, found) if isinstance(found, str) else ("opened", name, found.facts))

    def _opened(self, name: str) -> Hosted | str:
        """The model, or one sentence."""
        try:
            one = Hosted.open(name, self._places[name].directory)
        except RamifyError as error:
            return str(error)
        except Exception as error:
            return f"{self._places[name].directory} cannot be opened ({type(error).__name__})"
        self._hosted[name, one.version] = self._latest[name] = one
        return one

    def _forget(self, name: str, kept: str) -> None:
        """Close all versions of a model but one."""
        for key in [key for key in self._hosted if key[0] == name and key[1] != kept]:
            del self._hosted[key]
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _send(self, message: Any) -> None:
        with self._sending:
            self._connection.sendall(encoded(message))

    def _received(self) -> Any:
        (size,) = SIZE.unpack(self._exactly(SIZE.size))
        return pickle.loads(self._exactly(size))

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            got = self._connection.recv_into(view[at:])
            if not got:
                raise EOFError
            at += got
        return data


def _one_thread() -> None:
    """Let numerical libraries use one thread, as there are several processes."""
    with suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
