"""The service that the tests of the page use: in a process as users start it, and in a thread with other settings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ramify

SOURCE = Path(ramify.__file__).parents[1]


@contextmanager
def service_process(*models: Path) -> Iterator[str]:
    """Address of the page of ``ramify serve`` with the models."""
    command = [sys.executable, "-m", "ramify", "serve", *map(str, models), "--port", "0", "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "://" in line, line
            yield line.split()[-1] + "/"
        finally:
            process.terminate()
            process.communicate()


@contextmanager
def service_thread(app: Any, prefix: str = "") -> Iterator[str]:
    """Address of the page of an application, below a prefix as behind a reverse proxy."""
    import uvicorn

    async def below(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = scope | {"path": scope["path"].removeprefix(prefix)}
        await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(below, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{prefix}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def refuse(page: Any, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
    """Let the next request for labels fail: what the service does not do on demand."""
    body = json.dumps({"type": "about:blank", "title": "Refused", "status": status, "detail": detail})

    def answer(route: Any) -> None:
        route.fulfill(status=status, body=body, content_type="application/problem+json", headers=dict(headers or {}))

    page.route("**/v1/tag", answer, times=1)
