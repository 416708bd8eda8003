"""Requests that would take all memory, connections or time of the service: each is refused, or costs little."""

import asyncio
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.errors import InputError
from ramify.serve import Limits, Processes, checked_places, create_app, host
from ramify.serve.batching import Dispatcher
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Facts
from ramify.serve.limits import Guard
from ramify.serve.lookups import known
from serving_models import topics
from serving_tools import Listening, ask, finished, problem

LIMITS = Limits(headers=4_096, timeout=0.4, labels=60, explained=100)
CHUNKED = b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exhaustion") / "topics"
    topics().save(folder)
    return folder


@pytest.fixture(scope="module")
def app(directory):
    return create_app(host([("topics", directory)]), LIMITS)


def test_trailers_without_end_are_refused(app):
    with Listening(app, LIMITS) as listening:
        answer = listening.exchange(CHUNKED, *[b"x: " + b"y" * 1_000 + b"\r\n"] * 20, pause=0.01)
        assert answer.startswith(b"HTTP/1.1 431 ")
        small = listening.exchange(CHUNKED, b"x: y\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", pause=0.2)
        assert small.startswith(b"HTTP/1.1 400 ")  # the body is no JSON


def test_a_line_end_after_an_answer_does_not_keep_a_connection(app):
    with Listening(app, LIMITS) as listening:
        begin = time.monotonic()
        head = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = listening.exchange(head, b"\r\n", pause=0.2)
        seconds = time.monotonic() - begin
    assert answer.startswith(b"HTTP/1.1 200")
    assert seconds < 4  # an idle connection may last 5 seconds


def test_the_work_of_a_request_is_limited(app):
    many = {"texts": ["river"] * 13, "k": 5}
    assert "13 texts with 5 labels each" in problem(ask(app, "POST", "/v1/tag", json=many), 422)
    long = {"text": "river " * 16, "k": 53, "why": True}
    assert "k is 53, but must be at most 52 for reasons in 96" in problem(ask(app, "POST", "/v1/tag", json=long), 422)
    for allowed in (many | {"k": 4}, long | {"k": 52}):
        assert ask(app, "POST", "/v1/tag", json=allowed).status_code == 200


def test_unknown_choices_are_left_out_without_a_search_for_similar_names(directory, monkeypatch):
    monkeypatch.setattr("ramify.tagger.given_labels.nearest_name", lambda *names: pytest.fail("searched"))
    one = Hosted.open("topics", directory)
    assert known(one, ["Water law", "no label", "Élections"]) == ["Water law", "Élections"]
    with pytest.raises(InputError, match="has no label"):
        one.tagger.label_ids(["x" * 1_001])


def test_texts_of_tasks_are_strings(app):
    config = '<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="multiple"/></View>'
    body = {"label_config": config, "tasks": [{"data": {"text": None}}]}
    [found] = ask(app, "POST", "/predict", json=body).json()["results"]
    empty = body | {"tasks": [{"data": {"text": ""}}]}
    assert [found] == ask(app, "POST", "/predict", json=empty).json()["results"]
    nested = body | {"tasks": [{"data": {"text": {"a": "b"}}}]}
    assert "'text' of a task is no text" in problem(ask(app, "POST", "/predict", json=nested), 422)
    large = body | {"label_config": config + " " * 1_000_000}
    assert "1,000,000 characters" in problem(ask(app, "POST", "/predict", json=large), 422)


def test_the_queue_of_a_fast_model_does_not_refuse_requests_of_a_slow_one():
    facts = [Facts(name, "1", "XRLinear", 1, False, (), False, False, None, 0.0) for name in ("fast", "slow")]

    async def run():
        dispatcher = Dispatcher(facts, Limits(answer=1.0))
        dispatcher._seconds_per_byte.update(fast=1e-9, slow=1e-3)
        dispatcher._waiting_cost["fast"] = 4_000_000
        dispatcher._refuse_overload(_Cost("slow"))

    finished(run())


class _Cost:
    def __init__(self, model):
        self.model = model


def test_requests_under_way_get_an_answer_when_the_service_stops():
    async def endless(scope, receive, send):
        await asyncio.sleep(60)

    async def run():
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "POST", "path": "/v1/models", "headers": []}
        task = asyncio.create_task(Guard(endless, limits=Limits())(scope, receive, send))
        await asyncio.sleep(0.05)
        task.cancel()
        await task
        return sent

    start, body = finished(run())
    assert start["status"] == 503
    assert b"the service is stopping" in body["body"]


def test_a_process_that_cannot_be_started_is_tried_again(directory, monkeypatch, caplog):
    processes = Processes(checked_places([("topics", directory)]), 1, Limits())
    starts = []

    def failing(places):
        starts.append(1)
        if len(starts) == 1:
            raise OSError(24, "Too many open files")
        return original(places)

    from ramify.serve import processes as module

    original = module.Process

    async def run():
        await processes.start()
        monkeypatch.setattr(module, "Process", failing)
        [link] = processes.dispatcher.links
        link.kill()
        end = time.monotonic() + 60
        while len(starts) < 2 or not processes.dispatcher.is_ready:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        monkeypatch.setattr(module, "Process", original)
        await processes.stop()

    try:
        finished(run())
    finally:
        processes.close()
    assert "no new process can be started (Too many open files)" in caplog.text
