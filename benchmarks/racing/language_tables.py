"""The tables of features by language: every way of making features beside words and pairs of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown

LANGUAGES = HERE / "results" / "languages.jsonl"
BASELINE = "pairs"
MEASURES = ("P@1", "P@5", "PSP@5")
TEXT = """\
`python benchmarks/languages.py held-out`. Held-out fifths of the training sets; test sets are not read. Column
"pairs": the former default features of `Tfidf` (words and pairs of words that occur in 2 texts or more), in percent.
Other columns: mean of the paired differences to it over the splits, in points; **bold** or <u>underlined</u>: better
or worse by more than two standard errors. words: single words. stems: single Snowball stems. rare: those that occur in
one text only are kept. characters: n-grams of 4 characters, alone of 3 to 5. auto: the default settings. "first N
words": texts cut. Training: CPU seconds of training relative to pairs, "auto"."""
TEST_TEXT = """\
`python benchmarks/languages.py test`: trained on the 2,625 training documents, ranked the 312 test documents."""


def language_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = read_rows(LANGUAGES)
    held_out = [row for row in rows if row["kind"] == "held-out"]
    if not held_out:
        return ""
    tables = [f"### {measure}\n\n{_differences(held_out, measure)}" for measure in MEASURES]
    tests = [row for row in rows if row["kind"] == "test"]
    finnish = [f"### Finnish test documents\n\n{TEST_TEXT}\n\n{_test_table(tests)}"] if tests else []
    return "\n\n".join(["## Text features by language", TEXT, *tables, *finnish])


def _differences(rows: Sequence[Row], measure: str) -> str:
    tasks: dict[str, dict[str, dict[int, Row]]] = {}
    for row in rows:
        tasks.setdefault(row["task"], {}).setdefault(row["way"], {})[row["split"]] = row
    ways = list(dict.fromkeys(row["way"] for row in rows if row["way"] != BASELINE))
    header = ("documents", "train", "splits", BASELINE, *ways, "training")
    lines = [_line(task, found, ways, measure) for task, found in tasks.items() if BASELINE in found]
    return markdown(header, lines)


def _line(task: str, found: Mapping[str, dict[int, Row]], ways: Sequence[str], measure: str) -> list[str]:
    plain = found[BASELINE]
    cells = [_cell(found.get(way, {}), plain, measure) for way in ways]
    mean = f"{np.mean([row[measure] for row in plain.values()]):.2f}"
    documents = f"{next(iter(plain.values()))['documents']:,}"
    return [task, documents, str(len(plain)), mean, *cells, _time_ratio(found.get("auto", {}), plain)]


def _cell(runs: Mapping[int, Row], plain: Mapping[int, Row], measure: str) -> str:
    shared = sorted(runs.keys() & plain.keys())
    if not shared:
        return ""
    differences = np.array([runs[split][measure] - plain[split][measure] for split in shared])
    text = f"{differences.mean():+.2f}"
    if len(shared) < 2 or abs(differences.mean()) <= 2 * differences.std(ddof=1) / len(shared) ** 0.5:
        return text
    return f"**{text}**" if differences.mean() > 0 else f"<u>{text}</u>"


def _time_ratio(runs: Mapping[int, Row], plain: Mapping[int, Row]) -> str:
    shared = sorted(runs.keys() & plain.keys())
    if not shared:
        return ""
    seconds = [sum(rows[split]["training_s"] for split in shared) for rows in (runs, plain)]
    return f"{seconds[0] / max(seconds[1], 1e-3):.2f}"


def _test_table(rows: Sequence[Row]) -> str:
    shown = ("P@1", "P@3", "P@5", "PSP@1", "PSP@5", "features_s", "training_s")
    lines = [[row["way"], *(f"{row[name]:.2f}" for name in shown), f"{row['features']:,}"] for row in rows]
    return markdown(("way", *shown[:5], "text s", "training s", "features"), lines)
