"""Checks of single arguments: numbers, paths, and the number of threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ramify.checks.rules import THREADS, Real, Whole
from ramify.errors import InputError
from ramify.wording import quoted


def whole_number(name: str, value: Any, low: int, high: int = 2**63 - 1) -> int:
    """The value as an int.

    Raises
    ------
    InputError
        Not a whole number in low..high.
    """
    if type(value) is int and low <= value <= high:
        return value  # at once: single predictions take microseconds
    number: int = Whole(low, high).check(name, value)
    return number


def real_number(name: str, value: Any, low: float, high: float) -> float:
    """The value as a float.

    Raises
    ------
    InputError
        Not a number in low..high.
    """
    number: float = Real(low, high).check(name, value)
    return number


def given_path(name: str, value: Any) -> Path:
    """The path that a caller gave; InputError for another type and for "", which would be the current directory."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{name} is {quoted(value)}, but must be a path: give a str or a pathlib.Path")
    if not str(value):
        raise InputError(f"{name} is an empty string: give a path")
    return Path(value)


def existing_path(value: str | os.PathLike[str]) -> Path | None:
    """The path, with "~" expanded; None if there is nothing, or if the value cannot be a path."""
    try:
        path = Path(value).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a character that no path has, or an unknown user
        return None


def thread_count(threads: int | None) -> int:
    """The number of threads to use; None uses all CPUs that are available to this process.

    Raises
    ------
    InputError
        Fewer than 1, or more than 4096.
    """
    given: int | None = THREADS.check("threads", threads)
    if given is not None:
        return given
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
