"""Sections of the evaluation page: measures, curves, tree and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ramify.evaluation.grid import FAMILIES, Grid
from ramify.evaluation.label_measures import scoped
from ramify.report.charts import Mark, Series, bars, histogram, line_chart
from ramify.report.facts import EvaluationFacts, ModelFacts, Operating
from ramify.report.page import Figure, Part, Section, Tiles
from ramify.report.scales import Axis, number_text, percent_text

MEANINGS = {
    "P": "Share of the first {k} suggestions that are true labels",
    "nDCG": "As P, but a true label counts more if it stands higher; 100% is the best possible order",
    "PSP": "As P, but rare labels count more, relative to the best possible value",
    "PSnDCG": "As nDCG, but rare labels count more",
    "R": "Share of a document's true labels that are among the first {k} suggestions",
    "Hit": "Share of the documents with at least one true label among the first {k} suggestions",
    "microF1": "Balance of P and R over all documents together; frequent labels dominate",
    "macroF1": "The same balance for each label by itself, then the mean; rare labels dominate",
    "Coverage": "Share of the labels in the test data that are suggested correctly at least once",
}
BUCKETS = {
    "head": "frequent labels (together a third of all assignments)",
    "middle": "labels between these",
    "tail": "rare labels (1 to {tail} training documents)",
    "1-shot": "labels with a single training document",
    "0-shot": "labels without a training document",
}


def overview_section(facts: EvaluationFacts) -> Section:
    """The key figures in plain words."""
    parts: list[Part] = [_tiles(facts.models[0])] if len(facts.models) == 1 else [_key_figures(facts)]
    return Section("In short", _verdict(facts), parts)


def _verdict(facts: EvaluationFacts) -> str:
    first, k = facts.models[0], facts.config.ks[-1]
    report, operating = first.report, first.operating
    lines = [
        f"{'The' if len(facts.models) == 1 else first.name + ': the'} best suggestion is a true label for "
        f"{percent_text(_value(first, 'Hit@1'))} of the documents. "
        if "Hit@1" in report.values
        else "",
        f"The first {k} suggestions contain {percent_text(report[f'R@{k}'])} of a document's true labels.",
    ]
    if first.calibrated:
        lines.append(
            f" With the rule {operating.rule}, the model suggests {operating.mean_size:.1f} labels per document: "
            f"{percent_text(operating.precision)} of them are true, and {percent_text(operating.recall)} of the true "
            "labels are among them."
        )
    return "".join(lines) + "".join(f"\n\n{_compared(model, first, k)}" for model in facts.models[1:])


def _compared(model: ModelFacts, first: ModelFacts, k: int) -> str:
    """One paragraph on a model against the first."""
    if model.comparison is None:
        return ""
    found = []
    for name, words in (
        (f"P@{k}", f"true labels among the first {k} suggestions"),
        (f"macroF1@{k}", "mean over labels"),
    ):
        one = model.comparison[name]
        points = f"{100 * abs(one.difference):.1f} points"
        interval = f"95% interval {100 * one.low:+.1f} to {100 * one.high:+.1f}"
        if one.significant:
            found.append(f"{'above' if one.difference > 0 else 'below'} by {points} in {name} ({words}; {interval})")
        else:
            found.append(f"not measurably different in {name} ({words}; {interval})")
    return f"Compared with {first.name}, {model.name} is {' and '.join(found)}."


def _tiles(model: ModelFacts) -> Tiles:
    report, k, operating = model.report, model.report.ks[-1], model.operating
    tiles = []
    if "P@1" in report.values:
        tiles.append((percent_text(report["P@1"]), "first suggestion is true", _within(model, "P@1")))
    tiles.append((percent_text(report[f"R@{k}"]), f"of the true labels in the first {k}", _within(model, f"R@{k}")))
    if model.calibrated:
        size = f"{operating.mean_size:.1f} labels per document by the rule {operating.rule}"
        tiles.append((percent_text(operating.precision), "of the chosen labels are true", size))
    if not math.isnan(report.values.get(f"tail/R@{k}", math.nan)):
        text = f"in the first {k}; labels with few training documents"
        tiles.append((percent_text(report[f"tail/R@{k}"]), "of the rare true labels found", text))
    tiles.append((_rate(model), "documents per second", "speed of prediction in this evaluation"))
    return Tiles(tiles)


def _within(model: ModelFacts, name: str) -> str:
    low, high = model.report.intervals[name]
    return f"{name}; 95% interval {100 * low:.1f}% to {100 * high:.1f}%"


def _key_figures(facts: EvaluationFacts) -> Grid:
    k = facts.config.ks[-1]
    names = [
        name
        for name in ("P@1", f"P@{k}", f"R@{k}", f"macroF1@{k}", f"tail/R@{k}")
        if name in facts.models[0].report.values
    ]
    rows = [(_long_name(name), *(percent_text(_value(model, name)) for model in facts.models)) for name in names]
    rows.append(("documents per second", *map(_rate, facts.models)))
    return Grid("Key figures", ("", *(model.name for model in facts.models)), tuple(rows))


def measure_section(facts: EvaluationFacts) -> Section:
    """All measures with intervals."""
    ks = facts.config.ks
    text = (
        f"The model ranks its suggestions. A measure with @{ks[-1]} takes the first {ks[-1]} of them. P is about what "
        "the reader sees: how much of it is true. R is about what is missing. The thin lines in the chart are 95% "
        "intervals."
    )
    named = [f"P@{ks[0]}", f"P@{ks[-1]}", f"R@{ks[-1]}", f"nDCG@{ks[-1]}", f"microF1@{ks[-1]}", f"macroF1@{ks[-1]}"]
    shown = [name for name in dict.fromkeys(named) if name in facts.models[0].report.values]
    chart = bars(
        [_long_name(name) for name in shown],
        [model.name for model in facts.models],
        [[_value(model, name) for name in shown] for model in facts.models],
        Axis("", 0, 1, percent=True),
        title="Measures with 95% intervals",
        intervals=[[model.report.intervals[name] for name in shown] for model in facts.models],
    )
    families = [family for family in FAMILIES if f"{family}@{ks[0]}" in facts.models[0].report.values]
    rows = tuple((family, MEANINGS[family].format(k="k")) for family in families)
    meanings = Grid("What the measures mean; k is the number after @", ("measure", "meaning"), rows)
    caption = "Higher is better. No model reaches 100% of P@k where documents have fewer than k true labels."
    return Section("Measures", text, [Figure(caption, chart), *_measure_tables(facts, families), meanings])


def _measure_tables(facts: EvaluationFacts, families: Sequence[str]) -> list[Part]:
    ks = facts.config.ks
    if len(facts.models) == 1:
        model = facts.models[0]
        header = ("measure", *(f"@{k}" for k in ks))
        rows = tuple((family, *(_with_interval(model, f"{family}@{k}") for k in ks)) for family in families)
        return [Grid("Percent, with 95% intervals in brackets", header, rows)]
    names = [f"{family}@{k}" for family in families for k in dict.fromkeys((ks[0], ks[-1]))]
    header = ("measure", *(model.name for model in facts.models))
    values = tuple((name, *(_with_interval(model, name) for model in facts.models)) for name in names)
    return [
        Grid("Percent, with 95% intervals in brackets", header, values),
        *(_differences(model, facts.models[0], names) for model in facts.models[1:]),
    ]


def _differences(model: ModelFacts, first: ModelFacts, names: Sequence[str]) -> Grid:
    rows = []
    for name in names:
        one = model.comparison[name] if model.comparison is not None else None
        if one is not None and not math.isnan(one.difference):
            interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
            verdict = "no clear difference" if not one.significant else model.name if one.difference > 0 else first.name
            rows.append((name, f"{100 * one.difference:+.1f}", interval, verdict))
    title = f"{model.name} minus {first.name}, in percentage points, on the same documents"
    return Grid(title, ("measure", "difference", "95% interval", "better"), tuple(rows))


def frequency_section(facts: EvaluationFacts) -> Section | None:
    """Quality over the number of training documents of a label."""
    models = [model for model in facts.models if model.by_frequency is not None]
    if not models:
        return None
    text = (
        "A model learns a label from the training documents that have it. Labels with few of them are harder to "
        "suggest. Most labels are rare, but each of them concerns few documents.\n\n" + _suggested(facts)
    )
    series = []
    for model in models:
        one = model.by_frequency
        if one is None:
            continue
        seen = one.low > 0
        tips = [
            f"{_span(low, high)} training documents: {percent_text(value)} found"
            for low, high, value in zip(one.low[seen], one.high[seen], one.recall[seen], strict=True)
        ]
        middle = np.sqrt(one.low[seen] * one.high[seen].astype(float))
        series.append(Series(model.name, middle.tolist(), one.recall[seen].tolist(), tips=tips))
    chart = line_chart(
        series,
        Axis("training documents of the label", log=True),
        Axis("share of true labels found", 0, 1, percent=True),
        title="Share of the true labels that are suggested, over the training documents of the label",
    )
    caption = (
        "Each point is a group of labels with a similar number of training documents: 1, 2 to 3, 4 to 7 and so on. "
        "Labels without a training document are not in the chart; a model of the training labels cannot suggest them."
    )
    return Section(
        "Rare and frequent labels", text, [Figure(caption, chart, _frequency_grid(models)), *_buckets(facts)]
    )


def _frequency_grid(models: Sequence[ModelFacts]) -> Grid:
    first = models[0].by_frequency
    if first is None:
        raise ValueError("the model has no label frequencies")
    several = len(models) > 1
    header = ["training documents", "labels in test", "true labels"]
    for model in models:
        ending = f", {model.name}" if several else ""
        header += [f"found{ending}", f"right of suggested{ending}"]
    rows = []
    for place, (low, high) in enumerate(zip(first.low.tolist(), first.high.tolist(), strict=True)):
        cells = [_span(low, high), f"{int(first.labels[place]):,}", f"{int(first.true[place]):,}"]
        for model in models:
            one = model.by_frequency
            if one is not None:
                cells += [percent_text(one.recall[place]), percent_text(one.precision[place])]
        rows.append(tuple(cells))
    return Grid("Suggested labels by number of training documents", tuple(header), tuple(rows))


def _buckets(facts: EvaluationFacts) -> list[Part]:
    k, first = facts.config.ks[-1], facts.models[0].report
    if not first.buckets:
        return []
    rows = []
    for name, size in first.buckets.items():
        meaning = BUCKETS[name].format(tail=facts.config.tail_at_most)
        values = [_with_interval(model, scoped(name, f"R@{k}")) for model in facts.models]
        rows.append((name, meaning, f"{size.labels:,}", f"{size.documents:,}", *values))
    several = len(facts.models) > 1
    named = (f"R@{k}, {model.name}" if several else f"R@{k}" for model in facts.models)
    title = f"True labels found in the first {k} suggestions, by group of labels (percent, with 95% intervals)"
    return [Grid(title, ("group", "labels of the group", "labels", "documents", *named), tuple(rows))]


def precision_section(facts: EvaluationFacts) -> Section:
    """Precision and recall at every threshold, and the point that the rule chooses."""
    calibrated = [model for model in facts.models if model.calibrated]
    text = (
        "Precision is the share of the suggested labels that are true. Recall is the share of the true labels that are "
        "suggested. A threshold on the probability decides how many labels are suggested: a high threshold gives few, "
        "mostly true labels; a low one finds more labels with more errors. The curve shows all possible thresholds.\n\n"
    )
    if len(calibrated) == len(facts.models):
        text += "The ring is the operating point: the label sets that the rule chooses, measured on these documents."
    else:
        names = " and ".join(model.name for model in facts.models if not model.calibrated)
        subject = "The model is" if len(facts.models) == 1 else f"{names}: a model is"
        text += (
            f"{subject} not calibrated, so that the curve uses its scores and there is no rule that chooses a threshold. "
            f"The ring marks the first {facts.config.ks[-1]} labels of each document. The command ramify calibrate "
            "MODEL HELD_OUT adds probabilities and rules; it needs labelled documents that were not used in training."
        )
    series = [
        Series(model.name, model.curve.recall.tolist(), model.curve.precision.tolist(), points=False)
        for model in facts.models
    ]
    marks = [
        Mark(model.operating.recall, model.operating.precision, _rule_name(model, facts), number)
        for number, model in enumerate(facts.models)
    ]
    chart = line_chart(
        series,
        Axis("recall: true labels that are suggested", 0, 1, percent=True),
        Axis("precision: suggested labels that are true", 0, 1, percent=True),
        title="Precision over recall at all thresholds",
        marks=[mark for mark in marks if math.isfinite(mark.y)],
    )
    caption = f"Over all documents and labels together. The curves end where all {facts.k:,} best labels are suggested."
    return Section(
        "Precision, recall and the operating point",
        text,
        [Figure(caption, chart, _curve_grid(facts)), _operating_grid(facts)],
    )


def _curve_grid(facts: EvaluationFacts) -> Grid:
    """The precision at round values of the recall."""
    rows = []
    for recall in np.linspace(0.1, 1, 10):
        cells = [percent_text(recall)]
        for model in facts.models:
            at = int(np.searchsorted(model.curve.recall, recall - 1e-9))
            reached = at < len(model.curve.recall)
            cells += [percent_text(model.curve.precision[at]) if reached else "–"]
            cells += [f"{model.curve.thresholds[at]:.3g}" if reached else "–"]
        if any(cell != "–" for cell in cells[1:]):
            rows.append(tuple(cells))
    header = ["recall"]
    for model in facts.models:
        ending = f", {model.name}" if len(facts.models) > 1 else ""
        header += [f"precision{ending}", f"threshold{ending}"]
    return Grid("Precision at some values of recall", tuple(header), tuple(rows))


def _operating_grid(facts: EvaluationFacts) -> Grid:
    def row(name: str, text: Callable[[ModelFacts], str]) -> tuple[str, ...]:
        return (name, *map(text, facts.models))

    rows = [
        row("choice of labels", lambda model: _rule_name(model, facts)),
        row("suggested labels per document", lambda model: f"{model.operating.mean_size:.2f}"),
        row("precision", lambda model: percent_text(model.operating.precision)),
        row("recall", lambda model: percent_text(model.operating.recall)),
    ]
    for name, meaning in (("F1", "mean over documents"), ("macroF1", "mean over labels"), ("exact", "documents")):
        if any(model.sets is not None for model in facts.models):
            title = "documents with exactly the true labels" if name == "exact" else f"F1, {meaning}"
            rows.append(row(title, lambda model, name=name: _of_sets(model, name)))  # type: ignore[misc]
    return Grid("Operating point", ("", *(model.name for model in facts.models)), tuple(rows))


def reliability_section(facts: EvaluationFacts) -> Section | None:
    """Probabilities beside frequencies."""
    series, errors = [], []
    for model in facts.models:
        for kind, one in model.reliability.items():
            if kind == "score" and model.calibrated and len(facts.models) > 1:
                continue
            name = kind if len(facts.models) == 1 else f"{model.name}, {kind}"
            tips = [f"{number:,} predictions" for number in one.counts.tolist()]
            series.append(Series(name, one.predicted.tolist(), one.true.tolist(), tips=tips))
            errors.append((name, percent_text(one.ece), f"{int(one.counts.sum()):,}"))
    if not series:
        return None
    text = (
        "A probability of 70% should mean that 7 of 10 such suggestions are true. In the chart, points on the dotted "
        "diagonal keep this promise. Points below it are too optimistic, points above it too cautious.\n\n"
    )
    text += (
        "A score orders the labels and is not meant as a probability; calibration turns it into one."
        if any(model.calibrated for model in facts.models)
        else "The model is not calibrated. Its scores order the labels and are not meant as probabilities."
    )
    chart = line_chart(
        series,
        Axis("stated probability or score", 0, 1, percent=True),
        Axis("share of true labels", 0, 1, percent=True),
        title="Share of true labels over the stated probability",
        diagonal=True,
    )
    caption = "Each point is a tenth of all predictions, from the lowest to the highest values."
    grid = Grid(
        "Mean distance from the diagonal (expected calibration error)", ("", "error", "predictions"), tuple(errors)
    )
    return Section("Can the probabilities be trusted?", text, [Figure(caption, chart), grid])


def score_section(facts: EvaluationFacts) -> Section:
    """Distributions of the values of right and wrong predictions."""
    parts: list[Part] = []
    for model in facts.models:
        one, what = model.scores, "probability" if model.calibrated else "score"
        unit = model.calibrated
        chart = histogram(
            one.edges.tolist(),
            [f"true labels ({one.n_right:,})", f"other labels ({one.n_wrong:,})"],
            [one.right.tolist(), one.wrong.tolist()],
            Axis(what, float(one.edges[0]), float(one.edges[-1]), percent=unit),
            Axis("share of the predictions", percent=True),
            title=f"Distribution of the {what} of true and of other labels, {model.name}",
        )
        rows = [
            (f"{_edge(low, unit)} to {_edge(high, unit)}", percent_text(right), percent_text(wrong))
            for low, high, right, wrong in zip(one.edges[:-1], one.edges[1:], one.right, one.wrong, strict=True)
        ]
        name = f"{model.name}: " if len(facts.models) > 1 else ""
        caption = f"{name}each area adds up to 100%. The {facts.k:,} best labels of each document are included."
        parts.append(Figure(caption, chart, Grid("Share of the predictions", (what, "true", "other"), tuple(rows))))
    text = "The less the two areas overlap, the better a threshold separates the labels to suggest from the others."
    return Section("Values of true and of other labels", text, parts)


def tree_section(facts: EvaluationFacts) -> Section | None:
    """Shape of the label tree."""
    models = [model for model in facts.models if model.tree is not None]
    if not models:
        return None
    text = (
        "The model groups similar labels into clusters, and clusters into larger ones. It searches this tree from the "
        "top and scores only the labels of the most promising clusters, which makes it fast for many labels."
    )
    parts: list[Part] = []
    for model in models:
        tree = model.tree
        if tree is None:
            continue
        name = f"{model.name}: " if len(facts.models) > 1 else ""
        trees = f"{tree.n_trees} trees; this is the first. " if tree.n_trees > 1 else ""
        if len(tree.level_sizes) < 2:
            parts.append(f"{name}{trees}The tree has no clusters: all {tree.n_labels:,} labels are scored directly.")
            continue
        rows = [(f"level {number}", f"{size:,}") for number, size in enumerate(tree.level_sizes[:-1], 1)]
        leaves = f"{tree.level_sizes[-1]:,} leaves of {tree.n_labels:,} labels"
        rows.append(("labels", f"{tree.level_sizes[-1]:,}"))
        parts.append(Grid(f"{name}{trees}Clusters per level, from the top; {leaves}", ("", "number"), tuple(rows)))
        parts.append(_cluster_figure(model.name, tree.cluster_sizes))
    return Section("Label tree", text, parts)


def _cluster_figure(name: str, sizes: np.ndarray) -> Figure:
    low, high = int(sizes.min()), int(sizes.max())
    step = max(1, -(-(high - low + 1) // 24))
    edges = np.arange(low, high + step + 1, step)
    counts = np.histogram(sizes, edges)[0]
    chart = histogram(
        (edges - 0.5).tolist(),
        [name],
        [counts.tolist()],
        Axis("labels in the cluster", float(edges[0] - 0.5), float(edges[-1] - 0.5)),
        Axis("clusters"),
        title=f"Sizes of the {len(sizes):,} smallest clusters of {name}",
    )
    spans = (_span(int(a), int(b) - 1) for a, b in zip(edges[:-1], edges[1:], strict=True))
    rows = tuple((span, f"{count:,}") for span, count in zip(spans, counts.tolist(), strict=True))
    caption = (
        f"Sizes of the {len(sizes):,} clusters that hold the labels: {low:,} to {high:,} labels, "
        f"median {number_text(float(np.median(sizes)))}."
    )
    return Figure(caption, chart, Grid("Clusters by size", ("labels in the cluster", "clusters"), rows))


def cost_section(facts: EvaluationFacts) -> Section:
    """Sizes and speed."""

    def row(name: str, text: Callable[[ModelFacts], str]) -> tuple[str, ...]:
        return (name, *map(text, facts.models))

    rows = (
        row("model", lambda model: model.card.model),
        row("texts to features", lambda model: model.card.vectorizer),
        row("labels", lambda model: f"{model.card.n_labels:,}"),
        row("features", lambda model: f"{model.card.n_features:,}"),
        row("weights", lambda model: f"{model.card.n_weights:,}"),
        row("size in memory", lambda model: f"{sum(model.card.bytes.values()) / 1e6:,.1f} MB"),
        row("training documents", lambda model: f"{model.card.n_documents:,}" if model.card.n_documents else "unknown"),
        row("prediction, all documents", lambda model: f"{model.seconds:,.2f} s"),
        row("prediction, per document", lambda model: f"{1000 * model.seconds / facts.n_documents:,.2f} ms"),
    )
    text = (
        "Sizes are those of the model's arrays. The time of prediction is wall time on the machine that made this page, "
        f"in batches, including the features of the texts, with {facts.k:,} labels per document."
    )
    return Section("Size and speed", text, [Grid("Cost", ("", *(model.name for model in facts.models)), rows)])


def _suggested(facts: EvaluationFacts) -> str:
    """What counts as suggested, in one sentence."""
    if all(model.calibrated for model in facts.models):
        return f"Suggested labels are those of the rule {facts.models[0].operating.rule}."
    if not any(model.calibrated for model in facts.models):
        return f"Suggested labels are the first {facts.config.ks[-1]} of each document."
    return (
        f"Suggested labels are those of the rule of a calibrated model, and the first {facts.config.ks[-1]} of each "
        "document for a model that is not calibrated."
    )


def _rule_name(model: ModelFacts, facts: EvaluationFacts) -> str:
    return _choice(model.operating, facts.config.ks[-1])


def _choice(operating: Operating, k: int) -> str:
    return f"first {k}" if operating.rule is None else f"rule {operating.rule}"


def _of_sets(model: ModelFacts, name: str) -> str:
    return "–" if model.sets is None else percent_text(model.sets[name])


def _long_name(name: str) -> str:
    """A measure in words with its short name."""
    group, _, short = name.rpartition("/")
    family, _, k = short.partition("@")
    words = {
        "P": "First suggestion is true" if k == "1" else f"True labels in the first {k}",
        "R": f"True labels found in the first {k}" if not group else f"Rare true labels found in the first {k}",
        "nDCG": f"Order of the first {k}",
        "microF1": "Balance over all documents",
        "macroF1": "Balance, mean over labels",
    }[family]
    return f"{words} ({short})"


def _with_interval(model: ModelFacts, name: str) -> str:
    value, bounds = _value(model, name), model.report.intervals.get(name)
    if math.isnan(value):
        return "–"
    if bounds is None or any(map(math.isnan, bounds)):
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]"


def _value(model: ModelFacts, name: str) -> float:
    return model.report.values.get(name, math.nan)


def _rate(model: ModelFacts) -> str:
    rate = model.report.n_documents / model.seconds if model.seconds > 0 else math.nan
    return number_text(float(f"{rate:.2g}") if math.isfinite(rate) else rate)


def _span(low: int, high: int) -> str:
    return f"{low:,}" if low >= high else f"{low:,} to {high:,}"


def _edge(value: float, percent: bool) -> str:
    return percent_text(value) if percent else f"{value:.3g}"
