"""Saving, opening and predicting, timed on one data set: medians of several repetitions in this process.

    python benchmarks/saving.py --set gutenberg-lcsh

Only the public interface is used, so that the script also measures older versions of the library, whose sources
PYTHONPATH names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ramify
from racing.places import DATA


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--set", default="gutenberg-lcsh")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    training, test = (ramify.read(chosen.data / chosen.set / f"{part}.jsonl.gz") for part in ("train", "test"))
    tagger = ramify.Tagger(ramify.XRLinear(threads=chosen.threads)).fit_dataset(training)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        tagger.save(model)
        loaded = ramify.load(model)
        texts = list(test.texts)
        found: dict[str, Any] = {
            "bytes": sum(file.stat().st_size for file in model.iterdir()),
            "save_ms": median_ms(lambda: tagger.save(model), chosen.repetitions),
            "open_ms": median_ms(lambda: ramify.load(model), chosen.repetitions),
            "open_unverified_ms": median_ms(lambda: ramify.load(model, verify=False), 5 * chosen.repetitions),
            "batch_us_per_text": 1000
            * median_ms(lambda: loaded.predict_topk(texts, 5), chosen.repetitions)
            / len(texts),
            "single_us": 1000 * median_ms(one_by_one(loaded, texts), 2000),
        }
    print(json.dumps({"set": chosen.set, **{name: round(value, 3) for name, value in found.items()}}))


def one_by_one(tagger: Any, texts: list[str]) -> Callable[[], Any]:
    """A call that tags the next text alone."""
    rest = itertools.cycle(texts)
    return lambda: tagger.tag([next(rest)])


def median_ms(call: Callable[[], Any], repetitions: int) -> float:
    """Median wall time of a call in milliseconds, after one call that does not count."""
    call()
    times = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
