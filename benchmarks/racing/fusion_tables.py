"""The section of fusions: their quality and cost beside their members, and what each member adds."""

from __future__ import annotations

from collections.abc import Sequence

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

FUSION_ROWS = HERE / "results" / "fusion.jsonl"
KIND = "test"
MEASURES = ("P@1", "P@3", "P@5", "nDCG@10", "microF1@5", "PSP@5")
ZERO_SHOT = "0-shot/R@10"
COMPARED = ("nDCG@10", "microF1@5")
LABELS = {
    "known": "Labels of the training documents.",
    "every": "Labels of the training and test documents, as with a vocabulary.",
}
TEXT = """\
`python benchmarks/fusion.py test`. Each way trains on all training documents; a fusion fits its weights on folds of
these. Quality on the test documents in percent; "over best" are paired differences to the preset `best` in percentage
points, \\* where p < 0.05 (bootstrap over test documents). 0-shot: recall of labels without a training document. Train
CPU includes the vectorizer; ms per document are CPU, for all test documents in one call. `label vectors` is
`NearestTexts(label_share=1)`; `equal weights` is an `Ensemble`."""
ADDED_TEXT = """\
Members of the fusions, on held-out training documents: weight, exponent, nDCG@10 alone, and what each adds to the
others (leave-one-out) with its 95% interval."""


def fusion_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = [row for row in read_rows(FUSION_ROWS) if row["kind"] == KIND]
    groups: dict[tuple[str, str, int], dict[str, Row]] = {}
    for row in rows:  # the latest row of each way counts
        groups.setdefault((row["dataset"], row["labels"], row["documents"]), {})[row["way"]] = row
    if not groups:
        return ""
    parts = ["## Fusion", TEXT]
    for (dataset, labels, documents), ways in groups.items():
        own = list(ways.values())
        counts = f"{documents:,} training and {own[0]['tests']:,} test documents, {own[0]['n_labels']:,} labels."
        parts += [f"### {dataset}, {labels} labels", f"{LABELS[labels]} {counts}", _quality_table(own)]
        fusions = [row for row in own if "fusion" in row]
        if fusions:
            parts += [ADDED_TEXT, _added_table(fusions)]
    return "\n\n".join(parts)


def _quality_table(rows: Sequence[Row]) -> str:
    measures = (*MEASURES, *([ZERO_SHOT] if any(ZERO_SHOT in row["measures"] for row in rows) else []))
    best = {name: max(row["measures"].get(name, 0.0) for row in rows) for name in measures}
    lines = []
    for row in rows:
        cells = [_measure(row["measures"].get(name), best[name]) for name in measures]
        over = [_difference(row.get("over_best", {}).get(name)) for name in COMPARED]
        lines.append([row["way"], *cells, *over, number(row["train_cpu_s"]), number(row["document_cpu_ms"])])
    names = [{"microF1@5": "micro F1@5", ZERO_SHOT: "0-shot R@10"}.get(name, name) for name in measures]
    over_best = [f"over best: {'F1@5' if name == 'microF1@5' else name}" for name in COMPARED]
    return markdown(("way", *names, *over_best, "train CPU s", "ms per document"), lines)


def _measure(value: float | None, best: float) -> str:
    if value is None:
        return "–"
    return f"**{value:.2f}**" if value == best else f"{value:.2f}"


def _difference(found: Sequence[float] | None) -> str:
    if found is None:
        return "–"
    value, p = found
    mark = " \\*" if p < 0.05 else ""
    return f"{value:+.2f}{mark}"


def _added_table(rows: Sequence[Row]) -> str:
    lines = [
        [row["way"], one["name"], f"{one['weight']:.3f}", f"{one['exponent']:.2f}", *_points(one)]
        for row in rows
        for one in row["fusion"]["members"]
    ]
    return markdown(("fusion", "member", "weight", "exponent", "alone", "adds", "95% interval"), lines)


def _points(member: Row) -> list[str]:
    """Quality alone, gain and interval; dashes where nothing was held out."""
    alone, added, low, high = (member[name] for name in ("alone", "added", "low", "high"))
    if alone is None:
        return ["–"] * 3
    return [f"{100 * alone:.2f}", f"{100 * added:+.2f}", f"{100 * low:+.2f} to {100 * high:+.2f}"]
