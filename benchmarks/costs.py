"""C and the tree of the default, compared with other choices on parts of the training sets; no test set is read.

    python benchmarks/costs.py --sets bibtex crs-bills-mini kirjastonhoitaja-fi delicious
    python benchmarks/costs.py --sets crs-bills-104-110:0.2 gutenberg-lcsh yso-finna-en:40000

Every data set is cut in several ways, so that size, labels and features vary (``CUTS``). Each setting of ``SETTINGS``
trains on four fifths of the instances and ranks the rest. Rows that are there are skipped. Adds rows to
``benchmarks/results/costs.jsonl``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.cost_tables import COST_ROWS, ONE_VS_REST
from racing.held_out import parsed, sampled, split
from racing.matrices import prepare
from racing.places import DATA
from racing.rows import add_stamped, read_rows
from racing.sources import source_hash

MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
GRID = {f"C={cost:g}": {"cost_positive": cost, "cost_negative": cost} for cost in (0.25, 0.5, 1.0, 2.0, 4.0)}
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "tree": {"max_leaf": 100},
    "former": {"max_leaf": 100, **GRID["C=0.5"]},
    **GRID,
    ONE_VS_REST: {"tail_cost": 0.0, "epsilon": 0.1, "max_passes": 1000, "precision": "fp32", **GRID["C=1"]},
}
MOST_ONE_VS_REST = 4_000
"""Maximum number of labels for one-vs-rest: the settings of LinearSVC, C = 1, without a tree."""


def whole(X: Any, Y: Any) -> tuple[Any, Any]:
    """The data set."""
    return X, Y


def quarter(X: Any, Y: Any) -> tuple[Any, Any]:
    """A quarter of the instances."""
    return _used(*sampled(X, Y, 0.25))


def hundred(X: Any, Y: Any) -> tuple[Any, Any]:
    """The 100 most frequent labels."""
    return _frequent(X, Y, 100)


def few(X: Any, Y: Any) -> tuple[Any, Any]:
    """The 370 most frequent labels."""
    return _frequent(X, Y, 370)


def single(X: Any, Y: Any) -> tuple[Any, Any]:
    """The 100 most frequent labels, the rarest of them for each instance."""
    X, Y = hundred(X, Y)
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    ends = zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
    labels = np.array([Y.indices[a:b][np.argmin(counts[Y.indices[a:b]])] for a, b in ends])
    one = (np.ones(len(labels), np.float32), labels, np.arange(len(labels) + 1))
    return _used(X, sp.csr_matrix(one, shape=Y.shape))


def short(X: Any, Y: Any) -> tuple[Any, Any]:
    """The 370 most frequent labels, 15 random features per instance."""
    from sklearn.preprocessing import normalize

    X, Y = few(X, Y)
    rng, cut = np.random.default_rng(0), sp.csr_matrix(X, copy=True)
    for begin, end in zip(cut.indptr[:-1], cut.indptr[1:], strict=True):
        cut.data[begin + rng.permutation(end - begin)[15:]] = 0
    cut.eliminate_zeros()
    return sp.csr_matrix(normalize(cut), dtype=np.float32), Y


CUTS = {cut.__name__: cut for cut in (whole, quarter, few, hundred, single, short)}


def _frequent(X: Any, Y: Any, n: int) -> tuple[Any, Any]:
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    return _used(X, sp.csr_matrix(Y[:, np.sort(np.argsort(-counts, kind="stable")[:n])]))


def _used(X: Any, Y: Any) -> tuple[Any, Any]:
    """The labels with an instance and the instances with a label."""
    Y = sp.csr_matrix(Y[:, np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]))])
    rows = np.flatnonzero(np.diff(Y.indptr))
    return X[rows], sp.csr_matrix(Y[rows])


def measure(settings: dict[str, Any], data: tuple[Any, Any, Any, Any], threads: int) -> dict[str, Any]:
    """Measures of one setting, the CPU seconds of its training, and C as chosen."""
    import time

    from ramify import XRLinear, evaluate

    X, Y, X_held, Y_held = data
    before = time.process_time()
    model = XRLinear(threads=threads, **settings).fit(X, Y)
    seconds = time.process_time() - before
    report = evaluate(Y_held, model.predict_topk(X_held, min(10, Y.shape[1])), Y_train=Y)
    found = {name: round(100 * float(report[name]), 3) for name in MEASURES}
    return found | {"train_cpu_s": round(seconds, 4), "cost": model.cost_, "levels": model.tree_.depth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--cuts", nargs="+", default=list(CUTS), choices=list(CUTS))
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    sources = source_hash("ramify.models.trees.xr_linear")
    names = ("dataset", "cut", "split", "setting", "sources")
    seen = {tuple(row[name] for name in names) for row in read_rows(COST_ROWS)}
    for dataset in chosen.sets:
        name, amount = parsed(dataset)
        matrices = prepare(name, chosen.data)
        for cut in chosen.cuts:
            X, Y = CUTS[cut](*sampled(matrices.X, matrices.Y, amount))
            for number in range(chosen.splits):
                data = split(X, Y, number)
                for setting, settings in SETTINGS.items():
                    one = setting == ONE_VS_REST
                    if (dataset, cut, number, setting, sources) in seen or (one and Y.shape[1] > MOST_ONE_VS_REST):
                        continue
                    flat = {"max_leaf": Y.shape[1]} if one else {}
                    row = dict(zip(names, (dataset, cut, number, setting, sources), strict=True))
                    row |= {"documents": X.shape[0], "labels": Y.shape[1], "threads": chosen.threads}
                    print(json.dumps(add_stamped(COST_ROWS, row | measure(settings | flat, data, chosen.threads))))


if __name__ == "__main__":
    main()
