"""What happens before a request is parsed: key, number of requests, size and time of the body."""

from __future__ import annotations

import logging

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ramify.serve.config import Limits
from ramify.serve.keys import Keys
from ramify.serve.problems import UNEXPECTED, Problem

OPEN = ("/health/live", "/health/ready")
"""Paths that need no key, and are answered however many requests run."""

log = logging.getLogger("ramify.serve")


class Guard:
    """ASGI middleware that refuses requests without a key or over a limit, and answers unexpected errors.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    keys : Keys, optional
        Accepted keys; None accepts requests without a key.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits, keys: Keys | None = None) -> None:
        self.app, self.limits, self.keys = app, limits, keys
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._checked(scope, receive, sending)
        except Problem as problem:
            await problem.response()(scope, receive, send)
        except Exception:
            log.exception("unexpected error in %s", scope["path"])
            if started:  # the connection must break, or the client would take a part for the whole
                raise
            await Problem(500, UNEXPECTED).response()(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in OPEN:
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
        try:
            body = await self._body(headers, receive)
            await self.app(scope, _replayed(body, receive), send)
        finally:
            self._running -= 1

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body of the request."""
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and len(declared) < 20 and int(declared) > self.limits.body:
            raise self._too_large()
        body = bytearray()
        with anyio.move_on_after(self.limits.timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the connection was closed before the body was complete")
                body += message.get("body", b"")
                if len(body) > self.limits.body:
                    raise self._too_large()
                if not message.get("more_body", False):
                    return bytes(body)
        sentence = f"the body did not arrive within {self.limits.timeout:g} seconds: send it faster, or in parts"
        raise Problem(408, sentence, {"Connection": "close"})

    def _too_large(self) -> Problem:
        sentence = f"the body is larger than {self.limits.body:,} bytes: send fewer texts per request"
        return Problem(413, sentence, {"Connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A function that gives the body once, and then what the client sends next."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
