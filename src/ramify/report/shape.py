"""Sections of the evaluation page on the label tree, and on size and speed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ramify.evaluation.grid import Grid
from ramify.report.charts import histogram
from ramify.report.facts import EvaluationFacts, ModelFacts, TreeFacts
from ramify.report.page import Figure, Part, Section
from ramify.report.scales import Axis, number_text
from ramify.report.words import named, span
from ramify.values import Int64
from ramify.wording import counted

FEWEST_BINS, MOST_BINS = 3, 24


def tree_section(facts: EvaluationFacts) -> Section | None:
    """Shape of the label tree."""
    shown = [(model, model.tree) for model in facts.models if model.tree is not None]
    if not shown:
        return None
    text = (
        "The model groups similar labels into clusters, and these into larger ones. Prediction follows this tree from "
        "the top and scores the labels of the best clusters only, so that it is fast with many labels. A true label is "
        "missed if its cluster is not among these."
    )
    parts = [part for model, tree in shown for part in _tree_parts(named("", model, facts), tree)]
    return Section("Label tree", text, parts)


def _tree_parts(prefix: str, tree: TreeFacts) -> list[Part]:
    """A table of the levels and a chart of the cluster sizes; a sentence for a tree without clusters."""
    first = f"; first of {tree.n_trees} trees" if tree.n_trees > 1 else ""
    if len(tree.level_sizes) < 2:
        scored = f"all {tree.n_labels:,} labels are" if tree.n_labels > 1 else "its only label is"
        return [f"{prefix}The tree has no clusters: {scored} scored for each document{first}."]
    levels = [f"level {number}" for number in range(1, len(tree.level_sizes))]
    above = (1, *tree.level_sizes[:-1])
    rows = tuple(
        (name, f"{size:,}", f"{size / parents:.1f}")
        for name, size, parents in zip((*levels, "labels"), tree.level_sizes, above, strict=True)
    )
    repeated = f", with repeated labels ({tree.n_labels:,} different ones)" * (tree.level_sizes[-1] > tree.n_labels)
    title = f"{prefix}Clusters of each level from the top, and labels{repeated}{first}"
    return [Grid(title, ("", "number", "in each cluster above"), rows), _cluster_sizes(prefix, tree.cluster_sizes)]


def _cluster_sizes(prefix: str, sizes: Int64) -> Part:
    """A histogram, or a sentence where there are few different sizes."""
    low, high = int(sizes.min()), int(sizes.max())
    if high - low < FEWEST_BINS:
        labels = f"{span(low, high)} label{'' if high == 1 else 's'}"
        each = f"Each of the {len(sizes):,} clusters" if len(sizes) > 1 else "The only cluster"
        return f"{prefix}{each} of the last level has {labels}."
    step = max(1, -(-(high - low + 1) // MOST_BINS))
    edges = np.arange(low, high + step + 1, step)
    counts = np.histogram(sizes, edges)[0].tolist()
    chart = histogram(
        (edges - 0.5).tolist(),
        ["clusters"],
        [counts],
        Axis("labels in the cluster", float(edges[0] - 0.5), float(edges[-1] - 0.5), whole=True),
        Axis("clusters", whole=True),
        title=f"{prefix}Number of clusters of each size",
    )
    spans = [span(int(a), int(b) - 1) for a, b in pairwise(edges)]
    rows = tuple((text, f"{count:,}") for text, count in zip(spans, counts, strict=True) if count)
    caption = (
        f"{prefix}Sizes of the {len(sizes):,} clusters of the last level: {span(low, high)} labels, median "
        f"{number_text(float(np.median(sizes)))}."
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
        "The size is that of the model's arrays. The time of prediction is wall time on the machine that made this "
        f"page, for {counted(facts.k, 'label')} per document; it includes the features of the texts."
    )
    return Section("Size and speed", text, [Grid("Cost", ("", *(model.name for model in facts.models)), rows)])
