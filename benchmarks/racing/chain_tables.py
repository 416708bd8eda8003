"""The tables of the study of chains: single networks, ensembles of two networks, and their paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from racing.chain_members import FIXED, NETWORKS
from racing.places import HERE
from racing.requirements import PUBLISHED
from racing.rows import Row, read_rows
from racing.tables import markdown

CHAINS = HERE / "results" / "chains.jsonl"
IDEAS = HERE / "results" / "chain-ideas.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5")
SETS = ("micro F1", "macro F1", "exact match")
COMPOSITE = "composite"
RIVALS = {
    **{f"{order} ×2": ((order, 0), (order, 1)) for order in (*FIXED, "resequenced, next", "resequenced")},
    "rare-first + random": (("rare-first", 0), ("random", 1)),
}
"""Ensembles that the composite is compared to: each member is a network and the number of its seed."""

ENSEMBLES = {**RIVALS, COMPOSITE: (("resequenced", 0), ("reinforced", 1))}
SYSTEMS = (*NETWORKS, *ENSEMBLES, "xr-linear")
COMPARED = (
    *(("resequenced", name) for name in NETWORKS if name != "resequenced"),
    *((COMPOSITE, name) for name in (*RIVALS, "resequenced", "xr-linear")),
    ("resequenced ×2", "rare-first ×2"),
    ("resequenced ×2", "random ×2"),
)
TEXT = """\
`python benchmarks/chains.py`. Means over the seeds ± their sample standard deviation. All networks of a seed have the
same size, are trained on the same 90% of the training documents and validated on the same 10%; `xr-linear` is the
default tree, trained on all training documents. The systems from `frequent-first ×2` to `composite` consist of two
networks with different seeds, all others of one. Micro F1, macro F1 and exact match: labels with a score above the
threshold that gives the best micro F1 on the 10%. STOP F1: micro F1 of the labels that a single chain emits before
STOP. Minutes are CPU time of training, warm-up included; those of an ensemble are the sum over both networks.

`resequenced` is the default `LabelChain`: the target of each step is any label not yet emitted. In `resequenced, next`
the target is the next label of the network's own order. `random, remaining` has the targets of `resequenced` with
random orders. `label-wise` is the network after its warm-up, without a chain; `no warm-up` is `resequenced` without
it."""
IDEAS_TEXT = """\
`python benchmarks/chain_ideas.py`. The same network after the same warm-up, without reading the test documents. Of one
seed and one set, differences below about 0.5 points are noise. The default is `any remaining label, own order`."""
PAIRS = """\
Paired differences in percentage points, * where p < 0.05 (bootstrap over test documents and seeds; with one seed, over
test documents)."""


def chain_section() -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = [row for row in read_rows(CHAINS) if "kind" in row]  # former rows lack the key
    found: dict[str, dict[str, list[Row]]] = {}
    for row in _latest(row for row in rows if row["kind"] == "system"):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    if not found:
        return ""
    parts = ["## Label chains", TEXT, PAIRS]
    for dataset, systems in found.items():
        header = ("system", *MEASURES, *SETS, "STOP F1", "minutes", "seeds")
        parts += [f"### {dataset}", markdown(header, [*_lines(systems), *_published(dataset)])]
        pairs = _pairs(row for row in rows if row["kind"] == "comparison" and row["dataset"] == dataset)
        parts += [markdown(("difference", *MEASURES, "seeds"), pairs)] if pairs else []
    return "\n\n".join([*parts, *_ideas(read_rows(IDEAS))])


def _ideas(rows: Sequence[Row]) -> list[str]:
    """The part on ideas: means over the seeds, in the order in which the rows came."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        found.setdefault((row["dataset"], row["idea"]), {})[row["seed"]] = row
    lines = []
    for (dataset, idea), runs in sorted(found.items(), key=lambda item: item[0][0]):
        means = [float(np.mean([row[measure] for row in runs.values()])) for measure in MEASURES]
        lines.append([dataset, idea, *(f"{value:.2f}" for value in (*means, np.mean(means))), str(len(runs))])
    header = ("set", "targets and order", *MEASURES, "mean", "seeds")
    return (
        ["### Ideas for the order, on held-out training documents", IDEAS_TEXT, markdown(header, lines)]
        if lines
        else []
    )


def _latest(rows: Iterable[Row]) -> list[Row]:
    """The row measured last of each system, set and seed, of the matrices measured last of its set."""
    rows = list(rows)
    matrices = {row["dataset"]: row["matrices"] for row in rows}
    valid = [row for row in rows if row["matrices"] == matrices[row["dataset"]]]
    last = {(row["dataset"], row["system"], row["seed"]): row for row in valid}
    sources = {(row["dataset"], row["system"]): row["sources"] for row in last.values()}
    return [row for row in last.values() if row["sources"] == sources[row["dataset"], row["system"]]]


def _lines(systems: dict[str, list[Row]]) -> list[list[str]]:
    lines = []
    for name in (name for name in SYSTEMS if name in systems):
        rows = systems[name]
        quality = [_spread([row[measure] for row in rows]) for measure in MEASURES]
        sets = [_spread([row["sets"][measure] for row in rows]) for measure in SETS]
        own = [row["own sets"]["micro F1"] for row in rows if "own sets" in row]
        minutes = f"{np.median([row['minutes'] for row in rows]):.2g}"
        lines.append([name, *quality, *sets, _spread(own) if own else "–", minutes, str(len(rows))])
    return lines


def _published(dataset: str) -> list[list[str]]:
    return [
        [name, *(f"{PUBLISHED[dataset][measure][column]:.2f}" for measure in MEASURES), *["–"] * 6]
        for column, name in enumerate(("published: Parabel", "published: best of each column"))
        if dataset in PUBLISHED
    ]


def _pairs(rows: Iterable[Row]) -> list[list[str]]:
    """One line per pair of systems: the comparison measured last."""
    last = {(row["a"], row["b"]): row for row in rows}
    lines = []
    for first, second in (pair for pair in COMPARED if pair in last):
        row = last[first, second]
        cells = [_difference(*row["differences"][measure]) for measure in MEASURES]
        lines.append([f"{first} – {second}", *cells, str(len(row["seeds"]))])
    return lines


def _difference(mean: float, low: float, high: float, p: float) -> str:
    return f"{mean:+.2f}{' *' if p < 0.05 else ''}"


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ±{np.std(values, ddof=1):.2f}"
