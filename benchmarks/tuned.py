"""``ramify tune`` against the defaults: the search on the training file, then both on the test file.

    python benchmarks/tuned.py                                       # 10 minutes on crs-bills-mini and on bibtex
    python benchmarks/tuned.py --sets delicious --split 0 --minutes 3

The search is the command line itself, as one process under watch: its wall time includes reading, vectorizing and
writing. Then the default and the chosen settings are trained on the whole training file with several seeds and ranked
for the test documents. Test documents none of whose labels occur in training are left out. The difference is over
resampled documents and runs (``racing.quality.paired``), and for the first seed that of ``ramify.compare``.

With ``--split N``, no test file is read: a fifth of the training documents takes its place. The search space and the
rules of the choice were made with such splits only.

Rows go to ``results/tune.jsonl``; rows that are there are skipped. ``python benchmarks/race.py table`` writes the
section "Tuning" of ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from racing.held_out import parsed
from racing.machine import machine
from racing.places import CACHE, DATA
from racing.quality import Answers, judged, measures, paired
from racing.rows import add_stamped, read_rows
from racing.runner import Limits, Outcome, watch
from racing.sets import FEATURES
from racing.sources import SRC, source_hash
from racing.stopping import run_until_stopped
from racing.track import load_of
from racing.tune_tables import TUNE, key_of

SETS = ("crs-bills-mini", "bibtex")
SHARE = 0.2
GRACE = 120.0
"""Seconds beyond the limit after which the search is killed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="SET", help="SET, or SET:10000 for a sample")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--measure", default="mean")
    parser.add_argument("--split", type=int, help="test on a fifth of the training documents, drawn with this seed")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of the default and of the chosen settings")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        row = {
            "dataset": name,
            "split": chosen.split,
            "minutes": chosen.minutes,
            "measure": chosen.measure,
            "threads": chosen.threads,
            "machine": machine(),
            "sources": source_hash("ramify.tuning", "ramify.cli.tune"),
        }
        if key_of(row) in map(key_of, read_rows(TUNE)):
            continue
        print(json.dumps(add_stamped(TUNE, row | run(chosen, name))), flush=True)


def run(chosen: argparse.Namespace, name: str) -> dict[str, Any]:
    """The figures of one search and of its settings."""
    train, test = parts(name, chosen.data, chosen.split)
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        data = Path(scratch) / ("train.txt" if train.texts is None else "train.jsonl")
        _written(train, data)
        out = Path(scratch) / "settings.json"
        outcome, found = _search(chosen, data, out)
        taggers = [
            _trained(train, out if tuned else None, seed, chosen) for tuned in (0, 1) for seed in range(chosen.seeds)
        ]
    answers = [_answers(tagger, train, test) for tagger, _ in taggers]
    default, tuned = answers[: chosen.seeds], answers[chosen.seeds :]
    seconds = [round(float(np.mean([cost for _, cost in part])), 3) for part in _halves(taggers)]
    return {
        "documents": len(train),
        "test_documents": len(test),
        "changes": found["changes"],
        "trials": len(found["trials"]),
        "stopped": found["stopped"],
        "search_wall_s": round(outcome.wall_s, 1),
        "search_cpu_s": round(outcome.own_cpu_s, 1),
        "held_out_gain": found["measures"].get("gain"),
        "seeds": chosen.seeds,
        "default": measures(default[0]),
        "tuned": measures(tuned[0]),
        "difference": paired(default, tuned, runs_in_pairs=True),
        "compared": _compared(taggers[0][0], taggers[chosen.seeds][0], train, test),
        "train_cpu_s": seconds,
        "command": f"ramify tune {name} --minutes {chosen.minutes:g} --measure {chosen.measure}",
    } | load_of([outcome])


def parts(name: str, folder: Path, number: int | None) -> tuple[Any, Any]:
    """Training and test documents in the label space of training."""
    from ramify import read
    from ramify.data import align, split_random

    dataset, amount = parsed(name)
    [file] = (folder / dataset).glob("train.*.gz")
    whole = read(file)
    if amount is not None:
        size = round(amount * len(whole)) if amount <= 1 else min(int(amount), len(whole))
        whole = whole.take(np.sort(np.random.default_rng(0).permutation(len(whole))[:size]))
    if number is not None:
        train, test = split_random(whole, SHARE, number)
    else:
        [file] = (folder / dataset).glob("test.*.gz")
        train, test = whole, read(file)
        test = test if dataset in FEATURES else align(test, list(whole.label_names))
    seen = np.bincount(train.Y.indices, minlength=test.n_labels) > 0
    return train, test.take(np.flatnonzero(test.Y @ seen.astype(np.float32) > 0))


def _written(dataset: Any, path: Path) -> None:
    from ramify import write

    write(dataset, path)


def _search(chosen: argparse.Namespace, data: Path, out: Path) -> tuple[Outcome, dict[str, Any]]:
    log = out.with_suffix(".log")
    words = ["tune", data, "--out", out, "--json", "--quiet", "--minutes", chosen.minutes, "--measure", chosen.measure]
    command = [sys.executable, "-m", "ramify", *map(str, words), "--threads", str(chosen.threads)]
    limits = Limits(60 * chosen.minutes + GRACE, int(20e9))
    outcome = watch(command, dict(os.environ) | {"PYTHONPATH": str(SRC)}, log, limits)
    if outcome.failed:
        sys.exit(f"ramify tune failed: {outcome.failed}")
    return outcome, json.loads(log.read_text("utf-8"))


def _trained(train: Any, config: Path | None, seed: int, chosen: argparse.Namespace) -> tuple[Any, float]:
    """A tagger trained as by ``ramify train --config``, and its CPU seconds."""
    from ramify.cli.plan import Plan, Start

    tagger = Plan.of(Start.of(config=config), {}, seed=seed, threads=chosen.threads).tagger()
    before = time.process_time()
    tagger.fit_dataset(train)
    return tagger, time.process_time() - before


def _answers(tagger: Any, train: Any, test: Any) -> Answers:
    from ramify.tagger.assessment import predictions

    top = predictions(tagger, test, 10, test.label_names)
    return judged(SimpleNamespace(Y_test=test.Y, Y=train.Y), top)  # type: ignore[arg-type]


def _compared(a: Any, b: Any, train: Any, test: Any) -> dict[str, list[float]]:
    """Measure -> [difference, low, high, p] by ``ramify.compare``, of the first seed."""
    from ramify import compare
    from ramify.tagger.assessment import predictions

    tops = [predictions(tagger, test, 10, test.label_names) for tagger in (a, b)]
    found = compare(test.Y, *tops, Y_train=train.Y).differences
    names = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5")
    return {
        name: [*(round(100 * value, 3) for value in (one.difference, one.low, one.high)), round(one.p, 4)]
        for name, one in ((name, found[name]) for name in names)
    }


def _halves(values: list[Any]) -> tuple[list[Any], list[Any]]:
    middle = len(values) // 2
    return values[:middle], values[middle:]


if __name__ == "__main__":
    run_until_stopped(main, "rows")
