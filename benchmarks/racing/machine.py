"""What a row says of where and when it was measured."""

from __future__ import annotations

import datetime
import os
import subprocess
from functools import cache
from pathlib import Path

from racing.places import REPOSITORY


@cache
def machine() -> str:
    """Processor and number of cores."""
    names = [line.split(":")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    name = " ".join(names[0].split()) if names else "unknown processor"
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


@cache
def memory_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def commit() -> str:
    """The commit; with a + where sources differ from it."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name}+" if _git("status", "--porcelain", "src", "cpp", "CMakeLists.txt") else name


def today() -> str:
    """The date, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()
