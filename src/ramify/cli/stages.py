"""Stages of a long command: progress bars on stderr if it is a terminal, and times for the report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Stages:
    """A ``progress`` callback, called with (stage, share done).

    Parameters
    ----------
    quiet : bool, default False
        Whether progress bars are disabled.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time per stage in seconds, in order.
    begun, begun_cpu : float
        Wall and CPU clock at the start of the command, in seconds.
    n_documents : int
        Number of documents per stage, for the rates; set after reading.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self.begun, self.begun_cpu = time.perf_counter(), time.process_time()
        self.n_documents = 0
        self._current, self._last = "", 0.0
        self._tasks: dict[str, TaskID] = {}
        self._display: Progress | None = None if quiet or not sys.stderr.isatty() else _display()

    def __enter__(self) -> Stages:
        if self._display is not None:
            self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.stop()

    def __call__(self, stage: str, done: float) -> None:
        """Record the share of a stage that is done; stages may alternate, as for the trees of an ensemble."""
        now = time.perf_counter()
        spent = now - self._last if stage == self._current else 0.0
        self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
        self._current, self._last = stage, now
        if self._display is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._display.add_task(stage, total=None, rate="")
        rate = self._rate(stage, done)
        # total=None shows a bar without a share.
        self._display.update(self._tasks[stage], total=1.0 if done > 0 else None, completed=done, rate=rate)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of a ``with`` statement as a stage."""
        self(name, 0.0)
        yield
        self(name, 1.0)

    def rates(self) -> dict[str, float]:
        """Documents per second of each stage with a measured time."""
        return {name: self.n_documents / seconds for name, seconds in self.seconds.items() if seconds > 0}

    def _rate(self, stage: str, done: float) -> str:
        seconds = self.seconds[stage]
        return f"{done * self.n_documents / seconds:,.0f} documents/s" if seconds > 0 and self.n_documents else ""


def _display() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}"),
        console=Console(stderr=True),
    )
