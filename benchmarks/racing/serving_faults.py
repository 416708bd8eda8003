"""Load while model processes are killed, the model is replaced, and clients leave or send too much.

Steady clients send single texts and batches in a closed loop, and never leave: each of their requests must be answered
(``unanswered`` is 0). Leaving clients end their connection at a random time, before or after the whole request was
sent. Oversized requests declare or send a body above the limit, or have too many texts; they must be refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import signal
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from racing.rows import Row
from racing.serving_clients import Client, LostError, Reply, request_of
from racing.serving_load import bodies
from racing.serving_systems import Service

VERSION = re.compile(rb'"version":"([^"]*)"')
COUNTED = re.compile(r'^ramify_requests_total\{route="([^"]*)",status="(\d+)"\} (\S+)$', re.MULTILINE)
BODY_LIMIT = 10_000_000
TEXT_LIMIT = 1_000
PATIENCE = 60.0
"""Seconds that a steady client waits for an answer."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What happens, in seconds, and how many clients of each kind there are."""

    seconds: float = 600.0
    kill_every: float = 20.0
    replace_every: float = 30.0
    sample_every: float = 5.0
    steady: int = 12
    batches: int = 4
    leaving: int = 4
    oversized: int = 1


class FaultRun:
    """One run.

    Parameters
    ----------
    service : Service
        Of ramify, with a model in ``place``.
    place : Path
        The model directory that is replaced.
    models : sequence of Path
        Model directories that replace it in turn.
    texts : sequence of str
    faults : Faults
    """

    def __init__(
        self, service: Service, place: Path, models: Sequence[Path], texts: Sequence[str], faults: Faults
    ) -> None:
        self.service, self.place, self.models, self.faults = service, place, models, faults
        self._single = [request_of(body) for body in bodies(texts, 1, 4000)]
        self._batch = [request_of(body) for body in bodies(texts, 32, 500)]
        self._many = request_of(json.dumps({"texts": ["a"] * (TEXT_LIMIT + 1)}).encode())
        self._random = random.Random(0)
        self._statuses: dict[str, Counter[str]] = {}
        self._versions: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._memory: list[tuple[float, float, int]] = []
        self._wrong = self._kills = self._replacements = 0
        self._begin = self._end = 0.0

    async def run(self) -> Row:
        """Everything at once; then the figures."""
        faults = self.faults
        self._begin = time.perf_counter()
        self._end = self._begin + faults.seconds
        clients: list[Callable[[], Awaitable[None]]] = [lambda: self._steady("single", self._single, 1)] * faults.steady
        clients += [lambda: self._steady("batch", self._batch, 32)] * faults.batches
        clients += [self._leaving] * faults.leaving + [self._oversized] * faults.oversized
        clients += [self._kill, self._replace, self._sample]
        await asyncio.gather(*(client() for client in clients))
        await asyncio.sleep(2)
        return self._figures()

    async def _steady(self, kind: str, requests: Sequence[bytes], texts: int) -> None:
        """Ask again and again; connect again only where the service has closed the connection after an answer."""
        client: Client | None = None
        while time.perf_counter() < self._end:
            begin = time.perf_counter()
            try:
                if client is None or not client.is_open:
                    client = await Client.connect(self.service.port)
                reply = await asyncio.wait_for(client.ask(self._random.choice(requests)), PATIENCE)
            except (OSError, LostError, asyncio.TimeoutError) as error:
                self._count(kind, f"unanswered ({type(error).__name__})")
                client = None
                continue
            self._latencies.append(time.perf_counter() - begin)
            self._answered(kind, reply, texts)
        if client is not None:
            client.close()

    def _answered(self, kind: str, reply: Reply, texts: int) -> None:
        self._count(kind, str(reply.status))
        if reply.status == 200:
            found = VERSION.search(reply.body)
            self._versions["" if found is None else found[1].decode()] += 1
            self._wrong += reply.body.count(b'"labels":') != texts

    async def _leaving(self) -> None:
        while time.perf_counter() < self._end:
            with suppress(OSError):
                client = await Client.connect(self.service.port)
                request = self._random.choice((*self._single[:100], *self._batch[:100]))
                sent = self._random.choice((len(request), self._random.randrange(len(request))))
                client.transport.write(request[:sent])
                await asyncio.sleep(self._random.uniform(0, 0.02))
                (client.transport.abort if self._random.random() < 0.5 else client.close)()
                self._count("leaving", "left")
            await asyncio.sleep(0.02)

    async def _oversized(self) -> None:
        """A body that is too large by its declared length, one by its chunks, and one with too many texts, in turn."""
        head = b"POST /v1/tag HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        declared = head + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1)
        chunk = b"%x\r\n%s\r\n" % (BODY_LIMIT // 10, b" " * (BODY_LIMIT // 10))
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + 11 * chunk + b"0\r\n\r\n"
        kinds = {"declared": declared, "chunked": chunked, "texts": self._many}
        while time.perf_counter() < self._end:
            for name, request in kinds.items():
                try:
                    client = await Client.connect(self.service.port)
                    reply = await asyncio.wait_for(client.ask(request), PATIENCE)
                    self._count(f"oversized, {name}", str(reply.status))
                    client.close()
                except (OSError, LostError, asyncio.TimeoutError) as error:
                    self._count(f"oversized, {name}", f"unanswered ({type(error).__name__})")
                await asyncio.sleep(0.3)

    def _count(self, kind: str, status: str) -> None:
        self._statuses.setdefault(kind, Counter())[status] += 1

    async def _kill(self) -> None:
        while await self._pause(self.faults.kill_every):
            pids = self.service.model_pids()
            if pids:
                with suppress(ProcessLookupError):
                    os.kill(self._random.choice(pids), signal.SIGKILL)
                    self._kills += 1

    async def _replace(self) -> None:
        number = 0
        while await self._pause(self.faults.replace_every):
            number += 1
            await asyncio.to_thread(replace_model, self.models[number % len(self.models)], self.place)
            self._replacements += 1

    async def _sample(self) -> None:
        """Memory of the service; and that of the generator beside it, which does not count."""
        while await self._pause(self.faults.sample_every):
            size = await asyncio.to_thread(self.service.memory_bytes)
            self._memory.append((time.perf_counter() - self._begin, size / 1e6, len(self.service.pids())))

    async def _pause(self, seconds: float) -> bool:
        """Sleep; whether the run goes on after it."""
        left = self._end - time.perf_counter()
        await asyncio.sleep(max(0.0, min(seconds, left)))
        return seconds < left

    def _figures(self) -> Row:
        statuses = {kind: dict(found) for kind, found in self._statuses.items()}
        lost = {kind: sum(n for name, n in found.items() if "unanswered" in name) for kind, found in statuses.items()}
        return {
            "sent": sum(sum(found.values()) for found in statuses.values()),
            "statuses": statuses,
            "unanswered": lost.get("single", 0) + lost.get("batch", 0),
            "oversized_unanswered": sum(count for kind, count in lost.items() if kind.startswith("oversized")),
            "wrong": self._wrong,
            "versions": dict(self._versions),
            "kills": self._kills,
            "replacements": self._replacements,
            "latency_ms": [round(1e3 * float(q), 2) for q in np.percentile(self._latencies or [0], [50, 99, 100])],
            "memory": memory_figures([size for _, size, _ in self._memory]),
            "memory_mb": [[round(at), round(size, 1), count] for at, size, count in self._memory],
            "counted": counted(self.service.text("/metrics")),
            "ready": "ready" in self.service.text("/health/ready"),
        }


def memory_figures(samples: Sequence[float]) -> Row:
    """Medians of the first and the last quarter, the maximum, and whether the last quarter is at most 5% above."""
    if len(samples) < 4:
        return {}
    quarter = len(samples) // 4
    first, last = statistics.median(samples[:quarter]), statistics.median(samples[-quarter:])
    figures = {"start_mb": samples[0], "first_quarter_mb": first, "last_quarter_mb": last, "most_mb": max(samples)}
    return {name: round(value, 1) for name, value in figures.items()} | {"flat": last <= 1.05 * first}


def counted(metrics: str) -> dict[str, int]:
    """Requests by status, as the service counts them."""
    found: Counter[str] = Counter()
    for _, status, count in COUNTED.findall(metrics):
        found[status] += int(float(count))
    return dict(sorted(found.items()))


def replace_model(source: Path, place: Path) -> None:
    """Put a copy of a model directory in the place of another, as ``Tagger.save`` does."""
    from ramify import Tagger

    Tagger.load(source).save(place)


def fresh_place(source: Path, folder: Path) -> Path:
    """A copy of a model directory, which may be replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    return folder
