"""Training within a limit of memory beside training in memory: peak memory, time, and whether the models are equal.

    python benchmarks/memory_limit.py train --set generated-1m --limit 4e9
    python benchmarks/memory_limit.py tfidf --set yso-finna-en --shards 8

Each training is a process of its own. Its peak is the largest sum of RssAnon and RssShmem in /proc/self/status, read
every 5 ms: the resident memory without the pages of mapped files, which the system can reuse. In both runs features are
in mapped files before the measurement begins. ``tfidf`` compares the features of a set that was counted in shards
with those of all texts, and their times. Adds rows to ``benchmarks/results/scale.jsonl``.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from racing.generated import generate
from racing.places import DATA, HERE
from racing.rows import add_stamped
from racing.sets import GENERATED

RESULTS = HERE / "results" / "scale.jsonl"
INTERVAL_S = 0.005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    train = kinds.add_parser("train")
    train.add_argument("--set", choices=GENERATED, default="generated-1m")
    train.add_argument("--limit", type=float, default=4e9, help="bytes")
    train.add_argument("--temp", type=Path, default=None, help="folder on a disk")
    train.add_argument("--threads", type=int, default=2)
    train.add_argument("--only-limited", action="store_true", help="leave out the run without a limit")
    tfidf = kinds.add_parser("tfidf")
    tfidf.add_argument("--data", type=Path, default=DATA)
    tfidf.add_argument("--set", default="yso-finna-en")
    tfidf.add_argument("--shards", type=int, default=8)
    chosen = parser.parse_args()
    row = compare_trainings(chosen) if chosen.kind == "train" else compare_features(chosen)
    print(add_stamped(RESULTS, row))


def compare_trainings(chosen: Any) -> dict[str, Any]:
    """A row for a training within a limit and one without."""
    row: dict[str, Any] = {
        "kind": "memory-limit",
        "dataset": chosen.set,
        "threads": chosen.threads,
        "limit": chosen.limit,
    }
    row["limited"] = in_process(train_once, chosen.set, chosen.limit, chosen.temp, chosen.threads)
    if not chosen.only_limited:
        row["in_memory"] = in_process(train_once, chosen.set, None, chosen.temp, chosen.threads)
        row["equal"] = row["limited"]["model"] == row["in_memory"]["model"]
    return row


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call in a fresh process."""
    with mp.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def train_once(name: str, limit: float | None, temp: Path | None, threads: int) -> dict[str, Any]:
    """Peak memory by stage, seconds, and the hash of the model of one training."""
    from ramify import XRLinear
    from ramify.exchange import Training
    from ramify.scale.checkpoint import content_of
    from ramify.scale.limited import MemoryLimit
    from ramify.spill import Spill
    from ramify.values import csr_of

    folder = Path(tempfile.gettempdir()) if temp is None else temp
    memory = None if limit is None else MemoryLimit(int(limit), folder)
    spill = Spill(folder) if memory is None else memory.spill
    X, Y, _, _ = generate(GENERATED[name])
    parts = [spill.empty(len(array), array.dtype) for array in (X.data, X.indices)]
    for part, array in zip(parts, (X.data, X.indices), strict=True):
        part[:] = array
    X = csr_of(*parts, X.indptr.astype(np.int64), X.shape[1])
    more = {} if memory is None else {"compute": memory, "spill": spill}
    with Peak() as peak:
        start = time.perf_counter()
        model = XRLinear(threads=threads).fit_training(Training(X=X, Y=Y, progress=peak.report, **more))
        seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 1), "peak_mb": peak.megabytes(), "model": content_of(model.to_state()[1])}


class Peak:
    """Samples the memory of this process in a thread."""

    def __init__(self) -> None:
        self._stage, self._peaks = "start", {"start": 0}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def report(self, stage: str, _: float) -> None:
        """Progress of the training: what follows belongs to the stage."""
        self._peaks.setdefault(stage, 0)
        self._stage = stage

    def megabytes(self) -> dict[str, int]:
        """Peak of each stage."""
        return {stage: round(peak / 1e6) for stage, peak in self._peaks.items()}

    def _sample(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            self._peaks[self._stage] = max(self._peaks[self._stage], resident())


def resident() -> int:
    """Resident bytes of this process without mapped files."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(words[1]) * 1024 for words in lines if words[0] in ("RssAnon:", "RssShmem:"))


def compare_features(chosen: Any) -> dict[str, Any]:
    """A row for the tf-idf of a set, of all texts and by shards."""
    from ramify import Tfidf
    from ramify.data import read
    from ramify.features.shards import fit_transform_shards
    from ramify.scale.checkpoint import content_of
    from ramify.spill import Spill

    [file] = sorted((chosen.data / chosen.set).glob("train*.jsonl.gz"))
    texts = read(file).texts or []
    characters = -(-sum(map(len, texts)) // chosen.shards)
    whole, sharded = Tfidf(), Tfidf()
    start = time.perf_counter()
    X = whole.fit_transform(texts)
    middle = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = fit_transform_shards(sharded, texts, Spill(folder), characters=characters)
        end = time.perf_counter()
        same = all(np.array_equal(getattr(X, name), getattr(found, name)) for name in ("indptr", "indices", "data"))
    return {
        "kind": "tfidf-shards",
        "dataset": chosen.set,
        "shards": chosen.shards,
        "shape": list(X.shape),
        "equal": same and content_of(whole.to_state()[1]) == content_of(sharded.to_state()[1]),
        "seconds": {"whole": round(middle - start, 1), "shards": round(end - middle, 1)},
    }


if __name__ == "__main__":
    main()
