"""Bytes that no client of good will sends: each gets a refusal, or the end of its connection, and others are served."""

import http.client
import json
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.serve import Limits, create_app, host
from ramify.serve.limits import Guard
from serving_models import neighbours
from serving_tools import Listening, received

LIMITS = Limits(body=300_000, headers=4_096, timeout=0.4, connections=20, documents=10, characters=200_000)
CLOSE = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections") / "books"
    neighbours().save(folder)
    return folder


@pytest.fixture(scope="module")
def server(directory):
    with Listening(create_app(host([("books", directory)]), LIMITS), LIMITS) as listening:
        yield listening


def refusal(answer, status):
    """The sentence of the first answer of a connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert problem["status"] == status
    return problem["detail"]


def request(body, *headers):
    head = [b"POST /v1/tag HTTP/1.1", b"Host: a", f"Content-Length: {len(body)}".encode(), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.mark.parametrize("first", [b"", b"GET /a", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA:"])
def test_headers_that_drip_are_refused(server, first):
    begin = time.monotonic()
    with server.connect() as connection:
        connection.sendall(first)
        stop = threading.Event()

        def drip():
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"\r\n" if not first else b"b")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = received(connection)
        stop.set()
        thread.join()
    assert time.monotonic() < begin + 20
    assert "the headers did not arrive within 0.4 seconds" in refusal(answer, 408)


def test_a_body_that_drips_is_refused(server):
    pieces = [request(b"x" * 1_000)[:-1_000], *[b"x"] * 20]
    answer = server.exchange(*pieces, pause=0.05)
    assert "the body did not arrive within 0.4 seconds" in refusal(answer, 408)


def test_a_client_that_sends_nothing_after_an_answer_is_closed(server, monkeypatch):
    monkeypatch.setattr(server.server.config, "timeout_keep_alive", 0.2)
    begin = time.monotonic()
    assert server.exchange(CLOSE.replace(b"Connection: close\r\n", b"")).startswith(b"HTTP/1.1 200")
    assert time.monotonic() < begin + 10


def test_headers_that_are_too_large_are_refused(server):
    for head in (b"GET /" + b"a" * 5_000, b"GET / HTTP/1.1\r\nA: " + b"a" * 5_000):
        answer = server.exchange(head, b" HTTP/1.1\r\n\r\n" if b"HTTP" not in head else b"\r\n\r\n", pause=0.05)
        assert "headers are larger than 4,096 bytes" in refusal(answer, 431)
        whole = head + (b" HTTP/1.1\r\n\r\n" if b"HTTP" not in head else b"\r\n\r\n")
        assert refusal(server.exchange(whole + CLOSE), 431)
    with server.connect() as connection:  # each line is small
        connection.sendall(b"GET / HTTP/1.1\r\n")
        try:
            for number in range(10_000):
                connection.sendall(b"a%d: b\r\n" % number)
        except OSError:
            pass
        assert number < 9_999 or refusal(received(connection), 431)


def test_a_large_body_in_the_packet_of_its_headers_is_answered(server):
    body = json.dumps({"text": "river " * 10_000}).encode()
    answer = server.exchange(request(body, b"Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(server):
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    for body in (b"x" * 5_000_000, iter([b"x" * 50_000] * 40)):
        connection.request("POST", "/v1/tag", body)
        answer = connection.getresponse()
        assert (answer.status, b"larger than 300,000 bytes" in answer.read()) == (413, True)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()


def test_the_rest_of_a_refused_body_may_not_last(server, monkeypatch):
    monkeypatch.setattr("ramify.serve.connections.LINGERING", 0.2)
    begin = time.monotonic()
    answer = server.exchange(request(b"x" * 400_000)[:1_000])
    assert b"413" in answer[:20]
    assert time.monotonic() < begin + 10


INVALID = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the begin of TLS
    b"hello\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc: d\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
    b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nab",
]


@pytest.mark.parametrize("sent", INVALID)
def test_what_is_no_http_is_refused(server, sent):
    assert refusal(server.exchange(sent), 400) == "this is no valid HTTP request"
    assert server.exchange(CLOSE).startswith(b"HTTP/1.1 200")


def test_a_broken_chunk_is_refused(server):
    head = b"POST /v1/tag HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refusal(server.exchange(head + b"zz\r\n"), 400)
    assert refusal(server.exchange(head, b"2\r\nab\r\n", b"zz\r\n", pause=0.05), 400)
    assert server.exchange(CLOSE).startswith(b"HTTP/1.1 200")


INJECTED = [
    "/%0d%0aSet-Cookie:%20a=b",
    "/page/%0d%0aSet-Cookie:%20a=b",
    "/v1/labels?model=%0d%0aSet-Cookie:%20a=b",
    "/v1/projects/%0d%0aSet-Cookie:%20a=b",
    "/v2/models/%0d%0aSet-Cookie:%20a=b",
    "/v1/labels?limit=%0d%0aSet-Cookie:%20a=b",
    "//example.org/%2e%2e",
]


@pytest.mark.parametrize("path", INJECTED)
def test_nothing_of_a_request_becomes_a_header(server, path):
    answer = server.exchange(CLOSE.replace(b"/health/live", path.encode()))
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith((b"http/1.1 404", b"http/1.1 422"))
    assert b"set-cookie" not in head
    assert b"location" not in head


HIDDEN = [
    "../books",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "books%00",
    "books/../books",
    ".",
]


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize(
    "path", ["/v1/labels?model={}", "/v1/projects/{}", "/v2/models/{}", "/label-studio/{}/health", "/page/{}"]
)
def test_names_never_become_paths(server, path, name):
    answer = server.exchange(CLOSE.replace(b"/health/live", path.format(name).encode()))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer


def test_invalid_utf_8_is_refused(server):
    assert "UTF-8" in refusal(server.exchange(request(b'{"text": "\xff"}', b"Connection: close")), 400)
    answer = server.exchange(CLOSE.replace(b"/health/live", b"/v1/labels?q=%ff%fe"))
    assert answer.startswith(b"HTTP/1.1 200")


def test_another_protocol_is_answered_in_this_one(server, caplog):
    headers = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13"
    answer = server.exchange(CLOSE.replace(b"Connection: close", headers))
    assert answer.startswith(b"HTTP/1.1 200")
    assert not caplog.text


def test_too_many_connections_are_refused(server):
    held = [server.connect() for _ in range(LIMITS.connections)]
    try:
        time.sleep(0.1)
        assert "too many connections" in refusal(server.exchange(CLOSE), 503)
    finally:
        for one in held:
            one.close()
    end = time.monotonic() + 20
    while not server.exchange(CLOSE).startswith(b"HTTP/1.1 200"):
        assert time.monotonic() < end


def test_a_client_that_does_not_read_its_answer_is_cut_off():
    async def endless(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                if scope["ramify.transport"].is_closing():
                    return
        finally:
            ended.set()

    ended = threading.Event()
    with Listening(Guard(endless, limits=LIMITS), LIMITS) as listening, listening.connect() as connection:
        connection.sendall(CLOSE)
        assert ended.wait(20)
