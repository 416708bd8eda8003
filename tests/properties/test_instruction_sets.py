"""Every instruction set that the processor has gives what the plain twins give: the kernels' tests, once per set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_narrower_instruction_sets(isa):
    file = HERE / "test_training_equals_reference.py"
    chosen = "siblings or single_row"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, file]
    done = subprocess.run(
        command, env=os.environ | {"RAMIFY_ISA": isa}, capture_output=True, text=True, cwd=HERE.parents[1], check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "[100%]" in done.stdout
