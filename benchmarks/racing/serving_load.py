"""Closed-loop load by ``wrk``, and what it says of a service.

``wrk`` is a C program with one thread here. It shares the two cores with the service, equally for all systems; against
``trivial_server``, which parses nothing, it shows what it can do itself. Its percentiles are corrected for coordinated
omission: an answer that takes longer than two mean intervals between the requests of a connection counts as several.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from racing.rows import Row
from racing.runner import machine_cpu
from racing.serving_systems import Service, ServingError

PERCENTILES = (50, 90, 99)
TIMEOUT = 60
LONGEST = 60
"""Seconds of a measurement that is repeated because few requests were answered: wrk does not count those under way."""
ENOUGH = 4
"""Requests per connection from which a measurement is not repeated."""
SCRIPT = """
local bodies = {}
function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = wrk.format("POST", "/v1/tag", {["Content-Type"] = "application/json"}, line)
  end
  math.randomseed(tonumber(args[2]))
end
function request()
  return bodies[math.random(#bodies)]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "us": %d, "p50": %d, "p90": %d, "p99": %d, "max": %d, ' ..
    '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max, e.connect, e.read, e.write, e.status, e.timeout))
end
"""
ERRORS = ("connect", "read", "write", "status", "timeout")
"""Kinds of failed requests of wrk."""


def bodies(texts: Sequence[str], size: int, count: int) -> list[bytes]:
    """Bodies of requests with the texts in turn; one text has the field ``text``, several have ``texts``."""
    made = []
    for number in range(count):
        part = [texts[(number * size + place) % len(texts)] for place in range(size)]
        made.append(json.dumps({"text": part[0]} if size == 1 else {"texts": part}).encode())
    return made


def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Row:
    """Requests per second and latency of ``wrk``, after one second that warms up.

    Raises
    ------
    ServingError
        ``wrk`` is missing or fails.
    """
    if shutil.which("wrk") is None:
        raise ServingError("the program wrk is missing: install it, on Debian with apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script, lines = Path(folder) / "load.lua", Path(folder) / "bodies.txt"
        script.write_text(SCRIPT)
        lines.write_bytes(b"".join(request + b"\n" for request in requests))
        command = ["wrk", "-t1", f"-c{connections}", f"--timeout={TIMEOUT}s", "-s", str(script)]
        ends = [f"http://127.0.0.1:{port}", "--", str(lines), "1"]
        figures: Row = {}
        for length in (1, max(1, round(seconds)), LONGEST):
            if length == LONGEST and figures["requests"] >= ENOUGH * connections:
                break
            done = subprocess.run([*command, f"-d{length}s", *ends], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ServingError(f"wrk failed: {done.stderr.strip()[:300]}")
            figures = parsed(done.stdout) | {"seconds": length}
    return figures


def parsed(output: str) -> Row:
    """The figures of an output of ``wrk`` with ``SCRIPT``."""
    line = next(one for one in output.splitlines() if one.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    figures: Row = {f"p{n}_ms": found[f"p{n}"] / 1e3 for n in PERCENTILES}
    return figures | {
        "requests": found["requests"],
        "requests_per_s": round(1e6 * found["requests"] / found["us"], 1),
        "max_ms": found["max"] / 1e3,
        "errors": {name: found[name] for name in ERRORS if found[name]},
    }


class Watched:
    """CPU of a service and of everybody else in a block.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __enter__(self) -> Watched:
        self._begin = time.monotonic(), self._service.cpu_seconds(), machine_cpu(), _own_cpu()
        return self

    def __exit__(self, *_: object) -> None:
        wall, own, machine, ours = self._begin
        self.wall_s = time.monotonic() - wall
        self.service_cpu_s = self._service.cpu_seconds() - own
        self.load_cpu_s = _own_cpu() - ours
        self.others_cpu_s = max(0.0, machine_cpu() - machine - self.service_cpu_s - self.load_cpu_s)

    def figures(self, share: float = 0.05) -> Row:
        """Cores in use by each, and whether others used more than a share of one core."""
        names = ("service", "load", "others")
        used: dict[str, Any] = {name: round(getattr(self, f"{name}_cpu_s") / self.wall_s, 3) for name in names}
        return {"cores": used, "busy": used["others"] > share}


def _own_cpu() -> float:
    """CPU of this process and of the load generators that have ended."""
    import resource

    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Trivial(asyncio.Protocol):
    """Answers each packet with the same bytes."""

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._transport.write(ANSWER)


@contextmanager
def trivial_server() -> Iterator[int]:
    """The port of a server in a process of its own that answers without looking at requests."""
    code = "from racing.serving_load import run_trivial; run_trivial()"
    here = Path(__file__).parents[1]
    server = subprocess.Popen([sys.executable, "-c", code], cwd=here, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


def run_trivial() -> None:
    """Serve until the process is killed; print the port."""
    import uvloop

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Trivial, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    uvloop.run(serve())
