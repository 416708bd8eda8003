"""The main job, measured: whole ``ramify train`` runs on real text, as a user types them.

    python benchmarks/main_job.py train --data ../shared/data   # wall, CPU, memory, and the model's quality

Every run adds a JSON line to ``benchmarks/results/main-job.jsonl``: dataset, system, seed, every figure, command,
commit, date. Races against other systems are in ``race.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from racing.places import DATA, HERE
from racing.rows import add_stamped

RESULTS = HERE / "results" / "main-job.jsonl"
TRAIN_SETS = ("crs-bills-104-110", "yso-finna-en")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("train",))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="*", default=TRAIN_SETS, help="data sets; both of the large ones by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        measure_training(chosen.data / name, chosen.seed, chosen.threads)


def measure_training(folder: Path, seed: int, threads: int) -> None:
    """A whole ``ramify train`` from the gzipped JSON lines, as a user runs it, then its evaluation."""
    with tempfile.TemporaryDirectory() as scratch:
        model = str(Path(scratch) / "model")
        options = ["--out", model, "--seed", str(seed), "--threads", str(threads), "--json", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-m", "ramify", "train", str(folder / "train.jsonl.gz"), *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(done.stderr)
        row = json.loads(done.stdout)
        row.pop("model")  # a path of this machine
        evaluated = subprocess.run(
            [sys.executable, "-m", "ramify", "evaluate", model, str(folder / "test.jsonl.gz"), "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    command = f"ramify train {folder.name}/train.jsonl.gz --seed {seed} --threads {threads} --json"
    measured = {"dataset": folder.name, "system": "ramify train", "seed": seed, "run": row}
    measured |= {"measures": json.loads(evaluated.stdout), "command": command}
    print(json.dumps(add_stamped(RESULTS, measured), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
