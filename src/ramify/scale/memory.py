"""Memory of this process, as the system reports it."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
"""Lines such as "VmRSS:  1234 kB", on Linux."""


def used_memory() -> int:
    """Bytes of memory that this process uses now, with the pages of mapped files; where unknown, ``peak_memory``."""
    return _status("VmRSS") or peak_memory()


def peak_memory() -> int:
    """Peak memory of this process in bytes, with the pages of mapped files; 0 where the system does not report it.

    On Linux ``getrusage`` is not used: its peak includes that of the process that started this one.
    """
    found = _status("VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _status(name: str) -> int | None:
    """Bytes of a line of ``STATUS``; None without it."""
    try:
        lines = STATUS.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    values = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    found = next(values, None)
    return None if found is None else int(found) * 1024
