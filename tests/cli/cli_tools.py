"""What the tests of the command line share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import ramify

SOURCE = Path(ramify.__file__).parents[1]


def ramify_process(arguments: Sequence[object], cwd: Path, **options: object) -> subprocess.Popen[str]:
    """Start ``python -m ramify``."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "ramify", *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, cwd=cwd, text=True, env=environment, **pipes)
