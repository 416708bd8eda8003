"""Connections: limits of their number, and of the size and time of the headers, before there is a request.

The server itself has no limit for headers that arrive slowly or never end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ramify.serve.config import Limits
from ramify.serve.problems import MEDIA_TYPE, Problem

LINGERING = 5.0
"""Seconds in which the rest of a refused body may arrive, which is dropped; a client may read its answer only then."""


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn with limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """One connection of a client.

    A request has its transport in ``scope["ramify.transport"]``, which is closing when the client has left.
    """

    limits = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._in_head = self._in_body = False
        self._head = self._trailers = 0

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "the service has too many connections: try again later", "Retry-After: 1\r\n")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        for name in list(self._timers):
            self._stop(name)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
            if self._head > self.limits.headers:
                self._refuse_head()
                return
        super().data_received(data)
        if not self._in_head and not self._in_body and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_head()  # a line end between requests has stopped the timer of idle connections

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after the last chunk of a body, which is dropped."""
        if self._in_head:
            super().on_header(name, value)
            return
        self._trailers += len(name) + len(value)
        if self._trailers > self.limits.headers:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """All headers are there; the packet with the first ones was not counted, as it may have a body as well."""
        self._stop("head")
        self._in_head, self._in_body, self._trailers = False, True, 0
        if self.transport.is_closing():
            return
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.limits.headers:
            self._refuse_head()
            return
        self.scope["ramify.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._in_body = False
        self._stop("rest")
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written; the rest of a refused body may still arrive."""
        if self._in_body:
            self._start("rest", LINGERING, self.transport.abort)
        super().on_response_complete()
        self._cut_off_later()

    def pause_writing(self) -> None:
        """The client does not read its answer; it is cut off after some time."""
        super().pause_writing()
        self._start("unread", self.limits.timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        self._stop("unread")
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing arrives after a response."""
        super().timeout_keep_alive_handler()
        self._cut_off_later()

    def _unsupported_upgrade_warning(self) -> None:
        """A client that asks for another protocol is answered in this one, which is no reason for a line of the log."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "this is no valid HTTP request")

    def _start(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = self.loop.call_later(seconds, work)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _cut_off_later(self) -> None:
        """End a closing connection whose client does not read the rest."""
        if self.transport.is_closing():
            self._start("unread", self.limits.timeout, self.transport.abort)

    def _wait_for_head(self) -> None:
        if "head" not in self._timers:
            self._start("head", self.limits.timeout, self._refuse_late)

    def _refuse_head(self) -> None:
        self._refuse(431, f"the headers are larger than {self.limits.headers:,} bytes: send fewer")

    def _refuse_late(self) -> None:
        self._refuse(408, f"the headers did not arrive within {self.limits.timeout:g} seconds: send them faster")

    def _is_free(self) -> bool:
        """Whether a refusal is the next answer that the client expects; the request with an invalid body gets none."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        if self._in_body and not self.pipeline and not self.cycle.response_started:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            return True
        return False

    def _refuse(self, status: int, detail: str, header: str = "") -> None:
        """Send a problem, unless a response is under way, and close the connection."""
        if self.transport.is_closing():
            return
        if self._is_free():
            problem = Problem(status, detail)
            body = json.dumps(problem.body()).encode()
            head = f"HTTP/1.1 {status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n{header}"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()
        self._cut_off_later()
