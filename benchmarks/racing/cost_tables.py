"""The table of costs: C as chosen by the default beside fixed values, on data sets cut in several ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from racing.held_out import quality
from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown

COST_ROWS = HERE / "results" / "costs.jsonl"
ONE_VS_REST = "one-vs-rest"
OTHERS = ("tree", "former", ONE_VS_REST)
TEXT = """\
`python benchmarks/costs.py`. Held-out fifths of the training sets, which are cut in several ways; test sets are not
read. All figures are the mean of P@1, P@3 and P@5 in percent, over the splits. default: C chosen in training, without
a tree where labels are few. Other columns: difference to the default. tree: C chosen, always a tree. former: the
former default, C = 0.5 and always a tree. one-vs-rest: the settings of LinearSVC with C = 1, no tree, at most 4,000
labels. C=...: that C instead of the chosen one; the last column is the best of them. whole: the data set; quarter: of
its instances; few, hundred: its 370 or 100 most frequent labels; single: one of 100 labels per instance; short: 370
labels, 15 random features per instance."""


def cost_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = read_rows(COST_ROWS)
    if not rows:
        return ""
    newest = {row["dataset"]: row["sources"] for row in rows}
    found: dict[tuple[str, str], dict[str, dict[int, Row]]] = {}
    for row in rows:
        if row["sources"] == newest[row["dataset"]]:
            found.setdefault((row["dataset"], row["cut"]), {}).setdefault(row["setting"], {})[row["split"]] = row
    lines = [_line(*key, settings) for key, settings in found.items() if "default" in settings]
    header = ("data set", "cut", "documents", "labels", "chosen C", "default", *OTHERS, "best fixed C", "difference")
    return "\n\n".join(["## Choice of C, and trees for few labels", TEXT, markdown(header, lines)])


def _line(dataset: str, cut: str, settings: Mapping[str, Mapping[int, Row]]) -> list[str]:
    default = settings["default"]
    first = next(iter(default.values()))
    chosen = np.exp(np.mean([np.log(row["cost"]) for row in default.values()]))
    mean = np.mean([quality(row) for row in default.values()])
    fixed = {name: _difference(runs, default) for name, runs in settings.items() if name.startswith("C=")}
    best = max(fixed, key=lambda name: fixed[name]) if fixed else ""
    others = [f"{_difference(settings[name], default):+.2f}" if name in settings else "" for name in OTHERS]
    sizes = [f"{first[key]:,}" for key in ("documents", "labels")]
    return [dataset, cut, *sizes, f"{chosen:.2f}", f"{mean:.2f}", *others, best, f"{fixed[best]:+.2f}" if best else ""]


def _difference(runs: Mapping[int, Row], default: Mapping[int, Row]) -> float:
    """Mean over the splits of both."""
    return float(
        np.mean([quality(row) - quality(default[number]) for number, row in runs.items() if number in default])
    )
