"""An explanation as plain text and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ramify.tagger.explain.explanation import STANDARD_ERRORS, Explanation, LabelExplanation, Term
from ramify.tagger.explain.summary import Section, label_section, number, signed
from ramify.wording import one_line

NOTHING = "none"
NEGLIGIBLE = 0.01
"""Terms below this share of the strongest one are not listed."""


def explanation_text(explanation: Explanation, top: int) -> str:
    """Plain text, one block per label."""
    lines = [] if explanation.text is None else [f"> {one_line(explanation.text)}"]
    for one in explanation.labels:
        lines += ["", *label_lines(one, top)]
    return "\n".join(lines).lstrip("\n")


def label_lines(one: LabelExplanation, top: int) -> list[str]:
    """The lines of one label."""
    section = label_section(one, top)
    lines = [f"{one_line(one.label)}: {section.equation}"]
    lines += [f"  {name}: {shown}" for name, shown in term_lines(one, top)]
    return lines + [line for inner in section.inner for line in _section_lines(inner, 1)]


def term_lines(one: LabelExplanation, top: int) -> Iterator[tuple[str, str]]:
    """("for" or "against", the terms with their strengths)."""
    uncertain = f"no word of {STANDARD_ERRORS} standard errors or more"
    for name, terms in shown_terms(one, top):
        yield name, ", ".join(map(_term, terms)) if terms else uncertain if one.n_uncertain else NOTHING


def shown_terms(one: LabelExplanation, top: int) -> Iterator[tuple[str, list[Term]]]:
    """("for" or "against", the terms), without those that are negligible beside the strongest."""
    least = NEGLIGIBLE * max((abs(term.strength) for term in one.terms), default=0.0)
    for name, terms in zip(("for", "against"), one.strongest(top), strict=True):
        yield name, [term for term in terms if abs(term.strength) >= least]


def _term(term: Term) -> str:
    return f"{one_line(term.text)} {signed(term.strength)}"


def _section_lines(section: Section, depth: int) -> Iterator[str]:
    blank = "  " * depth
    yield f"{blank}{one_line(section.title)}: {section.equation}"
    if section.rows:
        plain = [f"{one_line(row.name)} {signed(row.number)}" for row in section.rows if not row.note]
        yield from [f"{blank}  {', '.join(plain)}"] if plain else []
        noted = (row for row in section.rows if row.note)
        yield from (f"{blank}  {one_line(row.name)} {signed(row.number)} ({one_line(row.note)})" for row in noted)
    for inner in section.inner:
        yield from _section_lines(inner, depth + 1)


def explanation_markdown(explanation: Explanation, top: int) -> str:
    """Markdown, one heading per label."""
    blocks = []
    for one in explanation.labels:
        blocks.append(f"### {escaped(one.label)} ({number(one.score)})")
        if explanation.text is not None:
            blocks.append("> " + "".join(_marked(piece, shade) for piece, shade in one.segments(explanation.text)))
        blocks.append("\n".join(f"- {name}: {escaped(shown)}" for name, shown in term_lines(one, top)))
        section = label_section(one, top)
        blocks.append("\n".join(line for inner in section.inner for line in _bullets(inner, 0)))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _marked(piece: str, shade: int) -> str:
    """A piece of the text: bold for the label, struck through against it."""
    sign = "" if shade == 0 else "**" if shade > 0 else "~~"
    return f"{sign}{escaped(piece)}{sign}"


def _bullets(section: Section, depth: int) -> Iterator[str]:
    blank = "  " * depth
    yield f"{blank}- {escaped(section.title)}: {escaped(section.equation)}"
    for row in section.rows:
        note = f" ({escaped(row.note)})" if row.note else ""
        yield f"{blank}  - {escaped(row.name)} {signed(row.number)}{note}"
    for inner in section.inner:
        yield from _bullets(inner, depth + 1)


def escaped(text: str) -> str:
    """A text in one line with the characters of Markdown escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", one_line(text))
