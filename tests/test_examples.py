"""Every example runs as it stands, offline, and says what its reader is to see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SEEN = {
    "quick_start": "loaded model gives the same answer: True",
    "own_taxonomy": "Taxes",
    "product_search": "in stock ['Boots Trail'",
    "vocabulary": "{'answer': 'notation'} 332.1",
    "own_indexer": "obeys the protocol: True",
    "generated_labels": "nothing is trained: give a training file and a test file",
    "service_client": "nothing is tagged: give the address of a service",
    "fine_tuned_encoder": "nothing is trained: give a training file and a test file",
}


def test_every_example_is_known_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SEEN)


@pytest.mark.parametrize("name", sorted(SEEN))
def test_example_runs(name, tmp_path):
    command = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert SEEN[name] in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(SEEN))
def test_example_fits_a_screen(name):
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 60
