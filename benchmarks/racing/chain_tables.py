"""The tables of label chains: the systems of each set, and whether the composite beats the best fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from racing.places import HERE
from racing.requirements import PUBLISHED
from racing.rows import Row, read_rows
from racing.tables import markdown

CHAINS = HERE / "results" / "chains.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5")
SETS = ("micro F1", "macro F1", "exact match")
FIXED = ("frequent-first", "rare-first", "fixed", "random")
SYSTEMS = (*FIXED, "resequenced", "reinforced", "composite", "xr-linear")
TEXT = """\
`python benchmarks/chains.py`. Means over the seeds ± their standard deviation. All chains have the same network,
train on the same 90% of the training documents and are validated on the same 10%; `xr-linear` is the default tree,
trained on all of them. Label sets: a chain's sequence up to STOP; for the composite and `xr-linear` the labels above
the threshold that gives the best micro F1 on the 10%. Minutes are training time; for the composite the sum over both
chains."""


def chain_section() -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in _latest(read_rows(CHAINS)):
        found.setdefault(row["dataset"], {}).setdefault(row["system"], []).append(row)
    if not found:
        return ""
    claims = [claim for dataset, systems in found.items() if (claim := _claim(dataset, systems))]
    parts = ["## Label chains", TEXT]
    if claims:
        header = ("composite – best fixed order", *MEASURES, "seeds")
        parts += [markdown(header, claims)]
    for dataset, systems in found.items():
        header = ("system", *MEASURES, *SETS, "minutes", "seeds")
        parts += [f"### {dataset}", markdown(header, [*_lines(systems), *_published(dataset)])]
    return "\n\n".join(parts)


def _latest(rows: Sequence[Row]) -> list[Row]:
    """The row measured last of each system, set and seed; its settings must be those measured last of its set."""
    last = {row["dataset"]: row["settings"] for row in rows if row["system"] != "xr-linear"}
    valid = [row for row in rows if row["system"] == "xr-linear" or row["settings"] == last[row["dataset"]]]
    return list({(row["dataset"], row["system"], row["seed"]): row for row in valid}.values())


def _lines(systems: dict[str, list[Row]]) -> list[list[str]]:
    lines = []
    for name in SYSTEMS:
        rows = systems.get(name, [])
        if rows:
            quality = [_spread([row[measure] for row in rows]) for measure in MEASURES]
            sets = [_spread([row["sets"][measure] for row in rows]) for measure in SETS]
            minutes = f"{np.median([row['minutes'] for row in rows]):.2g}"
            lines.append([name, *quality, *sets, minutes, str(len(rows))])
    return lines


def _published(dataset: str) -> list[list[str]]:
    return [
        [name, *(f"{PUBLISHED[dataset][measure][column]:.2f}" for measure in MEASURES), *["–"] * 5]
        for column, name in enumerate(("published: Parabel", "published: best of each column"))
        if dataset in PUBLISHED
    ]


def _claim(dataset: str, systems: dict[str, list[Row]]) -> list[str] | None:
    """The composite's lead over the fixed order that is best at a measure, over the seeds that all have."""
    if any(name not in systems for name in (*FIXED, "composite")):
        return None
    seeds = set.intersection(*({row["seed"] for row in systems[name]} for name in (*FIXED, "composite")))
    cells = []
    for measure in MEASURES:
        means = {
            name: float(np.mean([row[measure] for row in systems[name] if row["seed"] in seeds]))
            for name in (*FIXED, "composite")
        }
        best = max(FIXED, key=means.__getitem__)
        lead = means["composite"] - means[best]
        cells.append(f"{lead:+.2f} ({100 * lead / means[best]:+.1f}%, {best}) {'✓' if lead > 0 else '✗'}")
    return [dataset, *cells, str(len(seeds))]


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ±{np.std(values, ddof=1):.2f}"
