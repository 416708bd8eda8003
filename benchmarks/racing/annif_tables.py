"""The section of the back ends of Annif."""

from __future__ import annotations

from collections.abc import Sequence

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

FUSION = HERE / "results" / "fusion.jsonl"
KIND = "annif"
MEASURES = ("F1@5", "NDCG@10", "Precision@1", "Precision@3", "Precision@5")
TEXT = """\
`python benchmarks/annif_backends.py`. Projects of a real Annif with the same vocabulary, training documents and
analyzer (`ramify-own-words`: the words of ramify), trained by `annif train --jobs 2` and measured by
`annif eval --jobs 2` in percent; mllm trains on the first 2,000 documents. Settings of omikuji: those of Annif's wiki.
The ensemble is that of Annif, its sources are omikuji-parabel (weight 2), omikuji-bonsai (2) and mllm (1). Times are of
the whole commands, memory is that of the largest process. \\*: other programs used the machine."""


def annif_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = [row for row in read_rows(FUSION) if row["kind"] == KIND]
    latest = {(row["dataset"], row["system"]): row for row in rows}
    if not latest:
        return ""
    parts = ["## Back ends of Annif", TEXT]
    for dataset in dict.fromkeys(dataset for dataset, _ in latest):
        own = [row for (name, _), row in latest.items() if name == dataset]
        parts += [f"### {dataset}", f"{own[0]['tests']:,} test documents.", _table(own)]
    return "\n\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    best = {name: max(row["measures"][name] for row in rows if "measures" in row) for name in MEASURES}
    header = ("project", *MEASURES, "train s", "train CPU s", "train MB", "model MB", "documents/s", "eval MB")
    return markdown(header, [_line(row, best) for row in rows])


def _line(row: Row, best: Row) -> list[str]:
    name = row["system"] + (" \\*" if row.get("busy") else "")
    if "failed" in row:
        return [f"{name}: {row['failed']}"] + [""] * (len(MEASURES) + 6)
    marks = {key: "**" if row["measures"][key] == best[key] else "" for key in MEASURES}
    measures = [f"{marks[key]}{row['measures'][key]:.2f}{marks[key]}" for key in MEASURES]
    trained = [_cell(row, key, by) for key, by in (("train_wall_s", 1), ("train_cpu_s", 1), ("train_peak_bytes", 1e6))]
    others = [
        _cell(row, key, by) for key, by in (("model_bytes", 1e6), ("documents_per_s", 1), ("eval_peak_bytes", 1e6))
    ]
    return [name, *measures, *trained, *others]


def _cell(row: Row, name: str, unit: float) -> str:
    return number(row[name] / unit) if name in row else "–"
