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
from ramify.serve.jobs import Answer, Facts, Place, Refusal

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
        self._hosted: dict[str, dict[str, Hosted]] = {name: {} for name in self._places}  # by version, the latest last
        self._sending = threading.Lock()

    def work(self) -> None:
        """Open the models, and answer messages."""
        _one_thread()
        failed: dict[str, str] = {}
        facts: list[Facts] = []
        for place in self._places.values():
            found = self._opened(*place)
            if isinstance(found, str):
                failed[place.name] = found
            else:
                facts.append(found.facts)
        gc.collect()
        gc.freeze()  # collections need not visit the models
        self._send(("ready", facts, failed))
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
        hosted = self._hosted[model]
        one = hosted.get(version) or next(iter(list(hosted.values())[-1:]), None)
        found: list[Answer] = (
            [Refusal(503, f"the model {model!r} cannot be opened: send the request again later")] * len(jobs)
            if one is None
            else answers(one, jobs)
        )
        self._send(("done", found, time.perf_counter() - begin))

    def _open(self, ticket: int, name: str, directory: str) -> None:
        """Open a model beside the one in use."""
        found = self._opened(name, directory)
        self._send(("opened", ticket, found if isinstance(found, str) else found.facts))

    def _opened(self, name: str, directory: str) -> Hosted | str:
        """The model, or one sentence."""
        try:
            one = Hosted.open(name, directory)
        except RamifyError as error:
            return str(error)
        except Exception as error:
            return f"{directory} cannot be opened ({type(error).__name__})"
        self._hosted[name].pop(one.version, None)
        self._hosted[name][one.version] = one
        return one

    def _forget(self, name: str, kept: str) -> None:
        """Close all versions of a model but one, if that one is there."""
        hosted = self._hosted[name]
        for version in list(hosted) if kept in hosted else ():
            if version != kept:
                del hosted[version]
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
