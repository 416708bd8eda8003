"""The served systems: how each is trained, started and stopped, and the memory and CPU of its processes."""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from racing.environments import Environment
from racing.places import CACHE, CONTESTANTS
from racing.sources import SRC, source_hash

PROTOCOL = 1  # raise it where a figure changes its meaning: rows of another protocol are measured again
WEB = ("fastapi==0.163.2", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0")
STARTED = 120.0
"""Seconds within which a service must be ready."""
TICKS = os.sysconf("SC_CLK_TCK")
TRAINED_BY = ("ramify.tagger.tagger", "ramify.features.tfidf", "ramify.models.trees.xr_linear")


class ServingError(Exception):
    """A system could not be trained or served; the sentence says why."""


@dataclass(frozen=True)
class Served:
    """One system.

    Parameters
    ----------
    name : str
        As in rows and tables.
    script : str
        Of a peer: its file among the contestants; empty for ramify.
    version : str
        Of the package.
    environment : Environment, optional
        None for this interpreter.
    """

    name: str
    script: str
    version: str
    environment: Environment | None = None

    @property
    def ours(self) -> bool:
        """Whether it is ramify."""
        return self.environment is None

    def python(self) -> Path:
        """The interpreter to run it with; makes its environment where needed."""
        return Path(sys.executable) if self.environment is None else self.environment.ensure()

    def identity(self) -> str:
        """What a measured row stays true for: version, sources, and protocol."""
        parts = (self.version, serving_hash() if self.ours else self._scripts(), str(PROTOCOL))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def _scripts(self) -> str:
        """The scripts without comments, and the requirements."""
        files = (CONTESTANTS / name for name in (self.script, "serving_app.py", "serving_files.py"))
        return "\0".join([*(ast.dump(ast.parse(file.read_text("utf-8"))) for file in files), *WEB])

    def trained(self, data: Path, dataset: str, seed: int = 0) -> Path:
        """The folder of the model, trained if it is not in the cache.

        Raises
        ------
        ServingError
            The training failed.
        """
        made = source_hash(*TRAINED_BY) if self.ours else hashlib.sha256(self._scripts().encode()).hexdigest()[:12]
        folder = CACHE / "serving" / f"{self.name}-{dataset}-{seed}-{made}"
        if not folder.exists():
            print(f"{dataset}: {self.name} is trained", flush=True)
            file, part = data / dataset / "train.jsonl.gz", folder.with_name(f"{folder.name}.part")
            subprocess.run(["rm", "-rf", str(part)], check=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            own = ["-m", "ramify", "train", str(file), "--out", str(part), "--seed", str(seed), "--quiet"]
            command = own if self.ours else [self.script, str(file.resolve()), str(part)]
            done = subprocess.run(
                [str(self.python()), *command], cwd=CONTESTANTS, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise ServingError(f"{self.name} was not trained: {_last_line(done.stderr)}")
            part.rename(folder)
        return folder

    @contextmanager
    def serving(self, model: Path, workers: int) -> Iterator[Service]:
        """The running service; it ends with the block.

        Raises
        ------
        ServingError
            It is not ready in time.
        """
        port, log = _free_port(), CACHE / "serving" / f"{self.name}.log"
        environment = dict(os.environ)
        if self.ours:
            command = ["-m", "ramify", "serve", f"model={model}", "--port", str(port), "--workers", str(workers)]
        else:
            application = f"{Path(self.script).stem}:create"
            command = ["-m", "uvicorn", "--factory", application, "--port", str(port), "--workers", str(workers)]
            command += ["--no-access-log", "--log-level", "warning"]
            threads = max(1, len(os.sched_getaffinity(0)) // workers)
            environment |= {"SERVED": str(model), "SERVED_THREADS": str(threads)}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.python()), *command],
                cwd=CONTESTANTS, env=environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        service = Service(process, port, log)
        try:
            service.wait(1 if self.ours else workers)
            yield service
        finally:
            service.stop()


class Service:
    """A running service, whose processes are those of one session.

    Parameters
    ----------
    process : Popen
        Its first process, the leader of the session.
    port : int
    log : Path
        What it prints.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log
        self.url = f"http://127.0.0.1:{port}"
        self.left = 0

    def wait(self, times: int) -> None:
        """Until it answers; several times in a row where each of several processes opens its own model."""
        end, opener, answered = time.monotonic() + STARTED, build_opener(ProxyHandler({})), 0
        while answered < 10 * times:
            if self.process.poll() is not None or time.monotonic() > end:
                raise ServingError(f"the service is not ready: {_last_line(self.log.read_text('utf-8', 'replace'))}")
            try:
                with opener.open(f"{self.url}/health/ready", timeout=5) as answer:
                    answered += answer.status == 200
            except OSError:
                answered = 0
                time.sleep(0.1)
        if times > 1:
            time.sleep(5)  # the first process to be ready answers alone at first

    def text(self, path: str) -> str:
        """The answer to a GET request."""
        with build_opener(ProxyHandler({})).open(f"{self.url}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def pids(self) -> list[int]:
        """All processes."""
        return [pid for pid, fields in _processes() if int(fields[3]) == self.process.pid]

    def model_pids(self) -> list[int]:
        """The processes of ramify with the models."""
        found = []
        for pid in self.pids():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"spawn_main" in command:
                found.append(pid)
        return found

    def cpu_seconds(self) -> float:
        """CPU of the processes that live."""
        own = [fields for _, fields in _processes() if int(fields[3]) == self.process.pid]
        return sum(int(fields[11]) + int(fields[12]) for fields in own) / TICKS

    def memory_bytes(self) -> int:
        """Proportional set size of all processes: shared pages count once."""
        return sum(map(_memory, self.pids()))

    def stop(self) -> int | None:
        """End it with SIGTERM; what is left after some seconds with SIGKILL, counted in ``left``. The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        end = time.monotonic() + 3
        while self.pids() and time.monotonic() < end:  # helpers of multiprocessing end after their parent
            time.sleep(0.05)
        for pid in self.pids():
            self.left += 1
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return self.process.wait()


@cache
def serving_hash() -> str:
    """Fingerprint of the sources of the service and of the model."""
    files = (SRC / "ramify" / "serve").rglob("*.py")
    names = (".".join(file.relative_to(SRC).with_suffix("").parts) for file in files if file.stem != "__init__")
    return source_hash(*sorted(names), "ramify.serve", "ramify.cli.serve", *TRAINED_BY)


def served_systems() -> dict[str, Served]:
    """By name, ramify first."""
    from ramify import __version__

    pecos = Environment(
        "libpecos-serving",
        bare=("libpecos==1.2.8",),
        requirements=("numpy<2", "scipy<1.14", "scikit-learn", *WEB),
    )
    omikuji = Environment("omikuji-serving", requirements=("omikuji==0.5.2", "numpy", "scipy", "scikit-learn", *WEB))
    systems = (
        Served("ramify", "", __version__),
        Served("libpecos", "serve_libpecos.py", "1.2.8", pecos),
        Served("omikuji", "serve_omikuji.py", "0.5.2", omikuji),
    )
    return {system.name: system for system in systems}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Numbers of living processes, with the fields of their ``stat`` after the name: the fourth is the session."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it ended just now
                continue
            fields = text.rpartition(")")[2].split()
            if fields[0] != "Z":
                yield int(entry.name), fields


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"
