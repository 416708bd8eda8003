"""The table of ``ramify tune``: the chosen settings beside the default, on test documents or on a held-out fifth."""

from __future__ import annotations

from typing import Any

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown

TUNE = HERE / "results" / "tune.jsonl"
SHOWN = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5")
TEXT = """\
`python benchmarks/tuned.py`. `ramify tune` searches on the training documents alone, with the given limit of wall time.
The default and the chosen settings are then trained with three seeds each on all training documents. The columns of
measures have the difference in percentage points on the test documents; bold differences are significant (5%, over
resampled documents and runs), underlined ones are significant losses. Search: wall seconds of the whole command, and
number of settings tried. Train: CPU seconds of default / chosen settings."""


def key_of(row: Row) -> tuple[Any, ...]:
    """What makes two rows the same search."""
    names = ("dataset", "split", "minutes", "measure", "threads", "machine", "sources")
    return tuple(row.get(name) for name in names)


def tune_section() -> str:
    """Markdown, or an empty string without rows of test documents."""
    rows = {(row["dataset"], row["minutes"], row["measure"]): row for row in read_rows(TUNE) if row["split"] is None}
    if not rows:
        return ""
    header = ("data set", "minutes", "chosen", *SHOWN, "search", "train")
    return "\n\n".join(["## Tuning", TEXT, markdown(header, [_line(row) for row in rows.values()])])


def _line(row: Row) -> list[str]:
    changes = ", ".join(f"{name} {_text(value)}" for name, value in row["changes"].items()) or "default"
    return [
        row["dataset"],
        f"{row['minutes']:g}",
        changes,
        *(_difference(*row["difference"][name]) for name in SHOWN),
        f"{row['search_wall_s']:,.0f} s, {row['trials']}",
        " / ".join(f"{seconds:.3g}" for seconds in row["train_cpu_s"]),
    ]


def _text(value: Any) -> str:
    return "–".join(map(str, value)) if isinstance(value, list) else str(value)


def _difference(value: float, low: float, high: float, p: float) -> str:
    if p >= 0.05:
        return f"{value:+.2f}"
    return f"**{value:+.2f}**" if value > 0 else f"<u>{value:+.2f}</u>"
