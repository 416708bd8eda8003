"""Connections: limits of their number, and of the size and time of the headers, before there is a request.

The server itself has no limit for headers that arrive slowly or never end.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ramify.serve.config import Limits
from ramify.serve.problems import MEDIA_TYPE, Problem


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn with limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """One connection of a client.

    A request has its transport in ``scope["ramify.transport"]``, which is closing when the client has left.
    """

    limits = Limits()
    _late: asyncio.TimerHandle | None = None
    _in_head = True
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "the service has too many connections: try again later", "Retry-After: 1\r\n")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
            if self._head > self.limits.headers:  # but for the first packet, which is limited itself
                self._refuse(431, f"the headers are larger than {self.limits.headers:,} bytes: send fewer")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._head_is_there()
        self._in_head = False
        self.scope["ramify.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing arrives after a response; a client that does not read it either is cut off later."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.limits.timeout, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "this is no valid HTTP request")

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.limits.timeout, self._refuse_late)

    def _head_is_there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse_late(self) -> None:
        self._refuse(408, f"the headers did not arrive within {self.limits.timeout:g} seconds: send them faster")

    def _refuse(self, status: int, detail: str, header: str = "") -> None:
        """Send a problem, unless a response is under way, and close the connection."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            problem = Problem(status, detail)
            body = json.dumps(problem.body()).encode()
            head = f"HTTP/1.1 {status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n{header}"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()
