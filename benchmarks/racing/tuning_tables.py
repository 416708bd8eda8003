"""The tables of the settings: held-out differences of changed settings to the defaults, by data set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from scipy.stats import t

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.sources import source_hash
from racing.tables import markdown, number

TUNING = HERE / "results" / "tuning.jsonl"
MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
"""The order of the differences in a row, as ``tuning.py`` writes them."""
SHOWN = ("P@1", "P@5", "PSP@5")
TEXT = """\
`python benchmarks/tuning.py`. Held-out fifths of the training sets; test sets are not read. Cells: P@1 / P@5 / PSP@5;
the defaults in percent, other settings as the mean of the paired differences to the defaults over the splits and
seeds, in points. **Bold** or <u>underlined</u>: better or worse than the defaults (two-sided t-test of the paired
differences, 5%). Where the default trains no tree, settings of the tree, of negatives and of paths have no effect;
with `max_leaf` it trains one. †: the sources of the model have changed since these rows were measured. Training: CPU
seconds of the defaults, and those of other settings relative to them, 1 thread, on a shared machine; the ratios of
settings without an effect show how rough they are."""

Measured = Mapping[str, Mapping[str, Row]]
"""Data set -> settings -> row."""


def settings_section() -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = [row for row in read_rows(TUNING) if "sources" in row]
    models = list(dict.fromkeys(row["model"] for row in rows))
    parts = [_of_model(model, [row for row in rows if row["model"] == model]) for model in models]
    return "\n\n".join(["## Settings", TEXT, *parts]) if parts else ""


def _of_model(model: str, rows: Sequence[Row]) -> str:
    found = counted(rows)
    changes = list(dict.fromkeys(name for of_set in found.values() for name in of_set))
    header = (f"`{model}`", *(f"{dataset}{_mark(of_set)}" for dataset, of_set in found.items()))
    lines = [(name, *(_quality(of_set.get(name)) for of_set in found.values())) for name in changes]
    lines.append(("held-out parts × seeds", *(_runs(of_set) for of_set in found.values())))
    times = [(name, *(_time(of_set, name) for of_set in found.values())) for name in changes]
    return "\n\n".join([markdown(header, lines), markdown(("training", *header[1:]), times)])


def counted(rows: Sequence[Row]) -> Measured:
    """Data set -> settings -> row with the most runs, and the last of these.

    Only rows of the sources that the data set was measured with last count, because the defaults of other sources
    differ.
    """
    sources = {row["dataset"]: row["sources"] for row in rows}
    found: dict[str, dict[str, Row]] = {dataset: {} for dataset in sources}
    for row in rows:
        of_set, name = found[row["dataset"]], _name(row)
        if row["sources"] != sources[row["dataset"]]:
            continue
        if name not in of_set or row["runs"] >= of_set[name]["runs"]:
            of_set[name] = row
    return found


def _name(row: Row) -> str:
    changes = ", ".join(f"{name}={json.dumps(value)}" for name, value in row["settings"].items())
    return f"`{changes}`" if changes else "defaults"


def _mark(of_set: Mapping[str, Row]) -> str:
    row = next(iter(of_set.values()))
    return "" if row["sources"] == _present(row["model"]) else " †"


def _present(model: str) -> str:
    from ramify import catalogue

    return source_hash(catalogue.find("model", model, "model").load().__module__)


def _quality(row: Row | None) -> str:
    if row is None:
        return ""
    if not row["settings"]:
        return " / ".join(f"{row['measures'][name]:.2f}" for name in SHOWN)
    return " / ".join(_difference(row, MEASURES.index(name)) for name in SHOWN)


def _difference(row: Row, column: int) -> str:
    mean = row["difference"][column]
    text = f"{mean:+.2f}"
    if row["standard_error"] is None:
        return text
    error = max(row["standard_error"][column], 0.005)  # rows hold two decimals
    if abs(mean) <= t.ppf(0.975, row["runs"] - 1) * error:
        return text
    return f"**{text}**" if mean > 0 else f"<u>{text}</u>"


def _runs(of_set: Mapping[str, Row]) -> str:
    shapes = {(row["splits"], row["seeds"]) for row in of_set.values()}
    return ", ".join(f"{splits} × {seeds}" for splits, seeds in sorted(shapes))


def _time(of_set: Mapping[str, Row], name: str) -> str:
    plain, row = of_set.get("defaults"), of_set.get(name)
    if plain is None or row is None:
        return ""
    if row is plain:
        return f"{number(plain['train_cpu_s'])} s"
    return f"{row['train_cpu_s'] / max(plain['train_cpu_s'], 1e-3):.2f}"
