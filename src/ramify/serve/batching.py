"""Requests wait here, and go to the models in batches.

A free link takes the oldest request at once, and with it others for the same model: as many bytes as are expected to
take ``Limits.latency`` seconds, and at most ``Limits.batch``. So a request waits for no other one on an idle service,
and batches grow with the load. The expected time is a moving average of the seconds per byte of earlier batches.

Nothing is lost without an answer: a batch whose link is lost is given to another one, each request on its own, and what
fails ``ATTEMPTS`` times, or waits for ``Limits.answer`` seconds, is refused.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ramify.serve.config import Limits
from ramify.serve.jobs import LEFT, Answer, Call, Facts, Job, Refusal, Texts
from ramify.serve.problems import Problem

ATTEMPTS = 3
"""Links that may be lost by one request."""

OVERHEAD = 200
"""Bytes that a text costs besides its own."""

LABEL = 15
"""Bytes that a label of a text costs."""

REASONS = 10
"""Times the cost of a text per label with reasons."""

LOOKUP = 0.1
"""Seconds after which a look-up may go to any process."""

SWEEP = 0.25
"""Seconds between searches for requests that wait too long."""

GONE = Refusal(LEFT, "the client has left")
"""The answer of a request whose client reads none."""

KEPT = 0.9
"""Weight of the past in moving averages."""


class Waiting:
    """A request that waits for its answer.

    ``gone`` returns whether its client has left; ``queued`` and ``inference`` are seconds.
    """

    __slots__ = ("alone", "attempts", "cost", "future", "gone", "inference", "job", "model", "queued", "since")

    def __init__(self, model: str, job: Job, cost: int, gone: Callable[[], bool] | None) -> None:
        self.model, self.job, self.cost, self.gone = model, job, cost, gone
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.since = time.perf_counter()
        self.attempts, self.alone = 0, False
        self.queued = self.inference = 0.0

    def resolve(self, answer: Answer) -> None:
        """Give the answer, unless there is one."""
        if not self.future.done():
            self.future.set_result(answer)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.future.done() and not (self.gone is not None and self.gone())


class Link(Protocol):
    """A process or thread with models that answers one batch at a time."""

    ready: bool
    batch: list[Waiting]
    sent: float

    def has(self, model: str) -> bool:
        """Whether it holds a model."""

    def send(self, model: str, version: str, jobs: list[Job]) -> None:
        """Begin to answer requests; ``Dispatcher.done`` follows."""

    def kill(self) -> None:
        """End what takes too long; ``Dispatcher.lost`` follows."""


class Dispatcher:
    """The queue of requests, and the links that answer them.

    Parameters
    ----------
    facts : iterable of Facts
        The models, the default one first.
    limits : Limits
    """

    def __init__(self, facts: Iterable[Facts], limits: Limits) -> None:
        self.limits = limits
        self.models = {one.name: one for one in facts}
        self.links: list[Link] = []
        self.on_batch: Callable[[int], None] = lambda size: None
        self._texts: dict[str, deque[Waiting]] = {name: deque() for name in self.models}
        self._calls: deque[Waiting] = deque()
        self._waiting_cost = dict.fromkeys(self.models, 0)
        self._seconds_per_byte: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = self._sweeping = False

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._calls) + sum(map(len, self._texts.values()))

    @property
    def is_ready(self) -> bool:
        """Whether every model can be used."""
        return all(map(self.holds, self.models))

    def holds(self, model: str) -> bool:
        """Whether a model can be used."""
        return any(link.ready and link.has(model) for link in self.links)

    async def answer(self, model: str, job: Job, size: int, gone: Callable[[], bool] | None = None) -> Waiting:
        """The request with its answer in ``future``.

        Parameters
        ----------
        model : str
            Name of the model.
        job : Texts or Call
        size : int
            Bytes of the request.
        gone : callable, optional
            Returns whether the client has left.

        Raises
        ------
        Problem
            503 if the queue is too long, or there is no answer in time.
        """
        waiting = Waiting(model, job, cost_of(job, size), gone)
        self._refuse_overload(waiting)
        (self._calls if isinstance(job, Call) else self._texts[model]).append(waiting)
        self._waiting_cost[model] += waiting.cost
        self.wake()
        await waiting.future
        return waiting

    def wake(self) -> None:
        """Give requests to free links soon; those of this turn of the event loop go together."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._scheduled, self._sweeping = loop, False, False
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._dispatch)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP, self._sweep)

    def done(self, link: Link, answers: Sequence[Answer], seconds: float) -> None:
        """A link has answered its batch."""
        batch, link.batch = link.batch, []
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.inference = seconds
            waiting.resolve(answer)
        if batch and not isinstance(batch[0].job, Call):
            name, found = batch[0].model, seconds / max(1, sum(waiting.cost for waiting in batch))
            self._seconds_per_byte[name] = KEPT * self._seconds_per_byte.get(name, found) + (1 - KEPT) * found
        self.wake()

    def lost(self, link: Link) -> None:
        """A link has ended; its batch is given to another one, each request on its own."""
        batch, link.batch = link.batch, []
        for waiting in reversed(batch):
            waiting.attempts += 1
            waiting.alone = True
            if waiting.attempts >= ATTEMPTS:
                sentence = (
                    f"{waiting.attempts} processes ended while they answered this request: send it again in parts"
                )
                waiting.resolve(Refusal(503, sentence))
            elif waiting.is_wanted:
                (self._calls if isinstance(waiting.job, Call) else self._texts[waiting.model]).appendleft(waiting)
                self._waiting_cost[waiting.model] += waiting.cost
            else:
                waiting.resolve(GONE)
        if self._loop is not None and self._loop.is_running():
            self.wake()

    def _refuse_overload(self, waiting: Waiting) -> None:
        """Raise Problem if the requests before this one take too long."""
        links = sum(link.ready for link in self.links)
        costs = self._waiting_cost.items()
        seconds = sum(cost * self._seconds_per_byte.get(name, 0.0) for name, cost in costs) / max(1, links)
        if seconds > self.limits.answer:
            later = str(math.ceil(seconds))
            sentence = f"the service is overloaded: send the request again in {later} seconds"
            raise Problem(503, sentence, {"Retry-After": later})

    def _dispatch(self) -> None:
        self._scheduled = False
        free = [link for link in self.links if link.ready and not link.batch]
        for link in reversed(free):  # look-ups prefer the first one
            batch = self._next(link)
            if not batch:
                continue
            now = time.perf_counter()
            for waiting in batch:
                waiting.queued = now - waiting.since
            link.batch, link.sent = batch, now
            self.on_batch(sum(len(one.job.texts) for one in batch if isinstance(one.job, Texts)))
            name = batch[0].model
            link.send(name, self.models[name].version, [waiting.job for waiting in batch])

    def _next(self, link: Link) -> list[Waiting]:
        """The next batch for a link; look-ups prefer the first one, so that mostly one process makes their indexes."""
        queues = [queue for name, queue in self._texts.items() if link.has(name)]
        if self._calls and self._may_look_up(link, self._calls[0]):
            queues.append(self._calls)
        for queue in queues:
            while queue and not queue[0].is_wanted:
                self._taken(queue)
        queues = [queue for queue in queues if queue]
        return self._batch(min(queues, key=lambda queue: queue[0].since)) if queues else []

    def _may_look_up(self, link: Link, call: Waiting) -> bool:
        """Whether a link may take a look-up: the first one, or any after some time."""
        if not link.has(call.model):
            return False
        first = next(one for one in self.links if one.ready and one.has(call.model))
        return link is first or time.perf_counter() - call.since > LOOKUP

    def _batch(self, queue: deque[Waiting]) -> list[Waiting]:
        batch = [self._taken(queue)]
        first = batch[0]
        if first.alone or queue is self._calls:
            return batch
        seconds = self._seconds_per_byte.get(first.model)
        budget = self.limits.batch if seconds is None else min(self.limits.batch, self.limits.latency / seconds)
        cost = first.cost
        while queue and cost + queue[0].cost <= budget and not queue[0].alone:
            waiting = self._taken(queue)
            if waiting.is_wanted:
                batch.append(waiting)
                cost += waiting.cost
        return batch

    def _taken(self, queue: deque[Waiting]) -> Waiting:
        waiting = queue.popleft()
        self._waiting_cost[waiting.model] -= waiting.cost
        if not waiting.future.done() and not waiting.is_wanted:
            waiting.resolve(GONE)
        return waiting

    def _sweep(self) -> None:
        """Refuse what waits too long, and end links that take too long."""
        now, late = time.perf_counter(), False
        for queue in (*self._texts.values(), self._calls):
            for waiting in queue:
                if now - waiting.since > self.limits.answer:
                    self._expire(waiting)
            late |= bool(queue)
        for link in self.links:
            for waiting in link.batch:
                if now - waiting.since > self.limits.answer:
                    self._expire(waiting)
            if link.batch and now - link.sent > self.limits.answer:  # nobody waits for its answers any more
                link.kill()
            late |= bool(link.batch)
        if self._calls:
            self._dispatch()
        self._sweeping = late
        if late:
            asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def _expire(self, waiting: Waiting) -> None:
        sentence = f"there was no answer within {self.limits.answer:g} seconds: send the request again later"
        waiting.resolve(Refusal(503, sentence))


def cost_of(job: Job, size: int) -> int:
    """Bytes that a request counts in a batch."""
    if isinstance(job, Call):
        return OVERHEAD
    cost = size + OVERHEAD * len(job.texts)
    if job.options.why:
        cost *= REASONS * job.options.k
    return cost + LABEL * job.options.k * len(job.texts)
