"""What prediction and training cannot do without: lookups, additions and multiply-adds, beside the seconds of the race.

    python benchmarks/floors.py --sets bibtex delicious crs-bills-mini gutenberg-lcsh

Counted on the default model, trained here. A document looks up each of its features in every block of siblings that the
beam opens, and adds up the weights that it finds, two bytes each. A pass of training multiplies and adds, for every row
of a node, each feature's weights of all siblings, once to find the margin. Seconds are medians of the race's rows; the
floor takes one lookup or addition, or one multiply-add of 16 lanes, per cycle, all data in the nearest cache.

Rows go to ``results/floors.jsonl``; ``python benchmarks/race.py table`` makes the table.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.floor_tables import FLOORS
from racing.matrices import prepare
from racing.places import DATA
from racing.rows import Row, add_stamped

LANES = 16
ROWS_AT_ONCE = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        from ramify import preset

        matrices = prepare(name, chosen.data)
        model = preset("default", seed=1, threads=chosen.threads).fit(matrices.X, matrices.Y)
        row = {"dataset": name, "matrices": matrices.fingerprint, "ghz": clock_ghz()}
        row |= prediction(model, matrices.X_test) | training(model, matrices.X, matrices.Y)
        print(json.dumps(add_stamped(FLOORS, row | {"command": shlex.join(["python", *sys.argv])})), flush=True)


def prediction(model: Any, X: Any) -> Row:
    """Lookups and additions per document, over all levels."""
    lookups = additions = 0
    for level in range(model.tree_.depth):
        opened = parents_opened(model, X, level)
        weights = per_parent(model, level)
        for begin in range(0, X.shape[0], ROWS_AT_ONCE):
            rows = slice(begin, begin + ROWS_AT_ONCE)
            lookups += int((np.diff(X[rows].indptr) * np.diff(opened[rows].indptr)).sum())
            additions += int((ones(X[rows]) @ weights).multiply(ones(opened[rows])).sum())
    return {"lookups": lookups / X.shape[0], "additions": additions / X.shape[0]}


def training(model: Any, X: Any, Y: Any) -> Row:
    """Multiply-adds of a pass over all nodes, in groups of 16 siblings as they are done."""
    tree, groups = model.tree_, 0
    length = np.diff(X.indptr).astype(np.float64)
    targets = sp.csr_matrix(Y @ tree.leaf_matrix())
    for level in reversed(range(tree.depth)):
        targets = sp.csr_matrix(targets @ tree.membership(level))  # the parents of the nodes at hand
        rows = ones(targets) + ones(parents_opened(model, X, level))
        siblings = np.bincount(tree.parents[level], minlength=rows.shape[1])
        groups += float((length @ ones(rows)) @ np.ceil(siblings / LANES))
    return {"groups_per_pass": groups}


def parents_opened(model: Any, X: Any, level: int) -> Any:
    """Nodes above a level whose children are scored, shape (n, nodes above)."""
    from ramify.kernels.predict import nodes_reached

    if level == 0:
        return sp.csr_matrix(np.ones((X.shape[0], 1), np.float32))
    parents, levels = model.tree_.parents[:level], model.search_.levels[:level]
    return nodes_reached(parents, levels, X, model._search(), threads=1)


def per_parent(model: Any, level: int) -> Any:
    """How many children of a parent weigh a feature, shape (d, parents)."""
    weights = model.search_.weights(level).matrix()
    return sp.csr_matrix(ones(weights) @ model.tree_.membership(level))


def ones(matrix: Any) -> Any:
    """The pattern of a matrix."""
    matrix = sp.csr_matrix(matrix)
    return sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def clock_ghz() -> float:
    """What the processor says of its speed."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return round(float(line.split(":")[1]) / 1000, 2)
    return float("nan")


if __name__ == "__main__":
    main()
