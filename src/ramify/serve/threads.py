"""Models in a thread of this process, for applications with their own server, and for tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from ramify.serve.batching import Dispatcher, Waiting
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Answer, Job
from ramify.serve.tagging import answers


class ThreadLink:
    """A thread that answers batches.

    Parameters
    ----------
    dispatcher : Dispatcher
        Gives the batches.
    hosted : mapping of str to Hosted
        Models by name.
    """

    ready = True

    def __init__(self, dispatcher: Dispatcher, hosted: Mapping[str, Hosted]) -> None:
        self.batch: list[Waiting] = []
        self.sent = 0.0
        self._dispatcher, self._hosted = dispatcher, hosted
        self._thread = ThreadPoolExecutor(1, "ramify-models")

    def has(self, model: str) -> bool:
        """Whether there is such a model."""
        return model in self._hosted

    def send(self, model: str, version: str, jobs: list[Job]) -> None:
        """Begin to answer requests."""
        loop = asyncio.get_running_loop()
        done = self._thread.submit(_timed, self._hosted[model], jobs)
        done.add_done_callback(lambda found: self._deliver(loop, found))

    def kill(self) -> None:
        """A thread cannot be ended."""

    def _deliver(self, loop: asyncio.AbstractEventLoop, found: Future[tuple[list[Answer], float]]) -> None:
        if loop.is_closed():
            self.batch = []
        else:
            loop.call_soon_threadsafe(self._dispatcher.done, self, *found.result())


def _timed(one: Hosted, jobs: list[Job]) -> tuple[list[Answer], float]:
    begin = time.perf_counter()
    return answers(one, jobs), time.perf_counter() - begin
