"""Options of ``ramify train`` for many workers, and the plan of ``--dry-run``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Option

from ramify.errors import InputError
from ramify.wording import counted, quoted

if TYPE_CHECKING:
    from ramify.scale import Cluster
    from ramify.scale.executors import Executor
    from ramify.scale.planning import LevelPlan, WholePlan

LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Options for training label trees on many workers."""

    cluster: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(
            metavar="ADDRESS",
            help="local, local:N, or HOST:PORT of Ray.",
        ),
    ] = None
    resume: Annotated[
        Optional[Path],  # noqa: UP045
        Option(
            metavar="DIR",
            help="Finished tasks, to continue a training.",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            help="Only print the plan for the cluster.",
        ),
    ] = False

    def check_cluster(self) -> None:
        """Raise InputError for options that need ``--cluster``."""
        for name, given in (("--resume", self.resume is not None), ("--dry-run", self.dry_run)):
            if given and self.cluster is None:
                raise InputError(f"{name} is given, but --cluster is not: add --cluster local, or an address")


@contextmanager
def opened_cluster(options: Any) -> Iterator[Cluster | None]:
    """Context with the cluster of ``--cluster``; None without the option.

    Parameters
    ----------
    options : TrainOptions
        Options of the command.

    Raises
    ------
    RamifyError
        An address that cannot be used, or a number of workers that conflicts with ``--threads``.
    """
    if options.cluster is None:
        yield None
        return
    from ramify.checks import thread_count
    from ramify.scale import Cluster
    from ramify.scale.planning import Planner

    executor = _executor(options.cluster, options.threads)
    try:
        cluster = (Planner if options.dry_run else Cluster)(executor, checkpoint=options.resume)
    except BaseException:
        executor.close()
        raise
    if isinstance(cluster, Planner):
        cluster.own_threads = thread_count(options.threads)
    with cluster:
        yield cluster


def _executor(address: str, threads: int | None) -> Executor:
    from ramify.checks import thread_count
    from ramify.scale import ProcessExecutor, RayExecutor

    kind, _, count = address.partition(":")
    if kind != LOCAL:
        return RayExecutor(address)
    if address == LOCAL:
        return ProcessExecutor(thread_count(threads))
    if not count.isdecimal() or not 0 < int(count) <= 4096:
        raise InputError(f"--cluster is {quoted(address)}, but must be local, local:N with N in 1..4096, or HOST:PORT")
    if threads is not None and int(count) > threads:
        raise InputError(
            f"--cluster {address} starts {int(count):,} worker processes, but --threads is {threads}: "
            "use a smaller number of processes, or more threads"
        )
    return ProcessExecutor(int(count))


def plan_text(plan: WholePlan) -> str:
    """The plan for people."""
    from ramify.cli.output import bytes_text, columns

    tree = plan.largest
    rows = [(f"level {number}", _level_text(level)) for number, level in enumerate(tree.levels)]
    if len(plan.trees) > 1:
        rows = [("trees", f"{len(plan.trees):,}; the levels are those of the largest, the sums those of all"), *rows]
    rows += [
        ("search", f"{counted(plan.search_tasks, 'task')} for hard negatives"),
        ("workers", f"{counted(tree.slots, 'task')} at a time, {counted(tree.threads, 'thread')} each"),
        (
            "sent once",
            f"{bytes_text(tree.shared)} of features to each machine"
            + (" for each tree" if len(plan.trees) > 1 else ""),
        ),
        ("moved", f"about {bytes_text(plan.moved)} of rows and weights"),
        ("memory", f"about {bytes_text(plan.node_memory)} on a machine that has all workers"),
        ("time", f"about {_time_text(plan.hours)} for the levels, without reading, features, trees and calibration"),
    ]
    return columns(rows)


def _level_text(level: LevelPlan) -> str:
    from ramify.cli.output import bytes_text

    tasks = f"{counted(level.parts, 'task')} of at most {bytes_text(level.task_bytes)}" if level.parts else "no task"
    return f"{counted(level.nodes, 'node')}, {tasks}"


def _time_text(hours: float) -> str:
    from ramify.cli.output import seconds_text

    return seconds_text(3600 * hours) if hours < 1 else f"{hours:,.1f} hours"
