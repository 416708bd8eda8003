"""Connections to a service without a client library, and an open loop of requests at a given rate."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from racing.rows import Row

HEAD_END = b"\r\n\r\n"
WAITING = 60.0
"""Seconds after the last request within which answers must come."""


class Reply:
    """An answer: its status, headers and body.

    Parameters
    ----------
    head, body : bytes
    """

    def __init__(self, head: bytes, body: bytes) -> None:
        self.status, self.body = int(head[9:12]), body
        self.closes = b"connection: close" in head.lower()


class Client(asyncio.Protocol):
    """One connection, with one request at a time.

    ``LostError`` follows if the connection ends before the answer is complete.
    """

    def __init__(self) -> None:
        self._received = bytearray()
        self._waiting: asyncio.Future[Reply] | None = None
        self.transport: Any = None

    @classmethod
    async def connect(cls, port: int) -> Client:
        """A new connection."""
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return client

    async def ask(self, request: bytes) -> Reply:
        """The answer to a request."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            raise LostError("the connection was closed before the request")
        self.transport.write(request)
        return await self._waiting

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return not self.transport.is_closing()

    def close(self) -> None:
        """End the connection."""
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0:
            return
        head = bytes(self._received[:end])
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        begin = end + len(HEAD_END)
        if len(self._received) >= begin + size:
            body = bytes(self._received[begin : begin + size])
            del self._received[: begin + size]
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(Reply(head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(LostError("the connection was closed before the answer"))


class LostError(Exception):
    """A request was sent, and has no answer."""


def request_of(body: bytes, path: str = "/v1/tag") -> bytes:
    """A request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answers(port: int, bodies: Sequence[bytes], connections: int = 4) -> list[Reply]:
    """The answers to all requests, in their order."""
    found: dict[int, Reply] = {}
    waiting = deque(enumerate(bodies))

    async def work() -> None:
        client = await Client.connect(port)
        while waiting:
            number, body = waiting.popleft()
            found[number] = await client.ask(request_of(body))
        client.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return [found[number] for number in range(len(bodies))]


class OpenLoop:
    """Requests at random times of a given mean rate, however long answers take.

    The latency of a request counts from the time at which it was to be sent, also where no connection was free then
    (a new one is opened) or where this process was late. ``late_ms`` says how late it was: percentile 99.

    Parameters
    ----------
    port : int
    bodies : sequence of bytes
    rate : float
        Requests per second.
    seconds : float
    seed : int, default 0
    """

    def __init__(self, port: int, bodies: Sequence[bytes], rate: float, seconds: float, seed: int = 0) -> None:
        self.port, self.rate, self.seconds = port, rate, seconds
        self._requests = [request_of(body) for body in bodies]
        self._random = random.Random(seed)
        self._free: list[Client] = []
        self._latencies: list[float] = []
        self._late: list[float] = []
        self._statuses: Counter[str] = Counter()

    async def run(self) -> Row:
        """Send all requests, wait for the answers, and return the figures."""
        self._free = [await Client.connect(self.port) for _ in range(8)]
        tasks = []
        begin = at = time.perf_counter()
        while at < begin + self.seconds:
            at += self._random.expovariate(self.rate)
            pause = at - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            tasks.append(asyncio.create_task(self._one(at)))
        _done, late = await asyncio.wait(tasks, timeout=WAITING)
        for task in late:
            task.cancel()
        self._statuses["unanswered"] += len(late)
        return self._figures(len(tasks))

    async def _one(self, at: float) -> None:
        client = self._free.pop() if self._free else await Client.connect(self.port)
        self._late.append(time.perf_counter() - at)
        try:
            reply = await client.ask(self._random.choice(self._requests))
        except (OSError, LostError):
            self._statuses["unanswered"] += 1
            return
        self._latencies.append(time.perf_counter() - at)
        self._statuses[str(reply.status)] += 1
        self._free.append(client)

    def _figures(self, sent: int) -> Row:
        p50, p90, p99, most = (1e3 * np.percentile(self._latencies or [np.nan], [50, 90, 99, 100])).round(3).tolist()
        return {
            "requests": sent,
            "statuses": {name: count for name, count in self._statuses.items() if count},
            "p50_ms": p50,
            "p90_ms": p90,
            "p99_ms": p99,
            "max_ms": most,
            "late_ms": round(1e3 * float(np.percentile(self._late, 99)), 3),
        }
