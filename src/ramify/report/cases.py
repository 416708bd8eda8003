"""Sections of the evaluation page on single labels and single documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ramify.evaluation.grid import Grid
from ramify.report.examples import Answer, Example
from ramify.report.facts import EvaluationFacts, ModelFacts
from ramify.report.labels import LabelRecord
from ramify.report.markdown import plain
from ramify.report.markup import Markup, render
from ramify.report.page import Fragment, Part, Section
from ramify.report.scales import percent_text
from ramify.report.words import named


def weak_section(facts: EvaluationFacts) -> Section:
    """The labels of lowest quality."""
    text = (
        "F1 is the balance of two shares: how many documents with the label get it as a suggestion, and how many "
        "suggestions of the label are true. Labels that do not occur in the training data are left out. More training "
        "documents, or a clearer distinction from similar labels, usually help most."
    )
    return Section("Weakest labels", text, [_weak_part(model, facts) for model in facts.models])


def _weak_part(model: ModelFacts, facts: EvaluationFacts) -> Part:
    weak = model.weak
    which = f"{weak.considered:,} labels with at least {weak.fewest} test document{'' if weak.fewest == 1 else 's'}"
    if not weak.records:
        return named(f"Each of the {which} has an F1 of 100%.", model, facts)
    header = ("label", "training documents", "test documents", "suggested", "true of these", "F1")
    return Grid(named(f"Lowest F1 of the {which}", model, facts), header, tuple(map(_weak_row, weak.records)))


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
        "The first label is true for the documents, but not suggested; the second one is suggested, but not true. Such "
        "pairs are often near synonyms, or labels whose difference the documents do not show. "
    )
    only = "pairs of siblings are shown: labels of the same smallest cluster of the label tree."
    if len(siblings) == len(facts.models):
        text += f"Only {only}"
    elif siblings:
        text += f"For {' and '.join(model.name for model in siblings)}, only {only}"
    else:
        text += "All pairs of labels are compared, because the model has no clusters of labels."
    return Section("Labels that are confused", text, [_confusion_part(model, facts) for model in facts.models])


def _confusion_part(model: ModelFacts, facts: EvaluationFacts) -> Part:
    rows = tuple(
        (pair.missed, pair.instead, f"{pair.documents:,} of {pair.missing:,}") for pair in model.confusions.pairs
    )
    if not rows:
        return named("No pair of labels is confused in more than one document.", model, facts)
    header = ("true, not suggested", "suggested, not true", "documents")
    return Grid(named("Most frequent confusions (of all documents without the true label)", model, facts), header, rows)


def example_section(facts: EvaluationFacts) -> Section | None:
    """Documents with their suggestions."""
    examples, first = facts.examples, facts.models[0]
    if not examples.right and not examples.wrong:
        return None
    name = first.name if len(facts.models) > 1 else "the model"
    value = "probability" if first.calibrated else "score"
    text = (
        f"Documents drawn at random from the tenth with the best suggestions of {name}, and from the tenth with the "
        "worst. ✓ marks a suggested label that is true, ✗ one that is not. Missed labels are true, but not suggested. "
        f"The number after a label is its {value}."
    )
    if any(one.reasons for one in (*examples.right, *examples.wrong)):
        text += (
            f" The reasons of {name} name the words that raise the score of a label (for) and those that lower it "
            "(against), and how the score is computed."
        )
    groups = (("Good suggestions", examples.right), ("Bad suggestions", examples.wrong))
    parts = [_example_fragment(heading, found, facts) for heading, found in groups if found]
    return Section("Example documents", text, parts)


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


def _example_lines(example: Example, several: bool, shown: Callable[[Answer, float], str]) -> list[str]:
    lines = []
    for answer in example.answers:
        listed = [
            f"{'✓' if one.right else '✗'} {plain(one.name)} {shown(answer, one.value)}" for one in answer.suggestions
        ]
        listed += [f"{answer.more} more"] if answer.more else []
        who = f"Suggested by {plain(answer.model)}" if several else "Suggested"
        lines.append(f"- {who}: {', '.join(listed) or 'nothing'}")
    missed = [plain(one.name) + ("" if one.known else " (not in the training data)") for one in example.missed]
    missed += [f"{example.more_missed} more"] if example.more_missed else []
    if missed:
        lines.append(f"- Missed: {', '.join(missed)}")
    lines += [f"- Why {plain(reason.label)}? {plain(reason.text)}" for reason in example.reasons]
    return lines
