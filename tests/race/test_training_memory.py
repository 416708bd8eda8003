"""Figures of a contestant, for work of known size."""

import json
import subprocess
import sys

from race_tools import BENCHMARKS

MEASURED = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(BENCHMARKS / "contestants")!r})
import numpy as np
import contest

class Fake:
    def data(self, setup):
        np.ones(40_000_000)  # 320 MB that are free again before the clock starts
        return np.ones(20_000_000)  # 160 MB that training finds there
    def train(self, data, setup):
        np.ones(6_000_000)  # 48 MB for a while
        return np.ones(2_000_000)
    def save(self, model, setup):
        (setup.model / "inner").mkdir(parents=True)
        (setup.model / "a").write_bytes(bytes(100))
        (setup.model / "inner" / "b").write_bytes(bytes(23))

work = Path(sys.argv[1])
print(json.dumps(contest.measure_training(Fake(), contest.Setup(work, work, 1, 0, {{}}))))
"""


def test_memory_of_training_is_the_peak_above_what_the_data_take(tmp_path):
    ran = subprocess.run([sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, check=True, text=True)
    costs = json.loads(ran.stdout)
    assert 160e6 < costs["baseline_bytes"] < 320e6
    assert 40e6 < costs["peak_above_bytes"] < 70e6
    assert costs["peak_bytes"] == costs["baseline_bytes"] + costs["peak_above_bytes"]
    assert costs["model_bytes"] == 123
