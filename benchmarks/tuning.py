"""Where the defaults come from: settings compared on held-out parts of the training sets, never on a test set.

    python benchmarks/tuning.py --sets bibtex delicious --vary '{"branching": 16}' '{"cost_positive": 2.0}'
    python benchmarks/tuning.py --sets gutenberg-lcsh --model blend --vary '{"trees": 3}'
    python benchmarks/tuning.py --sets bibtex --model nearest-instances --vary '{"weighting": "none"}'
    python benchmarks/tuning.py --sets crs-bills-104-110:0.2 yso-finna-en:40000 --vary '{"negatives": "tfn"}'

SET:0.2 is a share of the training instances of a set, SET:40000 a number of them. Every setting trains on four fifths
of these instances and ranks the rest, over the given splits and seeds; differences are to the defaults on the same
splits and seeds. The standard error of their mean is that of a sample (n - 1), and null for a single run. Adds rows
to ``benchmarks/results/tuning.jsonl`` and skips settings that have a row of the present sources with the same splits
and seeds. ``python benchmarks/race.py table`` writes the section "Settings" of ``RESULTS.md`` from the rows.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from racing.held_out import parsed, sampled, split
from racing.matrices import prepare
from racing.places import DATA, HERE
from racing.rows import add_stamped, read_rows
from racing.sources import source_hash

RESULTS = HERE / "results" / "tuning.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--model", default="xr-linear", help="as ramify train --model")
    parser.add_argument("--vary", nargs="*", default=[], type=json.loads, help="settings as JSON objects")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    try:
        sets = [parsed(name) for name in chosen.sets]
    except ValueError as refused:
        parser.error(str(refused))
    for name, (dataset, amount) in zip(chosen.sets, sets, strict=True):
        due = [settings for settings in ({}, *chosen.vary) if is_due(chosen, name, settings)]
        if not due:
            continue
        matrices = prepare(dataset, chosen.data)
        X, Y = sampled(matrices.X, matrices.Y, amount)
        splits = [split(X, Y, number) for number in range(chosen.splits)]
        plain, cpu = measure(chosen, {}, splits)
        if {} in due:
            record(chosen, name, {}, (plain, plain - plain, cpu))
        for settings in filter(None, due):
            values, cpu = measure(chosen, settings, splits)
            record(chosen, name, settings, (values, values - plain, cpu))


def is_due(chosen: argparse.Namespace, name: str, settings: dict[str, Any]) -> bool:
    """Whether these settings have no row yet."""
    wanted = {"dataset": name, "settings": settings} | common(chosen)
    return not any(wanted == {key: row.get(key) for key in wanted} for row in read_rows(RESULTS))


def common(chosen: argparse.Namespace) -> dict[str, Any]:
    """The fields that all rows of a call share."""
    from ramify import catalogue

    sources = source_hash(catalogue.find("model", chosen.model, "--model").load().__module__)
    return {"model": chosen.model, "splits": chosen.splits, "seeds": chosen.seeds, "sources": sources}


def measure(chosen: argparse.Namespace, settings: dict[str, Any], splits: list[Any]) -> tuple[Any, float]:
    """Every measure of every split and seed, and CPU seconds of training on average."""
    from ramify import catalogue, evaluate

    values, seconds = [], []
    for X, Y, X_held, Y_held in splits:
        for seed in range(chosen.seeds):
            before = os.times()
            model = catalogue.find("model", chosen.model, "--model").load()(threads=chosen.threads, **settings)
            if "seed" in model.get_params():
                model.set_params(seed=seed)
            model.fit(X, Y)
            after = os.times()
            seconds.append(after.user + after.system - before.user - before.system)
            report = evaluate(Y_held, model.predict_topk(X_held, 10), Y_train=Y)
            values.append([100 * float(report[name]) for name in MEASURES])
    return np.array(values), float(np.mean(seconds))


def record(chosen: argparse.Namespace, name: str, settings: dict[str, Any], found: tuple[Any, Any, float]) -> None:
    values, differences, cpu = found
    error = standard_error(differences)
    row = {"dataset": name, "settings": settings, "runs": len(values)} | common(chosen)
    row |= {"measures": dict(zip(MEASURES, values.mean(axis=0).round(2).tolist(), strict=True))}
    row |= {"difference": differences.mean(axis=0).round(2).tolist(), "standard_error": error}
    row |= {"train_cpu_s": round(cpu, 2), "threads": chosen.threads}
    print(json.dumps(add_stamped(RESULTS, row)), flush=True)


def standard_error(differences: Any) -> list[float] | None:
    """The standard error of the mean of each column; None for a single row."""
    n = len(differences)
    if n < 2:
        return None
    errors: list[float] = (differences.std(axis=0, ddof=1) / np.sqrt(n)).round(2).tolist()
    return errors


if __name__ == "__main__":
    main()
