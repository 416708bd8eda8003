"""Sections of the evaluation page on the measures, for all labels and by frequency of the label."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ramify.evaluation.grid import FAMILIES, Grid
from ramify.evaluation.label_measures import scoped
from ramify.report.charts import Series, bars, line_chart
from ramify.report.curves import ByFrequency
from ramify.report.facts import EvaluationFacts, ModelFacts
from ramify.report.page import Figure, Part, Section, Tiles
from ramify.report.scales import Axis, percent_text
from ramify.report.words import (
    BUCKETS,
    MEANINGS,
    UNBROKEN,
    bounds_of,
    column,
    long_name,
    points,
    rate,
    span,
    suggested_labels,
    training_documents,
    value_of,
    with_interval,
)
from ramify.wording import counted


def overview_section(facts: EvaluationFacts) -> Section:
    """The key figures in plain words."""
    parts: list[Part] = [_tiles(facts.models[0], facts) if len(facts.models) == 1 else _key_figures(facts)]
    first, k = facts.models[0], facts.config.ks[-1]
    return Section(
        "In short", "\n\n".join([_verdict(facts), *(_compared(one, first, k) for one in facts.models[1:])]), parts
    )


def _verdict(facts: EvaluationFacts) -> str:
    """The first model in two or three sentences."""
    first, k = facts.models[0], facts.config.ks[-1]
    best, operating = value_of(first, "P@1"), first.operating
    contained = f"{percent_text(first.report[f'R@{k}'])} of a document's true labels{_at_most(facts)}"
    lines = [
        f"The first suggestion contains {contained}." if k == 1 else f"The first {k} suggestions contain {contained}."
    ]
    if not math.isnan(best):
        lines.insert(0, f"The first suggestion is a true label for {percent_text(best)} of the documents.")
    if first.calibrated:
        lines.append(
            f"The rule {operating.rule} chooses {operating.mean_size:.1f} labels per document: "
            f"{percent_text(operating.precision)} of these are true, and they contain {percent_text(operating.recall)} "
            "of all true labels."
        )
    return (f"Model {first.name}: " if len(facts.models) > 1 else "") + " ".join(lines)


def _at_most(facts: EvaluationFacts) -> str:
    """The highest recall that the first suggestions can have, where it is below 100%."""
    best = percent_text(facts.reachable)
    if best in ("100%", "–"):
        return ""
    return f" (at most {best} is possible with {counted(facts.config.ks[-1], 'suggestion')})"


def _compared(model: ModelFacts, first: ModelFacts, k: int) -> str:
    """One paragraph on a model against the first."""
    if model.comparison is None:
        return ""
    found = []
    for name in (f"P@{k}", f"R@{k}", f"macroF1@{k}"):
        one = model.comparison[name]
        above = "above" if one.difference > 0 else "below"
        verdict = f"{100 * abs(one.difference):.2f} points {above}" if one.significant else "not clearly different"
        found.append(f"{verdict} in {name}")
    return f"Compared with {first.name}, model {model.name} is {', '.join(found[:-1])}, and {found[-1]}."


def _tiles(model: ModelFacts, facts: EvaluationFacts) -> Tiles:
    report, k, operating = model.report, model.report.ks[-1], model.operating
    tiles = []
    if "P@1" in report.values:
        tiles.append((percent_text(report["P@1"]), "first suggestion is true", _explained(model, "P@1")))
    explained = _explained(model, f"R@{k}") + _at_most(facts)
    tiles.append((percent_text(report[f"R@{k}"]), f"of true labels in the first {k}", explained))
    rare = value_of(model, f"tail/R@{k}")
    if not math.isnan(rare):
        tiles.append((percent_text(rare), f"of rare true labels in the first {k}", _explained(model, f"tail/R@{k}")))
    if model.calibrated:
        text = f"by the rule {operating.rule}, {operating.mean_size:.1f} labels per document"
        tiles.append((percent_text(operating.precision), "of the chosen labels are true", text))
    else:
        tiles.append((rate(model), "documents per second", "prediction in this evaluation"))
    return Tiles(tiles)


def _explained(model: ModelFacts, name: str) -> str:
    low, high = bounds_of(model, name)
    return f"{name}" if math.isnan(low) else f"{name}, 95% interval {100 * low:.1f} to {100 * high:.1f}"


def _key_figures(facts: EvaluationFacts) -> Grid:
    k = facts.config.ks[-1]
    names = ("P@1", f"P@{k}", f"R@{k}", f"macroF1@{k}", f"tail/R@{k}")
    rows = [
        (long_name(name), *(percent_text(value_of(model, name)) for model in facts.models))
        for name in dict.fromkeys(names)
        if not math.isnan(value_of(facts.models[0], name))
    ]
    rows.append(("Documents per second", *map(rate, facts.models)))
    return Grid("Key figures", ("", *(model.name for model in facts.models)), tuple(rows))


def measure_section(facts: EvaluationFacts) -> Section:
    """All measures with intervals."""
    ks, first = facts.config.ks, facts.models[0]
    text = (
        f"The model ranks its suggestions, and a measure with @{ks[-1]} uses the first {ks[-1]} of them. P (precision) "
        "is the share of the suggestions that are true. R (recall) is the share of the true labels that are suggested."
    )
    if first.report.intervals:
        text += " The thin line at the end of a bar is the 95% interval."
    names = [f"P@{ks[0]}", *(f"{family}@{ks[-1]}" for family in ("P", "R", "nDCG", "microF1", "macroF1"))]
    shown = list(dict.fromkeys(names))
    chart = bars(
        [long_name(name) for name in shown],
        [model.name for model in facts.models],
        [[value_of(model, name) for name in shown] for model in facts.models],
        Axis("", 0, 1, percent=True),
        title="Measures with 95% intervals" if first.report.intervals else "Measures",
        intervals=[[bounds_of(model, name) for name in shown] for model in facts.models],
    )
    families = [family for family in FAMILIES if f"{family}@{ks[0]}" in first.report.values]
    meanings = tuple((family, MEANINGS[family]) for family in families)
    caption = (
        f"Higher is better. P@{ks[-1]} cannot reach 100% for documents with fewer than {ks[-1]} true labels, and "
        f"R@{ks[-1]} cannot for documents with more."
        if ks[-1] > 1
        else "Higher is better. R@1 cannot reach 100% for documents with more than one true label."
    )
    parts = [
        Figure(caption, chart),
        *_measure_tables(facts, families),
        Grid("What the measures mean (k is the number after @)", ("measure", "meaning"), meanings),
    ]
    return Section("Measures", text, parts)


def _measure_tables(facts: EvaluationFacts, families: Sequence[str]) -> list[Part]:
    ks, models = facts.config.ks, facts.models
    title = "Percent, with 95% intervals in brackets" if models[0].report.intervals else "Percent"
    if len(models) == 1:
        rows = tuple((family, *(with_interval(models[0], f"{family}@{k}") for k in ks)) for family in families)
        return [Grid(title, ("measure", *(f"@{k}" for k in ks)), rows)]
    names = [f"{family}@{k}" for family in families for k in dict.fromkeys((ks[0], ks[-1]))]
    values = tuple((name, *(with_interval(model, name) for model in models)) for name in names)
    differences = (_differences(model, models[0], names) for model in models[1:])
    return [Grid(title, ("measure", *(model.name for model in models)), values), *differences]


def _differences(model: ModelFacts, first: ModelFacts, names: Sequence[str]) -> Grid:
    rows = []
    for name in names if model.comparison is not None else ():
        one = model.comparison[name]  # type: ignore[index]
        if math.isnan(one.difference):
            continue
        better = model.name if one.difference > 0 else first.name
        verdict = better if one.significant else "no clear difference"
        interval = f"{points(one.low)} to{UNBROKEN}{points(one.high)}"
        rows.append((name, points(one.difference), interval, verdict))
    title = f"{model.name} minus {first.name}, in percentage points, on the same documents"
    return Grid(title, ("measure", "difference", "95% interval", "better"), tuple(rows))


def frequency_section(facts: EvaluationFacts) -> Section | None:
    """Quality over the number of training documents of a label."""
    found = [(model, model.by_frequency) for model in facts.models if model.by_frequency is not None]
    if not found:
        return None
    text = (
        "A model learns a label from the training documents that have it, so that labels with few of them are harder "
        f"to suggest. {suggested_labels(facts)}"
    )
    if facts.base:
        text += f" All models are compared by the training documents of {facts.base}."
    chart = line_chart(
        [_frequency_series(model.name, one) for model, one in found],
        Axis(f"{training_documents(facts)} with the label", log=True),
        Axis("true labels that are suggested", 0, 1, percent=True),
        title="Share of the true labels that are suggested, over the training documents of the label",
    )
    caption = (
        "Each point is a group of labels with a similar number of training documents: 1, 2 to 3, 4 to 7 and so on. "
        "Labels without a training document are not in the chart."
    )
    return Section("Rare and frequent labels", text, [Figure(caption, chart, _frequency_grid(facts)), *_buckets(facts)])


def _frequency_series(name: str, one: ByFrequency) -> Series:
    seen = one.low > 0
    tips = [
        f"{span(low, high)} training documents: {percent_text(recall)}"
        for low, high, recall in zip(one.low[seen].tolist(), one.high[seen].tolist(), one.recall[seen], strict=True)
    ]
    middle = np.sqrt(one.low[seen] * one.high[seen].astype(np.float64))
    return Series(name, middle.tolist(), one.recall[seen].tolist(), tips=tips)


def _frequency_grid(facts: EvaluationFacts) -> Grid:
    found = [(model, model.by_frequency) for model in facts.models if model.by_frequency is not None]
    first = found[0][1]
    header = [training_documents(facts), "labels", "true labels"]
    columns = [
        list(map(span, first.low.tolist(), first.high.tolist())),
        [f"{number:,}" for number in first.labels.tolist()],
        [f"{number:,}" for number in first.true.tolist()],
    ]
    for model, one in found:
        header += [column("recall", model, facts), column("precision", model, facts)]
        columns += [list(map(percent_text, one.recall)), list(map(percent_text, one.precision))]
    title = "Suggested labels by number of training documents"
    return Grid(title, tuple(header), tuple(zip(*columns, strict=True)))


def _buckets(facts: EvaluationFacts) -> list[Part]:
    k, sizes = facts.config.ks[-1], facts.models[0].report.buckets
    rows = []
    for name, size in sizes.items():
        meaning = BUCKETS[name].format(tail=facts.config.tail_at_most)
        values = [with_interval(model, scoped(name, f"R@{k}")) for model in facts.models]
        rows.append((name, meaning, f"{size.labels:,}", f"{size.documents:,}", *values))
    header = ("group", "meaning", "labels", "documents", *(column(f"R@{k}", model, facts) for model in facts.models))
    by = f" by {training_documents(facts)}" if facts.base else ""
    title = f"True labels among the first {k} suggestions, by group of labels{by} (percent)"
    return [Grid(title, header, tuple(rows))] if rows else []
