"""A running ``ramify serve``, and clients that send requests to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli_tools import ramify_process

SECONDS = 60
"""A busy machine must not make a test fail."""


def until(condition: Callable[[], Any], what: str) -> Any:
    """The value of a condition, once it is true."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)
    return found


class Running:
    """A service in a process of its own, in a ``with`` statement."""

    def __init__(self, arguments: Sequence[object], folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.tls, self.lines = tls, []
        self.process = ramify_process(["serve", *arguments, "--port", "0"], folder)
        first = self.process.stderr.readline()
        if not first.startswith("serving "):
            self.stop()
            raise AssertionError(first + "".join(self.lines))
        self.port = int(first.rsplit(":", 1)[1])
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Read what the service writes, so that it never waits."""
        self.lines.extend(self.process.stderr)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; the exit code and what was written."""
        for pid in self.workers():
            os.kill(pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "reader"):
            self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.returncode, "".join(self.lines)

    def workers(self) -> list[int]:
        """The processes with the models."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:  # it has ended
                continue
        return sorted(found)

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=SECONDS, context=self.tls)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        connection = self.connection()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def tag(self, text: str = "river statute permit") -> tuple[int, dict[str, Any]]:
        """Status and answer of a request for labels."""
        status, body = self.ask("POST", "/v1/tag", json.dumps({"text": text}).encode())
        return status, json.loads(body)

    def waiting(self) -> int:
        """Requests in the queue."""
        _, counts = self.ask("GET", "/metrics")
        [line] = [line for line in counts.decode().splitlines() if line.startswith("ramify_queue_requests ")]
        return int(float(line.split()[1]))


class Load:
    """Clients that send one request after the other, in a ``with`` statement; ``answers`` are status and version."""

    def __init__(self, service: Running, clients: int = 3) -> None:
        self.service, self.answers, self.ended = service, [], False
        self.threads = [threading.Thread(target=self.send) for _ in range(clients)]

    def send(self) -> None:
        """Send requests on one connection."""
        connection = self.service.connection()
        body = json.dumps({"texts": ["river statute permit", "train track"]})
        while not self.ended:
            try:
                connection.request("POST", "/v1/tag", body)
                answer = connection.getresponse()
                self.answers.append((answer.status, json.loads(answer.read()).get("version")))
            except Exception as error:  # a lost request, which the test counts
                self.answers.append((0, repr(error)))
                return
            time.sleep(0.005)  # other tests need the processor, too
        connection.close()

    def more(self, n: int = 20) -> None:
        """Wait for more answers."""
        before = len(self.answers)
        until(lambda: len(self.answers) > before + n, "answers under load")

    def versions(self) -> set[str]:
        """Versions of the latest answers."""
        return {version for _, version in self.answers[-10:]}

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended = True
        for thread in self.threads:
            thread.join()
