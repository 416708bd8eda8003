"""Executors: where tasks run. In this process, in processes of this machine (loky), or on Ray (``scale.ray_cluster``).

A task is a call of a pure function, so it may run again on another worker. ``put`` makes a value readable by every
task; its arrays are read-only there, and tasks of one machine share their memory.
"""

from __future__ import annotations

import mmap
import os
import pickle
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ramify.checks import MAX_THREADS, thread_count, whole_number
from ramify.errors import ClusterError, InputError

ALIGNMENT = 64
"""Bytes. Arrays in a file begin at multiples of it, as NumPy's own do."""


SECONDS_BETWEEN_LOOKS = 0.5
"""Time between two looks of a worker whether its parent process still runs."""


class WorkerLostError(ClusterError):
    """The worker of a task has ended before the task, for example because it was killed."""


class Task(Protocol):
    """A submitted call."""

    def result(self) -> Any:
        """Value of the finished call.

        Raises
        ------
        WorkerLostError
            The worker has ended; the call may be submitted again.
        Exception
            The error of the call.
        """
        ...


class Executor(Protocol):
    """Runs tasks. Arguments of ``submit`` that are handles of ``put`` are replaced by their values in the worker."""

    @property
    def slots(self) -> int:
        """Number of tasks that run at the same time."""
        ...

    @property
    def threads(self) -> int:
        """Number of threads of a task."""
        ...

    def put(self, value: Any) -> Any:
        """A handle of a value that tasks share; it is copied to a machine once. Valid until ``close``."""
        ...

    def drop(self, handle: Any) -> None:
        """Free a value of ``put``; tasks that use it must have ended."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """Begin a call as soon as a slot is free."""
        ...

    def as_completed(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """The tasks in the order in which they end."""
        ...

    def close(self) -> None:
        """Cancel the tasks, end the workers, and remove the shared values."""
        ...


@dataclass(eq=False)
class _LateTask:
    """A call that runs when its result is wanted."""

    call: Callable[[], Any]

    def result(self) -> Any:
        return self.call()


class SerialExecutor:
    """Runs every task in this process, one after the other.

    Parameters
    ----------
    threads : int, optional
        Number of threads of a task; every CPU when None.
    """

    slots = 1

    def __init__(self, threads: int | None = 1) -> None:
        self.threads = thread_count(threads)

    def put(self, value: Any) -> Any:
        """The value itself."""
        return value

    def drop(self, handle: Any) -> None:
        """Nothing to do."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """See ``Executor.submit``; the call runs when its result is wanted."""
        return _LateTask(lambda: function(*arguments))

    def as_completed(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """The tasks in the given order."""
        return iter(tasks)

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class Stored:
    """A value in a file: its pickle without the arrays, and the arrays, which a worker maps instead of reading them.

    Parameters
    ----------
    path : str
        The file of the arrays.
    frame : bytes
        Pickle of the value (protocol 5) without its arrays.
    places : tuple of (int, int)
        First byte and length of each array.
    """

    path: str
    frame: bytes
    places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, value: Any, path: Path) -> Stored:
        """Write a value.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        buffers: list[pickle.PickleBuffer] = []
        frame = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        places = []
        try:
            with path.open("wb") as file:
                file.write(b"\0" * ALIGNMENT)  # an empty file cannot be mapped
                for buffer in buffers:
                    file.seek(-file.tell() % ALIGNMENT, os.SEEK_CUR)
                    raw = buffer.raw()
                    places.append((file.tell(), raw.nbytes))
                    file.write(raw)
        except OSError as error:
            needed = sum(buffer.raw().nbytes for buffer in buffers)
            raise InputError(
                f"{path.parent} cannot hold the {needed:,} bytes that the worker processes share "
                f"({error.strerror or error}): set TMPDIR to a folder with more space"
            ) from None
        return cls(str(path), frame, tuple(places))

    def open(self) -> Any:
        """The value; its arrays are mapped and read-only."""
        with Path(self.path).open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return pickle.loads(self.frame, buffers=[mapped[first : first + size] for first, size in self.places])


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Runs in the worker."""
    return function(*(argument.open() if isinstance(argument, Stored) else argument for argument in arguments))


def _end_with(parent: int, folder: str) -> None:
    """Runs in a worker when it starts: end it, and remove the shared values, when the parent process was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True, eq=False)
class _ProcessTask:
    future: Future[Any]

    def result(self) -> Any:
        try:
            return self.future.result()
        except BrokenExecutor:
            raise WorkerLostError("a worker process has ended, for example because memory was short") from None


class ProcessExecutor:
    """Runs tasks in worker processes of this machine (loky, which joblib contains). Lost workers are replaced.

    Parameters
    ----------
    slots : int, optional
        Number of worker processes; every CPU when None.
    threads : int, default 1
        Number of threads of each.
    folder : path-like, optional
        Folder for the shared values; the folder for temporary files when None.

    Raises
    ------
    InputError
        More threads than CPUs, or a folder that does not exist.
    """

    def __init__(
        self, slots: int | None = None, threads: int = 1, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self.slots = thread_count(None) if slots is None else whole_number("slots", slots, 1, MAX_THREADS)
        self.threads = thread_count(threads)
        if self.threads > 1 and self.slots * self.threads > thread_count(None):
            raise InputError(
                f"{self.slots} worker processes of {self.threads} threads are more than the {thread_count(None)} CPUs "
                "of this machine: use fewer of one or the other"
            )
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="ramify-", dir=folder))
        except OSError as error:
            raise InputError(
                f"{folder} cannot hold the values that worker processes share ({error.strerror})"
            ) from None
        self._pool: Any = None
        self._count = 0

    def put(self, value: Any) -> Stored:
        """See ``Executor.put``: the value is written to a file that the workers map."""
        self._count += 1
        return Stored.of(value, self._folder / str(self._count))

    def drop(self, handle: Stored) -> None:
        """See ``Executor.drop``."""
        Path(handle.path).unlink(missing_ok=True)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """See ``Executor.submit``."""
        try:
            return _ProcessTask(self._workers().submit(_call, function, arguments))
        except (BrokenExecutor, RuntimeError):  # a worker was lost after the last task, or the pool shuts down for it
            self._pool = None
            return _ProcessTask(self._workers().submit(_call, function, arguments))

    def _workers(self) -> Any:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        if self._pool is None:
            watch = (os.getpid(), str(self._folder))
            self._pool = ProcessPoolExecutor(max_workers=self.slots, initializer=_end_with, initargs=watch)
        return self._pool

    def as_completed(self, tasks: Sequence[Any]) -> Iterator[Task]:
        """See ``Executor.as_completed``."""
        left = {task.future: task for task in tasks}
        while left:
            done, _ = wait(left, return_when=FIRST_COMPLETED)
            yield from [left.pop(future) for future in done]

    def close(self) -> None:
        """See ``Executor.close``."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None
        shutil.rmtree(self._folder, ignore_errors=True)
