"""Counts of the service: requests, the queue, batches, shed requests, versions, and clients that have left."""

import asyncio
import json
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from prometheus_client.parser import text_string_to_metric_families

from ramify.serve import Keys, Limits, create_app, host
from ramify.serve.batching import ATTEMPTS, Dispatcher
from ramify.serve.hosting import version_of
from ramify.serve.jobs import Facts, Options, Texts
from ramify.serve.problems import Problem
from ramify.serve.service import Service
from serving_models import neighbours
from serving_tools import Listening, ask, finished, problem


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics") / "books"
    neighbours().save(folder)
    return folder


@pytest.fixture
def app(directory):
    return create_app(host([("books", directory)]), Limits(documents=5))


def counts(text):
    """Values by name and labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def metrics(app):
    answer = ask(app, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return counts(answer.text)


def test_requests_are_counted_by_route_and_status(app, directory):
    ask(app, "POST", "/v1/tag", json={"texts": ["river"] * 3})
    ask(app, "POST", "/v1/tag", json={"texts": ["river"] * 6})
    for number in range(3):
        ask(app, "GET", f"/made-up/{number}")
        ask(app, "GET", f"/v1/projects/made-up-{number}")
    found = metrics(app)
    assert found["ramify_requests_total", "/v1/tag", "200"] == 1
    assert found["ramify_requests_total", "/v1/tag", "422"] == 1
    assert found["ramify_requests_total", "404", "other"] == 3
    assert found["ramify_requests_total", "/v1/projects/{project_id}", "404"] == 3
    assert found["ramify_request_seconds_count", "/v1/tag"] == 2
    assert found["ramify_batch_texts_sum",] == 3
    assert found["ramify_model_info", "NearestInstances", "books", version_of(directory)] == 1
    assert found["ramify_model_processes",] == 1
    assert found["ramify_queue_requests",] == found["ramify_shed_requests_total",] == 0
    assert not any("made-up" in part for name in found for part in name)


def test_counts_need_the_key_and_health_does_not(directory):
    app = create_app(host([("books", directory)]), keys=Keys(["secret"]))
    problem(ask(app, "GET", "/metrics"), 401)
    problem(ask(app, "GET", "/v1/models"), 401)
    assert ask(app, "GET", "/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
    for path in ("/health", "/health/live", "/health/ready"):
        assert ask(app, "GET", path).status_code == 200


def test_a_client_that_leaves_the_queue_is_dropped_and_counted(app, monkeypatch):
    from ramify.serve import tagging

    began, go, tagged, answered = threading.Event(), threading.Event(), tagging.tagged, []

    def slow(one, options, requests):
        began.set()
        assert go.wait(60)
        answered.extend(requests)
        return tagged(one, options, requests)

    monkeypatch.setattr("ramify.serve.tagging.tagged", slow)
    with Listening(app, Limits()) as server, server.connect() as stays, server.connect() as leaves:
        stays.sendall(posted("stays"))
        assert began.wait(60)
        leaves.sendall(posted("leaves"))
        wait_for(app, ("ramify_queue_requests",), 1)
        leaves.close()
        time.sleep(0.2)
        go.set()
        assert stays.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(app, ("ramify_requests_total", "/v1/tag", "499"), 1)
    assert answered == [["stays"]]
    assert metrics(app)["ramify_requests_total", "/v1/tag", "200"] == 1


def posted(text):
    body = json.dumps({"text": text}).encode()
    return b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def wait_for(app, name, value):
    end = time.monotonic() + 60
    while metrics(app).get(name) != value:
        assert time.monotonic() < end, metrics(app)
        time.sleep(0.02)


def test_shed_requests_are_counted(directory):
    app = create_app(host([("books", directory)]), Limits(held=10))
    answer = ask(app, "POST", "/v1/tag", json={"text": "more than ten bytes"})
    assert "too many large requests" in problem(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert metrics(app)["ramify_shed_requests_total",] == 1


class Fatal:
    """A link that is lost by every batch."""

    def __init__(self, dispatcher):
        self.ready, self.batch, self.sent, self.dispatcher, self.lost = True, [], 0.0, dispatcher, 0

    def has(self, model):
        return True

    def send(self, model, version, jobs):
        self.lost += 1
        asyncio.get_running_loop().call_soon(self.dispatcher.lost, self)


def test_a_request_that_ends_processes_gets_an_answer_with_a_time_to_wait():
    async def run():
        dispatcher = Dispatcher([Facts("a", "0", "XRLinear", 3, False, (), True, True, None, 0.0)], Limits())
        link = Fatal(dispatcher)
        dispatcher.links.append(link)
        with pytest.raises(Problem) as error:
            await Service(dispatcher, Limits()).run("a", Texts(Options(1), ["a"]), 1, None)
        return error.value, link.lost

    refused, lost = finished(run())
    assert lost == ATTEMPTS
    assert (refused.status, refused.headers) == (503, {"Retry-After": "1"})
    assert "3 processes ended" in refused.detail
