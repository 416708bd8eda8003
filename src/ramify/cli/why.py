"""Reasons in the output of ``ramify predict --why``: lines of readable text, highlighted on a terminal, and JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ramify.wording import one_line

if TYPE_CHECKING:
    from rich.text import Text

    from ramify.tagger.explain.explanation import LabelExplanation
    from ramify.tagger.explain.summary import Section

LONG, CONTEXT = 300, 40
"""Of a text with more characters, only highlighted words are shown, with this number of characters around them."""

INDENT = " " * 12

STYLES = {1: "green", 2: "green", 3: "bold green", 4: "bold white on green"}
STYLES |= {-1: "red", -2: "red", -3: "bold red", -4: "bold white on red"}
"""Style of each shade of a word."""


def text_lines(one: LabelExplanation, text: str | None, top: int) -> list[str]:
    """The lines below a label: strongest words, the score in numbers and, on a terminal, the highlighted text."""
    from ramify.tagger.explain.plain import term_lines
    from ramify.tagger.explain.summary import label_section

    section = label_section(one, top)
    lines = [f"{INDENT}{name}: {shown}" for name, shown in term_lines(one, top)]
    for inner in section.inner:
        lines += [f"{INDENT}{step}" for step in _steps(inner, votes=True)]
    return lines if text is None else lines + _highlighted(one, text)


def _steps(section: Section, depth: int = 0, *, votes: bool = False) -> Iterator[str]:
    """A step of the computation, and the steps inside it; steps further inside only down to votes, with these."""
    from ramify.tagger.explain.summary import signed

    blank = "  " * depth
    yield f"{blank}{one_line(section.title)}: {section.equation}"
    if votes:
        noted = (row for row in section.rows if row.note)
        yield from (f"{blank}  {one_line(row.name)} {signed(row.number)} ({one_line(row.note)})" for row in noted)
    for inner in section.inner:
        if depth == 0 or (votes and _has_votes(inner)):
            yield from _steps(inner, depth + 1, votes=votes)


def _has_votes(section: Section) -> bool:
    return any(row.note for row in section.rows) or any(map(_has_votes, section.inner))


def _highlighted(one: LabelExplanation, text: str) -> list[str]:
    """The text with highlighted words; empty where stdout is no terminal."""
    from rich.console import Console

    console = Console(file=sys.stdout, soft_wrap=True)
    if console.color_system is None:
        return []
    with console.capture() as capture:
        console.print(_styled(one.segments(text), len(text) > LONG), soft_wrap=True)
    return [f"{INDENT}{line}" for line in capture.get().splitlines()]


def _styled(segments: list[tuple[str, int]], long: bool) -> Text:
    from rich.text import Text

    styled = Text()
    for piece, shade in _excerpt(segments) if long else segments:
        styled.append(one_line(piece), STYLES.get(shade, ""))
    return styled


def _excerpt(segments: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The highlighted words of a long text, without the faintest, in their context."""
    plain = ""
    kept = [(piece, shade if abs(shade) > 1 else 0) for piece, shade in segments]
    first = True
    for piece, shade in [*kept, ("", 1)]:
        if shade == 0:
            plain += piece
            continue
        before = "" if first else plain[:CONTEXT]
        after = plain[-CONTEXT:] if piece else ""
        yield plain if len(plain) <= 2 * CONTEXT else f"{before} … {after}", 0
        yield piece, shade
        plain, first = "", False


def record(one: LabelExplanation, top: int) -> dict[str, Any]:
    """The reasons of a label for JSON, with strengths rounded to the precision of a float32."""
    from ramify.tagger.explain.summary import label_section, votes_of

    found = one.reasons_dict(top)
    for name in ("for", "against"):
        found[name] = list(map(_rounded, found[name]))
    steps = [step.strip() for inner in label_section(one, top).inner for step in _steps(inner)]
    votes = [_rounded(vote) for vote in votes_of(one.reason, one.names, top)]
    return found | ({"votes": votes} if votes else {}) | {"computation": steps}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers in the precision of a float32."""
    return {name: float(f"{one:.6g}") if isinstance(one, float) else one for name, one in values.items()}
