"""Executors: where tasks run. In this process, in processes of this machine (loky), or on Ray (``scale.ray_cluster``).

A task is a call of a pure function, so it may run again on another worker. ``put`` makes a value readable by every
task; its arrays are read-only there, and tasks of one machine share their memory.
"""

from __future__ import annotations

import mmap
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol

from ramify.checks import MAX_THREADS, thread_count, whole_number
from ramify.errors import ClusterError, InputError

ALIGNMENT = 64
"""Bytes. Arrays in a file begin at multiples of it, as NumPy's own do."""


SECONDS_BETWEEN_LOOKS = 0.5
"""Time between two looks of a worker whether its parent process still runs."""


SECONDS_TO_CANCEL = 1.0
"""Time in which the thread of a pool sees that a task was cancelled."""

CLOSED = "the executor is closed, so it runs no task: make a new one, or use it before its with statement ends"
"""Error of the use of a closed executor."""


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal; the parent ends this one

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Context in which Ctrl-C waits until its end; processes that are started in it do not receive Ctrl-C."""
    caught: list[tuple[int, Any]] = []
    mask = None
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # its start would end the blocking of the signal
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    if callable(handler):  # another thread may receive the signal, but the main one runs the handler
        signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
        if mask is not None and sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if caught and callable(handler):
            handler(*caught[0])


class _ProcessTask:
    """A call that waits for a worker process, or runs in it."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.call = (function, arguments)
        self.future: Future[Any] = Future()

    def result(self) -> Any:
        return self.future.result()


class _Worker:
    """A worker process, which is replaced when it was lost, and its task.

    A pool of several processes ends all of them when one is lost, and does not report which task that one had.
    """

    def __init__(self, folder: str) -> None:
        self._watch = (os.getpid(), folder)
        self._pool: Any = None
        self._future: Future[Any] | None = None

    def begin(self, task: _ProcessTask) -> Future[Any]:
        """Run a task; the last one must have ended."""
        try:
            self._future = self._processes().submit(_call, *task.call)
        except (BrokenExecutor, RuntimeError):  # the process was lost after the last task
            self._pool = None
            self._future = self._processes().submit(_call, *task.call)
        return self._future

    def _processes(self) -> Any:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        if self._pool is None:
            self._pool = ProcessPoolExecutor(max_workers=1, initializer=_end_with, initargs=self._watch)
        return self._pool

    def close(self) -> None:
        """End the process."""
        if self._pool is None:
            return
        if self._future is not None and self._future.cancel():  # the thread of the pool has not seen the task yet
            wait([self._future], SECONDS_TO_CANCEL)  # otherwise the thread raises an error for the removed task
        self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = None


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
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._idle = [_Worker(str(self._folder)) for _ in range(self.slots)]
        self._busy: dict[_Worker, _ProcessTask] = {}
        self._waiting: deque[_ProcessTask] = deque()
        self._lock = threading.RLock()
        self._count = 0

    def put(self, value: Any) -> Stored:
        """See ``Executor.put``: the value is written to a file that the workers map."""
        self._check_open()
        self._count += 1
        return Stored.of(value, self._folder / str(self._count))

    def drop(self, handle: Stored) -> None:
        """See ``Executor.drop``."""
        Path(handle.path).unlink(missing_ok=True)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """See ``Executor.submit``."""
        task = _ProcessTask(function, arguments)
        with _uninterrupted(), self._lock:
            self._check_open()
            self._waiting.append(task)
            self._begin_waiting()
        return task

    def _check_open(self) -> None:
        if not self._remove_folder.alive:
            raise InputError(CLOSED)

    def _begin_waiting(self) -> None:
        """Give waiting tasks to idle workers; the caller has the lock."""
        while self._waiting and self._idle:
            worker, task = self._idle.pop(), self._waiting.popleft()
            try:
                future = worker.begin(task)
            except Exception as error:  # no process or thread can be started; the caller may be a pool, which logs it
                self._idle.append(worker)
                task.future.set_exception(error)
                continue
            self._busy[worker] = task
            future.add_done_callback(partial(self._end, worker))

    def _end(self, worker: _Worker, future: Future[Any]) -> None:
        """Called, by a thread of the worker's pool, when its task has ended."""
        with self._lock:
            task = self._busy.pop(worker)
            error = CancelledError() if future.cancelled() else future.exception()
            if error is None:
                task.future.set_result(future.result())
            elif isinstance(error, BrokenExecutor):
                reason = "the process has ended, for example because memory was short"
                task.future.set_exception(WorkerLostError(reason))
            else:
                task.future.set_exception(error)
            if self._remove_folder.alive:
                self._idle.append(worker)
                self._begin_waiting()

    def as_completed(self, tasks: Sequence[Any]) -> Iterator[Task]:
        """See ``Executor.as_completed``."""
        left = {task.future: task for task in tasks}
        while left:
            done, _ = wait(left, return_when=FIRST_COMPLETED)
            yield from [left.pop(future) for future in done]

    def close(self) -> None:
        """See ``Executor.close``."""
        with _uninterrupted():
            with self._lock:
                self._remove_folder()
                workers = [*self._idle, *self._busy]
                for task in self._waiting:
                    task.future.cancel()
                self._waiting.clear()
            for worker in workers:
                worker.close()
            shutil.rmtree(self._folder, ignore_errors=True)  # a value that was written meanwhile
