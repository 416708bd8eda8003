"""Words and numbers that several sections of the evaluation page share."""

from __future__ import annotations

import math

from ramify.report.facts import EvaluationFacts, ModelFacts
from ramify.report.scales import number_text

MEANINGS = {
    "P": "share of the first k suggestions that are true labels",
    "nDCG": "as P, but a true label counts more the higher it stands; 100% is the best possible order",
    "PSP": "as P, but rare labels count more; 100% is the best possible value",
    "PSnDCG": "as nDCG, but rare labels count more",
    "R": "share of a document's true labels that are among the first k suggestions",
    "Hit": "share of the documents with at least one true label among the first k suggestions",
    "microF1": "balance of P and R over all documents together; frequent labels have most influence",
    "macroF1": "the same balance for each label, then the mean; rare labels have most influence",
    "Coverage": "share of the labels of the test data that are suggested correctly at least once",
}
"""The measures of ``evaluation.grid.FAMILIES`` in words."""

BUCKETS = {
    "head": "frequent labels, with a third of all assignments together",
    "middle": "labels between head and tail",
    "tail": "rare labels, 1 to {tail} training documents",
    "1-shot": "a single training document (part of the tail)",
    "0-shot": "no training document",
}
"""The groups of ``evaluation.buckets`` in words."""


UNBROKEN = "\N{NO-BREAK SPACE}"
"""A space of an interval, which is on one line of a narrow screen."""


def named(text: str, model: ModelFacts, facts: EvaluationFacts) -> str:
    """A title with the name of the model before it, if there are several models."""
    return f"{model.name}: {text}" if len(facts.models) > 1 else text


def column(text: str, model: ModelFacts, facts: EvaluationFacts) -> str:
    """The header of a column with the name of the model after it, if there are several models."""
    return f"{text}, {model.name}" if len(facts.models) > 1 else text


def training_documents(facts: EvaluationFacts) -> str:
    """Whose training documents are counted, as the name of a column."""
    return f"training documents of {facts.base}" if facts.base else "training documents"


def of_training(facts: EvaluationFacts) -> str:
    """Whose training data are meant."""
    return f"the training data of {facts.base}" if facts.base else "the training data"


def best_labels(facts: EvaluationFacts) -> str:
    """The predicted labels of a document from which the curves are computed."""
    return f"the {facts.k:,} best labels" if facts.k > 1 else "the best label"


def suggested_labels(facts: EvaluationFacts) -> str:
    """What counts as suggested, in one sentence."""
    if all(model.calibrated for model in facts.models):
        return f"Suggested labels are those that the rule {facts.models[0].operating.rule} chooses."
    k = facts.config.ks[-1]
    return f"Suggested labels are the first {k} of each document." if k > 1 else "The first label is suggested."


def choice_of(model: ModelFacts, facts: EvaluationFacts) -> str:
    """How the suggested labels of a model are chosen."""
    rule = model.operating.rule
    return f"first {facts.config.ks[-1]}" if rule is None else f"rule {rule}"


def long_name(name: str) -> str:
    """A measure in words with its short name."""
    group, _, short = name.rpartition("/")
    family, _, k = short.partition("@")
    words = {
        "P": "First suggestion is true" if k == "1" else f"True among the first {k}",
        "R": f"Rare true labels in the first {k}" if group else f"True labels in the first {k}",
        "nDCG": f"Order of the first {k}",
        "microF1": "Balance over all documents",
        "macroF1": "Balance, mean over labels",
    }[family]
    return f"{words} ({short})"


def value_of(model: ModelFacts, name: str) -> float:
    """A measure; NaN if the report does not have it."""
    return model.report.values.get(name, math.nan)


def bounds_of(model: ModelFacts, name: str) -> tuple[float, float]:
    """The interval of a measure; NaN without one."""
    return model.report.intervals.get(name, (math.nan, math.nan))


def with_interval(model: ModelFacts, name: str) -> str:
    """A measure in percent with its interval, as in "46.9 [44.1, 49.8]"."""
    value, (low, high) = value_of(model, name), bounds_of(model, name)
    if math.isnan(value):
        return "–"
    interval = "" if math.isnan(low) or math.isnan(high) else f" [{100 * low:.1f},{UNBROKEN}{100 * high:.1f}]"
    return f"{100 * value:.1f}{interval}"


def points(difference: float) -> str:
    """A difference in percentage points with its sign; two decimals, so that an end of an interval is seldom 0."""
    rounded = round(100 * difference, 2)
    return f"{rounded:+.2f}" if rounded else "0.00"


def rate(model: ModelFacts) -> str:
    """Documents per second, with two digits."""
    if model.seconds <= 0:
        return "–"
    return number_text(float(f"{model.report.n_documents / model.seconds:.2g}"))


def span(low: int, high: int) -> str:
    """Two whole numbers as a range."""
    return f"{low:,}" if low >= high else f"{low:,} to {high:,}"
