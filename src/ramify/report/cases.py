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
from ramify.wording import counted


def weak_section(facts: EvaluationFacts) -> Section:
    """The labels of lowest quality."""
    text = (
        "F1 is the balance of two shares: how many documents with the label get it as a suggestion, and how many "
        "suggestions of the label are true. Labels that do not occur in a model's training data are left out. More "
        "training documents, or a clearer distinction from similar labels, usually help most."
    )
    return Section("Weakest labels", text, [_weak_part(model, facts) for model in facts.models])


def _weak_part(model: ModelFacts, facts: EvaluationFacts) -> Part:
    weak = model.weak
    if not weak.considered:
        return named("No label that occurs in the training data has a test document.", model, facts)
    least = f"with at least {counted(weak.fewest, 'test document')}"
    which = f"{weak.considered:,} labels {least}" if weak.considered > 1 else f"only label {least}"
    if not weak.records:
        each = "Each of the" if weak.considered > 1 else "The"
        return named(f"{each} {which} has an F1 of 100%.", model, facts)
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
        "The first label is true for the documents, but not suggested; the second one is suggested, but not true. A "
        "pair is listed if this happens at least as often as by chance: the last column is the number of documents "
        "over the number that is expected if both errors were independent. "
    )
    only = "pairs of siblings are shown: labels of the same smallest cluster of the label tree."
    alike = "Such pairs are often near synonyms, or labels whose difference the documents do not show."
    if len(siblings) == len(facts.models):
        text += f"Only {only} {alike}"
    elif siblings:
        text += f"For {' and '.join(model.name for model in siblings)}, only {only} {alike}"
    else:
        whose = "the model has" if len(facts.models) == 1 else "the models have"
        text += f"All pairs of labels are compared, because {whose} no clusters of labels."
    return Section("Labels that are confused", text, [_confusion_part(model, facts) for model in facts.models])


def _confusion_part(model: ModelFacts, facts: EvaluationFacts) -> Part:
    rows = tuple(
        (pair.missed, pair.instead, f"{pair.documents:,} of {pair.missing:,}", f"{pair.lift:,.1f}")
        for pair in model.confusions.pairs
    )
    if not rows:
        return named("No pair of labels is confused in more than one document.", model, facts)
    header = ("true, not suggested", "suggested, not true", "documents", "times chance")
    least = model.confusions.fewest
    title = f"Confusions in at least {least} documents (of the documents whose true label is not suggested)"
    return Grid(named(title, model, facts), header, rows)


def example_section(facts: EvaluationFacts) -> Section | None:
    """Documents with their suggestions."""
    examples, first = facts.examples, facts.models[0]
    if not examples.texts:
        return None
    name = first.name if len(facts.models) > 1 else "the model"
    text = (
        f"Documents drawn at random from the tenth with the best suggestions of {name}, and from the tenth with the "
        "worst. ✓ marks a suggested label that is true, ✗ one that is not. Missed labels are true, but not suggested. "
        f"{_value_text(facts)}"
    )
    if any(one.reasons for one in (*examples.right, *examples.wrong)):
        text += f"\n\n{_reason_text(name, first.calibrated)}"
    groups = (("Good suggestions", examples.right), ("Bad suggestions", examples.wrong))
    parts = [_example_fragment(heading, found, facts) for heading, found in groups if found]
    return Section("Example documents", text, parts)


def _value_text(facts: EvaluationFacts) -> str:
    """What the number after a suggested label is."""
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for model in facts.models:
        kinds[model.calibrated].append(model.name)
    if not kinds[True] or not kinds[False]:
        return f"The number after a label is its {'probability' if kinds[True] else 'score'}."
    probable, scored = (" and ".join(kinds[which]) for which in (True, False))
    return f"The number after a label is its probability for {probable}, and its score for {scored}."


def _reason_text(name: str, calibrated: bool) -> str:
    """The terms of an explanation in words."""
    text = (
        f"The reasons of {name} list the words that raise the score of a label (for) and those that lower it "
        "(against), with their contributions, and how the score is computed. Words are counted in the whole text, of "
        "which the beginning is shown. A feature is a word or a phrase as the model counts it; different forms of a "
        "word can be one feature, which is named by their common beginning, the stem. A linear classifier adds the "
        "contributions of the features to a constant, the bias. The sum is the margin, and a fixed function turns the "
        "margin into a score, which is higher for a higher margin."
    )
    if calibrated:
        text += (
            " The score is not a probability: calibration turns it into the probability that stands after the label, "
            "so that both numbers differ."
        )
    return text


def _example_fragment(heading: str, examples: Sequence[Example], facts: EvaluationFacts) -> Fragment:
    several = len(facts.models) > 1
    calibrated = {model.name: model.calibrated for model in facts.models}

    def shown(answer: Answer, value: float) -> str:
        return percent_text(value) if calibrated[answer.model] else f"{value:.2g}"

    html = render("examples.html", heading=heading, examples=examples, several=several, shown=shown, Markup=Markup)
    blocks = [f"### {heading}"]
    for example in examples:
        blocks += [f"**Document {example.number}** ({counted(example.n_true, 'true label')})"]
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
