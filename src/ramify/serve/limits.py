"""What happens before a request is parsed: key, number of requests, size and time of the body."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ramify.serve.config import Limits
from ramify.serve.jobs import LEFT
from ramify.serve.keys import Keys
from ramify.serve.problems import UNEXPECTED, ClientLeftError, Problem

OPEN = ("/", "/health", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
"""Paths that need no key, and are answered however many requests run, as are those below ``OPEN_FOLDER``."""

OPEN_FOLDER = "/page/"

Direct = Mapping[tuple[str, str], Callable[[Scope, bytes, Send], Awaitable[None]]]
"""Answers without a framework, by method and path."""

log = logging.getLogger("ramify.serve")


class Guard:
    """ASGI application that refuses requests without a key or over a limit, and answers unexpected errors.

    Parameters
    ----------
    app : ASGI application
        Answers what is not refused.
    limits : Limits
    keys : Keys, optional
        Accepted keys; None accepts requests without a key.
    direct : mapping, optional
        Functions that answer requests of a method and a path instead of ``app``.
    count : callable, optional
        Called with route, status and seconds of each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        keys: Keys | None = None,
        direct: Direct | None = None,
        count: Callable[[str, int, float], None] | None = None,
    ) -> None:
        self.app, self.limits, self.keys = app, limits, keys
        self._direct, self._count = direct or {}, count
        self._running = self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._checked(scope, receive, sending)
        except ClientLeftError:
            status = LEFT
        except Problem as problem:
            await problem.response()(scope, receive, sending)
        except asyncio.CancelledError:
            if status:
                raise
            sentence = "the service is stopping: send the request again later"
            await Problem(503, sentence, {"Retry-After": "1"}).response()(scope, receive, sending)
        except Exception:
            log.exception("unexpected error in %s", scope["path"])
            if status:  # the connection must break, or the client would take a part for the whole
                raise
            await Problem(500, UNEXPECTED).response()(scope, receive, sending)
        finally:
            if self._count is not None:
                self._count(_route(scope), status, time.perf_counter() - begin)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["method"] in ("GET", "HEAD") and (path in OPEN or path.startswith(OPEN_FOLDER)):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self.keys is not None and not self.keys.accepts(headers.get(b"authorization", b"")):
            sentence = "the request has no valid API key: send the header Authorization: Bearer KEY"
            raise Problem(401, sentence, {"WWW-Authenticate": "Bearer"})
        if self._running >= self.limits.concurrent:
            sentence = f"{self._running} requests are running, the limit of this service: send the request again later"
            raise Problem(503, sentence, {"Retry-After": "1"})
        self._running += 1
        held = _Held(self)
        try:
            body = await self._body(headers, receive, held)
            direct = self._direct.get((scope["method"], path))
            if direct is not None:
                scope["ramify.route"], scope["ramify.held"] = path, held
                await direct(scope, body, send)
            else:
                await self.app(scope, _replayed(body, receive), send)
        finally:
            self._running -= 1
            held.release()

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, held: _Held) -> bytes:
        """The whole body of the request."""
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self.limits.body):
            raise self._too_large()
        parts: list[bytes] = []
        with anyio.move_on_after(self.limits.timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                part = message.get("body", b"")
                parts.append(part)
                held.add(len(part))
                if held.size > self.limits.body:
                    raise self._too_large()
                if not message.get("more_body", False):
                    return part if len(parts) == 1 else b"".join(parts)
        sentence = f"the body did not arrive within {self.limits.timeout:g} seconds: send it faster, or in parts"
        raise Problem(408, sentence, {"Connection": "close"})

    def _too_large(self) -> Problem:
        sentence = f"the body is larger than {self.limits.body:,} bytes: send fewer texts per request"
        return Problem(413, sentence)


class _Held:
    """The bytes of a request and its answer, counted among those of all."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self.size = guard, 0

    def add(self, size: int) -> None:
        """Count bytes; Problem (503) if there are too many in all."""
        self.size += size
        self._guard._held += size
        if self._guard._held > self._guard.limits.held:
            sentence = "the service holds too many large requests and answers: send the request again later"
            raise Problem(503, sentence, {"Retry-After": "1"})

    def release(self) -> None:
        """Count them no more."""
        self._guard._held -= self.size
        self.size = 0


def _route(scope: Scope) -> str:
    """The route of a request for the metrics: a path of the service, never one that the client made up."""
    from ramify.serve.metrics import OTHER

    return str(scope.get("ramify.route") or getattr(scope.get("route"), "path", OTHER))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A function that gives the body once, and then what the client sends next."""
    given = False

    async def replayed() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
