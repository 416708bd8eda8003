"""Memory that a process reports: its own, not that of the process that started it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ramify.scale import memory


@pytest.mark.skipif(not memory.STATUS.exists(), reason="the system has no /proc")
def test_the_peak_is_not_that_of_the_process_that_started_this_one():
    held = np.ones(400_000_000, np.uint8)
    code = "from ramify.scale.memory import peak_memory, used_memory; print(peak_memory(), used_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak, used = map(int, done.stdout.split())
    assert min(used, peak) > 10_000_000
    assert max(used, peak) < held.nbytes


def test_the_peak_without_the_status_of_the_system(monkeypatch):
    pytest.importorskip("resource", reason="the system does not report the peak")
    monkeypatch.setattr(memory, "STATUS", Path("/absent"))
    assert memory.peak_memory() > 10_000_000
    assert memory.used_memory() == memory.peak_memory()
