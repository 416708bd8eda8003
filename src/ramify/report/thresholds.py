"""Sections of the evaluation page on thresholds, probabilities and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ramify.evaluation.grid import Grid
from ramify.report.charts import Mark, Series, histogram, line_chart
from ramify.report.curves import PrecisionRecall
from ramify.report.facts import EvaluationFacts, ModelFacts
from ramify.report.page import Figure, Part, Section
from ramify.report.scales import Axis, percent_text
from ramify.report.words import best_labels, choice_of, column, named
from ramify.tagger.decide.reliability import Reliability


def precision_section(facts: EvaluationFacts) -> Section:
    """Precision and recall at every threshold, and the point that the rule chooses."""
    text = (
        "Precision is the share of the suggested labels that are true. Recall is the share of the true labels that are "
        "suggested. A threshold decides how many labels are suggested: a high one gives few labels, most of them true; "
        "a low one gives more true labels and more wrong ones. Each point of the curve is one threshold."
    )
    series = [
        Series(model.name, model.curve.recall.tolist(), model.curve.precision.tolist(), points=False)
        for model in facts.models
    ]
    marks = [
        Mark(model.operating.recall, model.operating.precision, choice_of(model, facts), number)
        for number, model in enumerate(facts.models)
    ]
    chart = line_chart(
        series,
        Axis("recall", 0, 1, percent=True),
        Axis("precision", 0, 1, percent=True),
        title="Precision over recall at all thresholds",
        marks=marks,
    )
    end = f"{best_labels(facts)} of each document {'are all' if facts.k > 1 else 'is always'} suggested"
    caption = f"All documents and labels together. A curve ends where {end}."
    parts: list[Part] = [_operating_text(facts), Figure(caption, chart, _curve_grid(facts)), _operating_grid(facts)]
    return Section("Precision, recall and the operating point", text, parts)


def _operating_text(facts: EvaluationFacts) -> str:
    """What the rings in the chart are."""
    without = [model.name for model in facts.models if not model.calibrated]
    if not without:
        return "The ring is the operating point: the label sets that the rule chooses, measured on these documents."
    subject = "The model is" if len(facts.models) == 1 else f"{' and '.join(without)}: the model is"
    return (
        f"{subject} not calibrated. The curve is that of its scores, and no rule chooses a threshold: the ring is the "
        f"first {facts.config.ks[-1]} labels of each document. Probabilities and rules are added by the command ramify "
        "calibrate MODEL HELD-OUT, with labelled documents that were not used in training."
    )


def _curve_grid(facts: EvaluationFacts) -> Grid:
    """The precision at round values of the recall."""
    header = ["recall"]
    for model in facts.models:
        header += [column("precision", model, facts), column("threshold", model, facts)]
    rows = []
    for recall in np.linspace(0.1, 1, 10).tolist():
        cells = [percent_text(recall)]
        for model in facts.models:
            cells += _at_recall(model.curve, recall)
        if any(cell != "–" for cell in cells[1:]):
            rows.append(tuple(cells))
    return Grid("Precision at some values of the recall", tuple(header), tuple(rows))


def _at_recall(curve: PrecisionRecall, recall: float) -> list[str]:
    """Precision and threshold at the first point with this recall."""
    at = int(np.searchsorted(curve.recall, recall - 1e-9))
    if at == len(curve.recall):
        return ["–", "–"]
    return [percent_text(curve.precision[at]), f"{curve.thresholds[at]:.3g}"]


def _operating_grid(facts: EvaluationFacts) -> Grid:
    def row(name: str, text: Callable[[ModelFacts], str]) -> tuple[str, ...]:
        return (name, *map(text, facts.models))

    def of_sets(name: str) -> Callable[[ModelFacts], str]:
        return lambda model: percent_text(model.sets[name])

    rows = [
        row("choice of labels", lambda model: choice_of(model, facts)),
        row("labels per document", lambda model: f"{model.operating.mean_size:.2f}"),
        row("precision", lambda model: percent_text(model.operating.precision)),
        row("recall", lambda model: percent_text(model.operating.recall)),
        row("F1, balance of both: all documents together", of_sets("microF1")),
        row("F1, mean over documents", of_sets("F1")),
        row("F1, mean over labels", of_sets("macroF1")),
        row("documents with exactly the true labels", of_sets("exact")),
    ]
    return Grid("Operating point", ("", *(model.name for model in facts.models)), tuple(rows))


def reliability_section(facts: EvaluationFacts) -> Section | None:
    """Probabilities beside frequencies."""
    shown = [
        (column(kind, model, facts), one)
        for model in facts.models
        for kind, one in model.reliability.items()
        if kind == "probability" or not model.calibrated or len(facts.models) == 1
    ]
    if not shown:
        return None
    text = (
        "Of all suggestions with a probability of 70%, 70% should be true. Points on the dotted diagonal fulfil this. "
        "Points below it are too optimistic, points above it too cautious. "
    )
    text += (
        "A score only orders the labels; calibration turns it into a probability."
        if any(model.calibrated for model in facts.models)
        else "The model is not calibrated: its scores only order the labels, and are not probabilities."
    )
    series = [
        Series(
            name, one.predicted.tolist(), one.true.tolist(), tips=[f"{n:,} predictions" for n in one.counts.tolist()]
        )
        for name, one in shown
    ]
    chart = line_chart(
        series,
        Axis("probability or score", 0, 1, percent=True),
        Axis("share of true labels", 0, 1, percent=True),
        title="Share of true labels over the probability",
        diagonal=True,
    )
    caption = "Each point is about a tenth of the predictions, or more where many have the same value."
    errors = tuple((name, percent_text(one.ece), f"{int(one.counts.sum()):,}") for name, one in shown)
    title = "Mean distance from the diagonal (expected calibration error)"
    parts: list[Part] = [
        Figure(caption, chart, _reliability_grid(shown)),
        Grid(title, ("", "error", "predictions"), errors),
    ]
    return Section("Reliability of the probabilities", text, parts)


def _reliability_grid(shown: Sequence[tuple[str, Reliability]]) -> Grid:
    rows = [
        (name, percent_text(predicted), percent_text(true), f"{count:,}")
        for name, one in shown
        for predicted, true, count in zip(one.predicted, one.true, one.counts.tolist(), strict=True)
    ]
    return Grid("Points of the chart", ("", "mean value", "true", "predictions"), tuple(rows))


def score_section(facts: EvaluationFacts) -> Section:
    """Distributions of the values of true and of other labels."""
    text = (
        "The less the two areas overlap, the better a threshold separates true labels from others. Most wrong labels "
        "have low values, because even the last of the best labels are included."
    )
    shares = [max(*model.scores.right, *model.scores.wrong) for model in facts.models]
    share = Axis("share of these labels", 0.0, max(shares) or 1.0, percent=True).to_tick()
    figures = [_score_figure(model, facts, share) for model in facts.models]
    return Section("Values of true and of wrong labels", text, figures)


def _score_figure(model: ModelFacts, facts: EvaluationFacts, share: Axis) -> Figure:
    one, what = model.scores, "probability" if model.calibrated else "score"

    def edge(value: float) -> str:
        return f"{100 * value:.3g}%" if model.calibrated else f"{value:.3g}"

    chart = histogram(
        one.edges.tolist(),
        [f"true labels ({one.n_right:,})", f"wrong labels ({one.n_wrong:,})"],
        [one.right.tolist(), one.wrong.tolist()],
        Axis(what, float(one.edges[0]), float(one.edges[-1]), percent=model.calibrated),
        share,
        title=named(f"Distribution of the {what} of true and of wrong labels", model, facts),
    )
    rows = [
        (f"{edge(low)} to {edge(high)}", percent_text(right), percent_text(wrong))
        for (low, high), right, wrong in zip(pairwise(one.edges), one.right, one.wrong, strict=True)
        if right or wrong
    ]
    areas = "Each of the two areas adds up to 100%."
    if not one.n_right or not one.n_wrong:
        areas = f"None of them is {'wrong' if one.n_right else 'true'}; the area of the others adds up to 100%."
    best = best_labels(facts)
    grid = Grid("Share of these labels", (what, "true labels", "wrong labels"), tuple(rows))
    heading = model.name if len(facts.models) > 1 else ""
    return Figure(f"{best[0].upper()}{best[1:]} of each document. {areas}", chart, grid, heading)
