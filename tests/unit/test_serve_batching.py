"""The queue of the service: which requests go together, and that none is left without an answer."""

import asyncio
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.serve import Limits
from ramify.serve.batching import ATTEMPTS, LABEL, OVERHEAD, Dispatcher
from ramify.serve.jobs import Call, Facts, Options, Refusal, Texts
from ramify.serve.problems import Problem
from serving_tools import finished


class Recorder:
    """A link that keeps its batches until a test answers them."""

    def __init__(self, dispatcher, models=("a", "b")):
        self.ready, self.batch, self.sent = True, [], 0.0
        self.dispatcher, self.models, self.batches, self.killed = dispatcher, models, [], False
        dispatcher.links.append(self)

    def has(self, model):
        return model in self.models

    def send(self, model, version, jobs):
        self.batches.append((model, [job.name if isinstance(job, Call) else job.texts[0] for job in jobs]))

    def answer(self, seconds=0.001):
        self.dispatcher.done(self, [f"{waiting.job}".encode() for waiting in self.batch], seconds)

    def kill(self):
        self.killed = True


def a_dispatcher(**limits):
    facts = [Facts(name, "0", "XRLinear", 3, False, (), True, True, None, 0.0) for name in ("a", "b")]
    return Dispatcher(facts, Limits(**limits))


def asked(dispatcher, text, model="a", size=10, gone=None, **options):
    job = text if isinstance(text, Call) else Texts(Options(5, **options), [text])
    return asyncio.ensure_future(dispatcher.answer(model, job, size, gone))


async def turns(n=5):
    for _ in range(n):
        await asyncio.sleep(0)


def test_requests_go_together_by_model_and_bytes():
    async def run():
        dispatcher = a_dispatcher(batch=3 * (10 + OVERHEAD + LABEL * 5))
        link = Recorder(dispatcher)
        first = asked(dispatcher, "0")
        await turns()
        rest = [asked(dispatcher, str(n), model) for n, model in enumerate("aabaaab", 1)]
        await turns()
        while link.batch:
            link.answer(1e-9)
            await turns()
        await asyncio.gather(first, *rest)
        return link.batches

    assert finished(run()) == [("a", ["0"]), ("a", ["1", "2", "4"]), ("b", ["3", "7"]), ("a", ["5", "6"])]


def test_a_batch_is_as_large_as_the_latency_allows():
    async def run(seconds):
        dispatcher = a_dispatcher(latency=0.01)
        link = Recorder(dispatcher)
        first = asked(dispatcher, "0")
        await turns()
        rest = [asked(dispatcher, str(n)) for n in range(20)]
        await turns()
        link.answer(seconds)
        await turns()
        size = len(link.batches[1][1])
        while link.batch:
            link.answer(1e-6)
            await turns()
        await asyncio.gather(first, *rest)
        return size

    assert finished(run(1e-6)) == 20
    assert 4 <= finished(run(0.002)) <= 5
    assert finished(run(5.0)) == 1


def test_long_texts_and_reasons_count_more():
    async def run():
        dispatcher = a_dispatcher(batch=20_000)
        link = Recorder(dispatcher)
        requests = [asked(dispatcher, "0")]
        await turns()
        requests += [asked(dispatcher, "long", size=19_000), asked(dispatcher, "1", size=1_000)]
        requests += [asked(dispatcher, "why", why=True), asked(dispatcher, "2", size=19_000)]
        await turns()
        while link.batch:
            link.answer(1e-9)
            await turns()
        await asyncio.gather(*requests)
        return [batch for _, batch in link.batches]

    assert finished(run()) == [["0"], ["long"], ["1", "why"], ["2"]]


def test_requests_of_clients_that_left_are_not_computed():
    async def run():
        dispatcher = a_dispatcher()
        link = Recorder(dispatcher)
        left = False
        first = asked(dispatcher, "0")
        await turns()
        second, third = asked(dispatcher, "1", gone=lambda: left), asked(dispatcher, "2")
        await turns()
        left = True
        link.answer()
        await turns()
        link.answer()
        await asyncio.gather(first, second, third)
        return link.batches, second.result().future.result(), dispatcher._waiting_cost

    batches, answer, cost = finished(run())
    assert batches == [("a", ["0"]), ("a", ["2"])]
    assert answer == Refusal(499, "the client has left")
    assert not any(cost.values())


def test_what_a_lost_link_had_is_given_to_another_one_by_one():
    async def run():
        dispatcher = a_dispatcher()
        links = [Recorder(dispatcher)]
        requests = [asked(dispatcher, str(n)) for n in range(3)]
        await turns()
        assert len(links[0].batch) == 3
        dispatcher.links.remove(links[0])
        dispatcher.lost(links[0])
        other = Recorder(dispatcher)
        await turns()
        while other.batch:
            other.answer()
            await turns()
        await asyncio.gather(*requests)
        return other.batches

    assert finished(run()) == [("a", ["0"]), ("a", ["1"]), ("a", ["2"])]


def test_a_request_that_ends_processes_is_refused_and_others_are_answered():
    async def run():
        dispatcher = a_dispatcher()
        poison, other = asked(dispatcher, "poison"), asked(dispatcher, "fine")
        for _ in range(ATTEMPTS):
            link = Recorder(dispatcher)
            dispatcher.wake()
            await turns()
            assert "poison" in link.batches[0][1]
            dispatcher.links.remove(link)
            dispatcher.lost(link)
            await turns()
        link = Recorder(dispatcher)
        dispatcher.wake()
        await turns()
        link.answer()
        await asyncio.gather(poison, other)
        return poison.result().future.result(), other.result().future.result()

    refusal, answer = finished(run())
    assert (refusal.status, "processes ended" in refusal.detail) == (503, True)
    assert isinstance(answer, bytes)


def test_requests_of_a_lost_link_end_whose_clients_have_left():
    async def run():
        dispatcher = a_dispatcher()
        link = Recorder(dispatcher)
        left = asked(dispatcher, "0", gone=lambda: bool(link.batches))
        await turns()
        dispatcher.links.remove(link)
        dispatcher.lost(link)
        return (await asyncio.wait_for(left, 10)).future.result()

    assert finished(run()) == Refusal(499, "the client has left")


def test_late_requests_are_refused_and_a_stuck_link_is_killed():
    async def run():
        dispatcher = a_dispatcher(answer=0.05)
        link = Recorder(dispatcher)
        requests = [asked(dispatcher, "0"), asked(dispatcher, "1", "b")]
        await asyncio.wait_for(asyncio.gather(*requests), 10)
        begin = time.monotonic()
        while not link.killed and time.monotonic() < begin + 10:
            await asyncio.sleep(0.01)
        return [one.result().future.result() for one in requests], link.killed, link.batches

    answers, killed, batches = finished(run())
    assert [answer.status for answer in answers] == [503, 503]
    assert "within 0.05 seconds" in answers[0].detail
    assert killed
    assert batches == [("a", ["0"])]


def test_a_queue_that_takes_too_long_is_refused_at_once():
    async def run():
        dispatcher = a_dispatcher(answer=3.0)
        link = Recorder(dispatcher)
        first = asked(dispatcher, "0", size=1_000)
        await turns()
        link.answer(1.0)  # a second per 1,200 bytes
        requests = [asked(dispatcher, str(n), size=1_000) for n in range(6)]
        await turns()
        with pytest.raises(Problem) as error:
            await requests[-1]
        accepted = [one for one in requests if not one.done()]
        while link.batch:
            link.answer(0.001)
            await turns()
        await asyncio.gather(first, *requests, return_exceptions=True)
        return error.value, len(accepted)

    problem, accepted = finished(run())
    assert problem.status == 503
    assert int(problem.headers["Retry-After"]) >= 3
    assert 3 <= accepted <= 5


def test_a_link_gets_requests_for_its_models_only_and_the_first_one_the_look_ups():
    async def run():
        dispatcher = a_dispatcher()
        first, second = Recorder(dispatcher, ["a"]), Recorder(dispatcher)
        requests = [
            asked(dispatcher, "0", "b"),
            asked(dispatcher, Call("tree"), "b"),
            asked(dispatcher, Call("labels")),
        ]
        for _ in range(3):
            await turns()
            for link in (first, second):
                if link.batch:
                    link.answer()
        await asyncio.gather(*requests)
        return first.batches, second.batches

    first, second = finished(run())
    assert first == [("a", ["labels"])]
    assert sorted(second) == [("b", ["0"]), ("b", ["tree"])]
