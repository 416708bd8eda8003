"""One saved model, many workers: how much of it each worker holds for itself, and how much all share by the mapping.

    python benchmarks/shared_memory.py --data ../shared/data --set gutenberg-lcsh --workers 4

Every worker is a process of its own that opens the model directory and tags the test texts. The kernel counts a page
that several processes map once in each one's resident set (Rss), and divided among them in the proportional one (Pss).
Adds a row to ``benchmarks/results/shared-memory.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from racing.places import DATA, HERE
from racing.rows import add_stamped

RESULTS = HERE / "results" / "shared-memory.jsonl"
PATIENCE_S = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--set", default="gutenberg-lcsh")
    parser.add_argument("--workers", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model, texts = train(chosen.data / chosen.set, Path(scratch) / "model")
        row: dict[str, Any] = {
            "dataset": chosen.set,
            "model_mb": megabytes(model),
            "alone": measure(model, texts, 1)[0],
        }
        row["workers"] = measure(model, texts, chosen.workers)
    row |= {"command": f"python benchmarks/shared_memory.py --set {chosen.set} --workers {chosen.workers}"}
    print(json.dumps(add_stamped(RESULTS, row), indent=1))


def train(folder: Path, model: Path) -> tuple[Path, list[str]]:
    from ramify import Tagger, read

    Tagger().fit_dataset(read(folder / "train.jsonl.gz")).save(model)
    return model, list(read(folder / "test.jsonl.gz").texts or ())[:2000]


def megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)


def measure(model: Path, texts: list[str], n_workers: int) -> list[dict[str, float]]:
    """MB of every worker while all hold the model and have used it."""
    context = mp.get_context("spawn")
    barrier, answers = context.Barrier(n_workers), context.Queue()
    workers = [context.Process(target=work, args=(str(model), texts, barrier, answers)) for _ in range(n_workers)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=PATIENCE_S) for _ in workers]
    for worker in workers:
        worker.join()
    return found


def work(model: str, texts: list[str], barrier: Barrier, answers: Any) -> None:
    import ramify

    tagger = ramify.load(model, verify=False)
    for text in texts:
        tagger.tag([text])
    barrier.wait(PATIENCE_S)
    answers.put(mapped(model))
    barrier.wait(PATIENCE_S)


def mapped(model: str) -> dict[str, float]:
    """MB that this process maps of the model's files: resident, its proportional share, and private."""
    total = dict.fromkeys(("Rss", "Pss", "Private_Clean", "Private_Dirty"), 0)
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        fields = line.split()
        if not fields[0].endswith(":"):
            inside = len(fields) > 5 and fields[5].startswith(model)
        elif inside and fields[0][:-1] in total:
            total[fields[0][:-1]] += int(fields[1])
    private = total.pop("Private_Clean") + total.pop("Private_Dirty")
    megabyte = {f"{name.lower()}_mb": round(kilobytes / 1e3, 2) for name, kilobytes in total.items()}
    return megabyte | {"private_mb": round(private / 1e3, 2)}


if __name__ == "__main__":
    main()
