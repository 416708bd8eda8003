"""Where the defaults come from: settings compared on held-out parts of the training sets, never on a test set.

    python benchmarks/tuning.py --sets bibtex delicious --vary '{"branching": 16}' '{"cost_positive": 2.0}'
    python benchmarks/tuning.py --sets gutenberg-lcsh --model blend --vary '{"trees": 3}'
    python benchmarks/tuning.py --sets bibtex --model nearest-instances --vary '{"weighting": "none"}'

Every setting trains on four fifths of the training instances and ranks the rest, over the given splits and seeds;
differences are to the defaults on the same splits and seeds, with the standard error of their mean. Adds rows to
``benchmarks/results/tuning.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.matrices import prepare
from racing.places import DATA, HERE
from racing.rows import add_stamped

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
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        splits = [split(matrices.X, matrices.Y, number) for number in range(chosen.splits)]
        plain = None
        for settings in ({}, *chosen.vary):
            values, cpu = measure(chosen, settings, splits)
            plain = values if plain is None else plain
            record(chosen, name, settings, (values, values - plain, cpu))


def split(X: Any, Y: Any, number: int) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_held, Y_held: a fifth held out; labels that the rest lacks are out of anyone's reach."""
    order = np.random.default_rng(number).permutation(X.shape[0])
    held, rest = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
    seen = np.flatnonzero(np.bincount(Y[rest].indices, minlength=Y.shape[1]))
    Y_held = sp.csr_matrix(Y[held][:, seen])
    kept = np.flatnonzero(np.diff(Y_held.indptr))
    return X[rest], sp.csr_matrix(Y[rest][:, seen]), X[held][kept], Y_held[kept]


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
    error = differences.std(axis=0) / np.sqrt(len(differences))
    row = {"dataset": name, "model": chosen.model, "settings": settings, "runs": len(values)}
    row |= {"measures": dict(zip(MEASURES, values.mean(axis=0).round(2).tolist(), strict=True))}
    row |= {"difference": differences.mean(axis=0).round(2).tolist(), "standard_error": error.round(2).tolist()}
    row |= {"train_cpu_s": round(cpu, 2), "threads": chosen.threads}
    print(json.dumps(add_stamped(RESULTS, row)), flush=True)


if __name__ == "__main__":
    main()
