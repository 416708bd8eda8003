"""The figures of the race as a user gets them: ``ramify train`` and ``ramify evaluate`` on the files themselves.

    python benchmarks/command_line.py                       # what is not yet in benchmarks/results/command-line.jsonl
    python benchmarks/command_line.py --sets bibtex --seeds 1

Each row has the measures with and without the test documents none of whose labels occur in training; the race leaves
these out. ``python benchmarks/race.py table`` sets the rows beside the race's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from racing.command_line_tables import COMMAND_LINE, key_of
from racing.places import DATA
from racing.rows import add_stamped, read_rows
from racing.sets import FEATURES, TEXTS
from racing.sources import source_hash

PRESETS = ("default", "fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=(*FEATURES, *TEXTS), metavar="SET")
    parser.add_argument("--presets", nargs="+", default=PRESETS, metavar="PRESET")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    known = {key_of(row) for row in read_rows(COMMAND_LINE)}
    for name in chosen.sets:
        for preset in chosen.presets:
            for seed in range(chosen.seeds):
                row = {"dataset": name, "preset": preset, "seed": seed, "sources": source_hash()}
                if key_of(row) not in known:
                    measured = row | measure(chosen.data / name, preset, seed, chosen.threads)
                    print(json.dumps(add_stamped(COMMAND_LINE, measured)), flush=True)


def measure(folder: Path, preset: str, seed: int, threads: int) -> dict[str, Any]:
    """Train on the training file and evaluate on the test file, both by the command line."""
    [train], [test] = (sorted(folder.glob(f"{part}.*.gz")) for part in ("train", "test"))
    options = ["--preset", preset, "--seed", str(seed), "--threads", str(threads), "--quiet"]
    with tempfile.TemporaryDirectory() as scratch:
        model = str(Path(scratch) / "model")
        ramify("train", str(train), "--out", model, "--json", *options)
        everything = ramify("evaluate", model, str(test), "--json")
        seen = ramify("evaluate", model, str(test), "--json", "--seen-only")
    return {
        "measures": {name: value for name, value in seen["values"].items() if "/" not in name},
        "measures_of_all": {name: value for name, value in everything["values"].items() if "/" not in name},
        "test_documents": everything["n_documents"],
        "unseen_documents": everything["n_unseen"],
        "command": f"ramify train {folder.name}/{train.name} --preset {preset} --seed {seed}; "
        f"ramify evaluate {folder.name}/{test.name} --seen-only",
    }


def ramify(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "ramify", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
