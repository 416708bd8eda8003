"""The table of label trees: each indexer beside balanced k-means of the same shape and of the default shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

INDEXERS = HERE / "results" / "indexers.jsonl"
SHOWN = ("P@1", "P@3", "P@5", "PSP@5")
ORDER = ("balanced", "lloyd", "neighbours", "scikit-learn", "random")
BASELINE = ("balanced", 64, 100)
TEXT = """\
`python benchmarks/indexers.py`. Held-out fifths of the training sets; test sets are not read. First row of each table:
balanced 2-means with the default shape (branching 64, at most 100 labels per leaf cluster), means over the runs. Other
rows: mean of the paired differences ± its standard error, in points; **bold** or <u>underlined</u>: better or worse by
more than two standard errors. Shape: branching / labels per leaf cluster at most. lloyd: k-means without a balance
constraint, part of ramify until these figures. neighbours: `NeighbourIndexer`. scikit-learn: its `KMeans`, recursively.
random: a balanced tree over a random order. CPU seconds of building the tree and of training with it; µs of CPU per
document of `predict_topk`; number of leaf clusters and labels of the largest; medians."""


def indexer_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = {_identity(row): row for row in read_rows(INDEXERS)}.values()  # the last row of each counts
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["model"]), []).append(row)
    if not groups:
        return ""
    return "\n\n".join(["## Label trees", TEXT, *(_table(*key, own) for key, own in groups.items())])


def _identity(row: Row) -> tuple[object, ...]:
    return (row["dataset"], row["model"], *_tree(row), row["run"])


def _tree(row: Row) -> tuple[str, int, int]:
    return row["indexer"], row["branching"], row["max_leaf"]


def _table(dataset: str, model: str, rows: Sequence[Row]) -> str:
    trees: dict[tuple[str, int, int], dict[int, Row]] = {}
    for row in rows:
        trees.setdefault(_tree(row), {})[row["run"]] = row
    plain = trees.get(BASELINE, {})
    ordered = sorted(trees, key=lambda tree: (ORDER.index(tree[0]), -tree[1] * tree[2]))
    lines = [_line(tree, trees[tree], plain) for tree in ordered if trees[tree].keys() & plain.keys()]
    header = ("indexer", "shape", *SHOWN, "tree s", "training s", "µs", "clusters", "largest", "runs")
    return f"### {dataset}, {model}\n\n{markdown(header, lines)}"


def _line(tree: tuple[str, int, int], runs: dict[int, Row], plain: dict[int, Row]) -> list[str]:
    shared = sorted(runs.keys() & plain.keys())
    cells = []
    for name in SHOWN:
        own, other = (np.array([side[run]["measures"][name] for run in shared]) for side in (runs, plain))
        cells.append(f"{own.mean():.2f}" if tree == BASELINE else _difference(own - other))
    medians = [
        float(np.median([row[name] for row in runs.values()]))
        for name in ("index_cpu_s", "train_cpu_s", "batch_cpu_us", "clusters", "largest_cluster")
    ]
    costs = [*(number(value) for value in medians[:3]), *(f"{value:,.0f}" for value in medians[3:])]
    return [tree[0], f"{tree[1]}/{tree[2]}", *cells, *costs, str(len(shared))]


def _difference(values: Any) -> str:
    mean = float(values.mean())
    if len(values) < 2:
        return f"{mean:+.2f}"
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    text = f"{mean:+.2f}"
    if abs(mean) > 2 * error:
        text = f"**{text}**" if mean > 0 else f"<u>{text}</u>"
    return f"{text} ±{error:.2f}"
