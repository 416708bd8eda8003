"""What the tests of the command line share."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import ramify

SOURCE = Path(ramify.__file__).parents[1]


def ramify_process(arguments: Sequence[object], cwd: Path, **options: object) -> subprocess.Popen[str]:
    """Start ``python -m ramify`` as ``python_process`` does."""
    return python_process(["-m", "ramify", *arguments], cwd, **options)


def python_process(arguments: Sequence[object], cwd: Path, **options: object) -> subprocess.Popen[str]:
    """Start Python, which receives Ctrl-C even where the tests run in a background that ignores it."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    command = [sys.executable, *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, cwd=cwd, text=True, env=environment, preexec_fn=_accept_interrupts, **pipes)  # noqa: PLW1509


def _accept_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def demo_script(folder: Path, documents: Path) -> Path:
    """A script that runs ``ramify demo`` on a file of documents, without its comparison with others."""
    script = folder / "ramify_demo.py"
    script.write_text(
        "import sys, ramify.data, ramify.demo\n"
        "from ramify.cli import main\n"
        f"parts = ramify.data.split_label_aware(ramify.data.read({str(documents)!r}), 0.3)\n"
        "ramify.demo.demo_dataset = lambda **_: parts\n"
        "sys.argv = ['ramify', 'demo', '-q', '--rival-seconds', '0', '--show', '0', '-k', '1']\n"
        "main()\n"
    )
    return script


class Terminal:
    """The user's side of a terminal; give ``slave`` to a process."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = b""

    def read_until(self, wanted: bytes | None, seconds: float = 90) -> str:
        """What has been shown so far; None waits until the process has closed its side."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (wanted is None or wanted not in self.seen):
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(self.master, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            self.seen += piece
        return self.seen.decode("utf-8", "replace")

    def close_slave(self) -> None:
        """Leave the process's side to the process."""
        os.close(self.slave)
