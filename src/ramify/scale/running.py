"""Runs jobs on an executor: the longest first, failed ones again, finished ones from the checkpoint."""

from __future__ import annotations

import traceback
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ramify.errors import ClusterError, RamifyError, RamifyWarning
from ramify.scale.checkpoint import Checkpoint
from ramify.scale.executors import Executor, Task, WorkerLostError
from ramify.scale.parts import Arrays
from ramify.wording import counted

WAITING_PER_SLOT = 2
"""Tasks per slot that are submitted at a time: the arguments of the others are not made yet."""

MOST_SHOWN = 200
"""Maximum number of characters of an error in a message."""


@dataclass(frozen=True)
class Job:
    """A task that is to be done.

    Parameters
    ----------
    name : str
        For messages.
    cost : float
        Relative time.
    memory : float
        Estimated bytes that the task needs in its worker, without the program and the shared values.
    function : callable
        Called in a worker with the arguments; returns arrays.
    arguments : callable
        Makes the arguments; called when the task is submitted.
    key : callable
        Makes the hash of everything that the result depends on, from the arguments.
    """

    name: str
    cost: float
    memory: float
    function: Callable[..., Arrays]
    arguments: Callable[[], tuple[Any, ...]]
    key: Callable[[tuple[Any, ...]], str]


class JobRunner:
    """Runs jobs.

    Parameters
    ----------
    executor : Executor
        Runs their tasks.
    checkpoint : Checkpoint or None
        Results of finished jobs.
    attempts : int
        Number of times that a task is begun. A task that only waits when another one loses its worker is not begun.

    Attributes
    ----------
    tasks, resumed : int
        Number of results that workers, and that the checkpoint gave.
    peak_mb : float
        Largest peak memory of a worker, in MB.
    """

    def __init__(self, executor: Executor, checkpoint: Checkpoint | None, attempts: int) -> None:
        self.executor, self.checkpoint, self.attempts = executor, checkpoint, attempts
        self.tasks, self.resumed, self.peak_mb = 0, 0, 0.0

    def run(self, jobs: Sequence[Job], progress: Callable[[float], None] | None = None) -> list[Arrays]:
        """The results of the jobs, in order.

        Raises
        ------
        ClusterError
            A task has failed, or lost its worker, ``attempts`` times.
        """
        results: dict[int, Arrays] = {}
        waiting = deque(sorted(range(len(jobs)), key=lambda number: -jobs[number].cost))
        running: dict[Task, _Begun] = {}
        total = sum(job.cost for job in jobs) or 1.0
        while waiting or running:
            while waiting and len(running) < WAITING_PER_SLOT * self.executor.slots:
                number = waiting.popleft()
                self._begin(_Begun(number, jobs[number], 1), running, results)
            if running:
                task = next(iter(self.executor.as_completed(list(running))))
                self._finish(task, running.pop(task), running, results)
            if progress is not None:
                progress(min(1.0, sum(jobs[number].cost for number in results) / total))
        return [results[number] for number in range(len(jobs))]

    def _begin(self, begun: _Begun, running: dict[Task, _Begun], results: dict[int, Arrays]) -> None:
        """Submit a task, unless the checkpoint has its result."""
        arguments = begun.job.arguments()
        if self.checkpoint is not None:
            begun.key = begun.job.key(arguments)
            known = self.checkpoint.read(begun.key)
            if known is not None:
                self.resumed += 1
                results[begun.number] = known
                return
        running[self.executor.submit(begun.job.function, *arguments)] = begun

    def _finish(self, task: Task, begun: _Begun, running: dict[Task, _Begun], results: dict[int, Arrays]) -> None:
        """Keep the result of a task, or begin it again."""
        try:
            arrays: Arrays = task.result()
        except Exception as error:
            if isinstance(error, RamifyError) and not isinstance(error, ClusterError):
                raise  # the input is invalid: another attempt gives the same error
            self._note_failure(begun, error)
            self._begin(_Begun(begun.number, begun.job, begun.attempt + 1), running, results)
            return
        self.tasks += 1
        self.peak_mb = max(self.peak_mb, float(arrays.pop("peak_mb")[0]))
        if self.checkpoint is not None:
            self.checkpoint.write(begun.key, arrays)
        results[begun.number] = arrays

    def _note_failure(self, begun: _Begun, error: Exception) -> None:
        """Warn of a failed task; the last failure raises ClusterError."""
        problem, remedy = _described(begun.job, error)
        log = ""
        if self.checkpoint is not None:
            text = "".join(traceback.format_exception(error))
            self.checkpoint.log_failure(f"{begun.job.name}, attempt {begun.attempt} of {self.attempts}", text)
            log = f", and see {self.checkpoint.directory / 'failures.log'}"
        if begun.attempt >= self.attempts:
            raise ClusterError(f"{problem} {counted(self.attempts, 'time')}: {remedy}{log}") from error
        warnings.warn(f"{problem}; it is begun again", RamifyWarning, stacklevel=2)


def _described(job: Job, error: Exception) -> tuple[str, str]:
    """The problem of a failed task, and the remedy."""
    shown = " ".join(str(error).split())
    shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
    if not isinstance(error, WorkerLostError):
        return f"{job.name} failed ({type(error).__name__}: {shown})", "check the memory and the logs of the workers"
    needed = f"{max(1.0, job.memory / 1e6):,.0f} MB"
    return f"{job.name} lost its worker ({shown})", (
        f"the task needs about {needed} beside the program and the features, so use fewer workers per machine, or "
        "machines with more memory"
    )


@dataclass
class _Begun:
    """A job whose task was submitted: its number, which attempt it is, and the name of its result."""

    number: int
    job: Job
    attempt: int
    key: str = ""
