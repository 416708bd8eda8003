"""One process under watch: its limits of time and memory, its own CPU, and the CPU that others burned meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What a process may take: seconds by the clock, and bytes of memory."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Parameters
    ----------
    failed : str or None
        Why it did not succeed.
    own_cpu_s, others_cpu_s, wall_s : float
        CPU of the process with its children and of the rest of the machine, and time by the clock.
    """

    failed: str | None
    own_cpu_s: float
    others_cpu_s: float
    wall_s: float


def watch(
    command: list[str],
    environment: dict[str, str],
    log: Path,
    limits: Limits,
    *,
    folder: Path | None = None,
    observe: Callable[[int], None] | None = None,
) -> Outcome:
    """Run a command in a process group of its own, which is killed as a whole at a limit or on an interrupt.

    Parameters
    ----------
    command, environment, log, limits
        Program with arguments, its variables, the file of its output, and what it may take.
    folder : Path, optional
        Working directory; that of this process when None.
    observe : callable, optional
        Called again and again with the id of the process, which is also that of its session, until it ends.
    """
    machine, ourselves, start = machine_cpu(), _our_cpu(), time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            failed, status, usage = _wait(process.pid, start, limits, observe)
        except BaseException:
            _kill(process.pid)
            process.returncode = -signal.SIGKILL  # reaped here: Popen must not look for it again
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    own = usage.ru_utime + usage.ru_stime
    others = max(0.0, machine_cpu() - machine - own - (_our_cpu() - ourselves))
    if failed is None and process.returncode != 0:
        failed = _last_words(log, process.returncode)
    return Outcome(failed, own, others, wall)


def _wait(
    pid: int, start: float, limits: Limits, observe: Callable[[int], None] | None
) -> tuple[str | None, int, resource.struct_rusage]:
    pause = 0.005
    while True:
        reaped, status, usage = os.wait4(pid, os.WNOHANG)
        if reaped:
            return None, status, usage
        if observe is not None:
            observe(pid)
        failed = _beyond(pid, time.monotonic() - start, limits)
        if failed:
            status, usage = _kill(pid)
            return failed, status, usage
        time.sleep(pause)
        pause = min(2 * pause, 0.25)


def _beyond(pid: int, elapsed: float, limits: Limits) -> str | None:
    if elapsed > limits.seconds:
        return f"not finished after {limits.seconds:,.0f} s"
    if resident(pid) > limits.bytes:
        return f"needs more than {limits.bytes / 1e9:g} GB of memory"
    return None


def _kill(pid: int) -> tuple[int, resource.struct_rusage]:
    os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return status, usage


def resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):  # it ended just now
        return 0


def machine_cpu() -> float:
    """CPU seconds of everyone since the machine started: user, nice, system, interrupts."""
    with Path("/proc/stat").open() as file:
        ticks = [int(field) for field in file.readline().split()[1:]]
    return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / os.sysconf("SC_CLK_TCK")


def _our_cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def _last_words(log: Path, code: int) -> str:
    lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    return f"{how}: {lines[-1][:300]}" if lines else how
