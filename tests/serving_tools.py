"""Requests to the application of a service, without a network, and raw bytes to a server."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx


def finished(coroutine):
    """The result of a coroutine, run in a thread of its own: a test of the browser leaves a running event loop here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def ask(app, method, path, **options):
    """The answer to one request."""

    async def asked():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **options)

    return finished(asked())


def problem(answer, status):
    """The sentence of a refused request."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert "\n" not in body["detail"]
    return body["detail"]


class Listening:
    """A server in a thread, in a ``with`` statement, as ``ramify serve`` configures it."""

    def __init__(self, app, limits):
        from ramify.cli.serve import _server

        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.server = _server(app, limits)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *error):
        self.server.should_exit = True
        self.thread.join()

    def connect(self):
        """A connection."""
        return socket.create_connection(self.address, timeout=30)

    def exchange(self, *pieces, pause=0.0):
        """All bytes that come back until the server closes the connection."""
        with self.connect() as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return received(connection)


def received(connection):
    """All bytes until the end of a connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
