"""Sections of the evaluation page on single labels and single documents."""

from __future__ import annotations

from collections.abc import Sequence

from ramify.evaluation.grid import Grid
from ramify.report.examples import Answer, Example
from ramify.report.facts import EvaluationFacts, ModelFacts
from ramify.report.labels import LabelRecord
from ramify.report.markdown import plain
from ramify.report.markup import Markup, render
from ramify.report.page import Fragment, Part, Section
from ramify.report.scales import percent_text


def weak_section(facts: EvaluationFacts) -> Section:
    """The labels of lowest quality."""
    text = (
        "These labels have the lowest F1, the balance of two shares: how many of the documents with the label are found, "
        "and how many of the suggestions of the label are true. More training documents, or a clearer distinction from "
        "similar labels, help most here."
    )
    return Section("Weakest labels", text, [_weak_grid(model, len(facts.models) > 1) for model in facts.models])


def _weak_grid(model: ModelFacts, several: bool) -> Grid:
    weak = model.weak
    title = f"Lowest F1 of the {weak.considered:,} labels with at least {weak.fewest} test documents"
    header = ("label", "training documents", "test documents", "suggested", "of these true", "F1")
    return Grid(f"{model.name}: {title}" if several else title, header, tuple(map(_weak_row, weak.records)))


def _weak_row(record: LabelRecord) -> tuple[str, ...]:
    known = "–" if record.training is None else f"{record.training:,}"
    return (
        record.name,
        known,
        f"{record.true:,}",
        f"{record.suggested:,}",
        f"{record.right:,}",
        percent_text(record.f1),
    )


def confusion_section(facts: EvaluationFacts) -> Section:
    """Labels that are suggested in place of others."""
    siblings = [model for model in facts.models if model.confusions.siblings]
    text = (
        "Documents that have the first label, for which the model suggests the second one instead, although it is not a "
        "true label. Such pairs are often near synonyms, or labels whose difference the documents do not show.\n\n"
    )
    if len(siblings) == len(facts.models):
        text += "Only siblings are compared: labels of the same smallest cluster of the label tree."
    elif siblings:
        names = ", ".join(model.name for model in siblings)
        text += f"For {names}, only siblings are compared: labels of the same smallest cluster of the label tree."
    else:
        text += "The model has no clusters of labels, so that all pairs are compared."
    parts = [_confusion_part(model, len(facts.models) > 1) for model in facts.models]
    return Section("Labels that are confused", text, parts)


def _confusion_part(model: ModelFacts, several: bool) -> Part:
    name = f"{model.name}: " if several else ""
    rows = tuple(
        (pair.missed, pair.instead, f"{pair.documents:,} of {pair.missing:,}") for pair in model.confusions.pairs
    )
    if not rows:
        return f"{name}No pair of labels is confused in more than one document."
    header = ("true label, not suggested", "suggested instead", "documents")
    return Grid(f"{name}Most frequent confusions; of all documents in which the true label is missed", header, rows)


def example_section(facts: EvaluationFacts) -> Section | None:
    """Documents with their suggestions."""
    examples = facts.examples
    if not examples.right and not examples.wrong:
        return None
    text = (
        f"Documents drawn at random from the tenth that {facts.models[0].name if len(facts.models) > 1 else 'the model'} "
        "predicts best, and from the tenth that it predicts worst. A tick marks a suggested label that is true, a cross "
        "one that is not. Missed labels are true labels that are not suggested."
    )
    if not any(one.reasons for one in (*examples.right, *examples.wrong)):
        text += " Reasons of the suggestions are not available for this model."
    groups = (("Predicted well", examples.right), ("Predicted badly", examples.wrong))
    probability = facts.models[0].calibrated
    parts = [_example_fragment(heading, found, facts) for heading, found in groups if found]
    note = "The number after a label is its probability." if probability else "The number after a label is its score."
    return Section("Example documents", f"{text}\n\n{note}", parts)


def _example_fragment(heading: str, examples: Sequence[Example], facts: EvaluationFacts) -> Fragment:
    several = len(facts.models) > 1
    calibrated = {model.name: model.calibrated for model in facts.models}

    def shown(answer: Answer, value: float) -> str:
        return percent_text(value) if calibrated[answer.model] else f"{value:.2g}"

    html = render("examples.html", heading=heading, examples=examples, several=several, shown=shown, Markup=Markup)
    blocks = [f"### {heading}"]
    for example in examples:
        blocks += [f"**Document {example.number}** ({example.n_true} true labels)"]
        blocks += [f"> {plain(example.text)}"] if example.text else []
        blocks.append("\n".join(_example_lines(example, several, shown)))
    return Fragment(html, "\n\n".join(blocks))


def _example_lines(example: Example, several: bool, shown: object) -> list[str]:
    lines = []
    for answer in example.answers:
        listed = [
            f"{'✓' if one.right else '✗'} {plain(one.name)} {shown(answer, one.value)}"  # type: ignore[operator]
            for one in answer.suggestions
        ]
        listed += [f"{answer.more} more"] if answer.more else []
        who = f"Suggested by {plain(answer.model)}" if several else "Suggested"
        lines.append(f"- {who}: {', '.join(listed) or 'nothing'}")
    missed = [plain(one.name) + ("" if one.known else " (not in the training data)") for one in example.missed]
    missed += [f"{example.more_missed} more"] if example.more_missed else []
    if missed:
        lines.append(f"- Missed: {', '.join(missed)}")
    lines += [f"- Why {plain(reason.label)}: {plain(reason.text)}" for reason in example.reasons]
    return lines
