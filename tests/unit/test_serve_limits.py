"""What the service refuses before it parses a request: size, time, number of requests, keys."""

import asyncio
import base64

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

import httpx

from ramify.errors import InputError
from ramify.serve import Keys, Limits
from ramify.serve.limits import Guard
from serving_tools import ask, finished, problem

KEY = "a-long-random-key"


class Echo:
    """Answers with the body, after an event if there is one."""

    def __init__(self):
        self.event = None
        self.running = 0

    async def __call__(self, scope, receive, send):
        message = await receive()
        self.running += 1
        if self.event is not None:
            await self.event.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message.get("body", b"")})


async def chunks(*pieces):
    for piece in pieces:
        yield piece


def test_the_body_arrives_whole():
    app = Guard(Echo(), limits=Limits(body=10))
    assert ask(app, "POST", "/v1/tag", content=b"0123456789").content == b"0123456789"
    assert ask(app, "POST", "/v1/tag", content=chunks(b"01234", b"56789")).content == b"0123456789"


@pytest.mark.parametrize("content", [b"x" * 11, chunks(b"x" * 6, b"y" * 5)], ids=["declared", "chunked"])
def test_a_body_over_the_limit_is_refused(content):
    app = Guard(Echo(), limits=Limits(body=10))
    assert "larger than 10 bytes" in problem(ask(app, "POST", "/v1/tag", content=content), 413)


def test_reading_stops_at_the_limit():
    sent = []

    async def endless():
        while True:
            sent.append(1)
            yield b"x" * 8

    app = Guard(Echo(), limits=Limits(body=20))
    problem(ask(app, "POST", "/v1/tag", content=endless()), 413)
    assert len(sent) < 6


def test_a_body_that_does_not_arrive_is_refused():
    async def slow():
        yield b"x"
        await asyncio.sleep(30)

    app = Guard(Echo(), limits=Limits(timeout=0.05))
    assert "within 0.05 seconds" in problem(ask(app, "POST", "/v1/tag", content=slow()), 408)


def test_a_limited_number_of_requests_runs():
    echo = Echo()
    app = Guard(echo, limits=Limits(concurrent=2))

    async def asked():
        echo.event = asyncio.Event()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            running = [asyncio.create_task(client.post("/v1/tag", content=b"a")) for _ in range(2)]
            while echo.running < 2:
                await asyncio.sleep(0.001)
            over = await client.post("/v1/tag", content=b"b")
            health = asyncio.create_task(client.get("/health/live"))
            echo.event.set()
            done = await asyncio.gather(*running, health)
            return over, done, await client.post("/v1/tag", content=b"c")

    over, done, after = finished(asked())
    assert "2 requests are running" in problem(over, 503)
    assert int(over.headers["retry-after"]) >= 1
    assert [one.status_code for one in [*done, after]] == [200] * 4


def basic(text):
    return f"Basic {base64.b64encode(text.encode()).decode()}"


HEADERS = [
    None,
    "",
    KEY,
    f"Basic {KEY}",
    basic(KEY),
    basic(f"{KEY}:"),
    basic("user:"),
    basic(f"user:{KEY}x"),
    "Basic é",
    f"Bearer {KEY}x",
    f"Bearer {KEY[:-1]}",
    "Bearer",
    "Bearer ",
    "Bearer é",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_wrong_key_is_refused(header):
    app = Guard(Echo(), limits=Limits(), keys=Keys(["other", KEY]))
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = ask(app, "POST", "/v1/tag", content=b"x", headers=headers)
    assert KEY not in problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_accepted_key_opens():
    app = Guard(Echo(), limits=Limits(), keys=Keys(["other", KEY]))
    for header in (f"Bearer {KEY}", "bearer other", basic(f"user:{KEY}"), basic(":other")):
        assert ask(app, "POST", "/v1/tag", headers={"Authorization": header}).status_code == 200
    assert ask(app, "GET", "/health/ready").status_code == 200


def test_key_files(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"\n {KEY}\r\nother\n", "utf-8")
    keys = Keys.read(path)
    assert keys.accepts(b"Bearer " + KEY.encode())
    assert keys.accepts(b"Bearer other")
    assert not keys.accepts(b"Bearer ")
    for content in (b"", b"\n \n", b"a key", b"\xff", "clé".encode()):
        path.write_bytes(content)
        with pytest.raises(InputError, match="keys: "):
            Keys.read(path)
    with pytest.raises(InputError, match="no API key"):
        Keys([])


@pytest.mark.parametrize("given", [{"body": 0}, {"k": 1.5}, {"documents": -1}, {"timeout": 0}, {"timeout": "1"}])
def test_limits_are_checked(given):
    with pytest.raises(InputError, match=next(iter(given))):
        Limits(**given)
