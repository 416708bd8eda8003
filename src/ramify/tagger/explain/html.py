"""An explanation as a fragment of HTML: class names begin with "ramify-why" or "rw-", and there is no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from ramify.tagger.explain.explanation import Explanation, LabelExplanation, Term
from ramify.tagger.explain.plain import NOTHING, shown_terms
from ramify.tagger.explain.summary import Row, Section, label_section, signed
from ramify.wording import closed, one_line, shortened, without_controls

LETTERS = 200
"""Maximum number of characters that are shown of a name."""


@cache
def style_sheet() -> str:
    """The style sheet of the fragment."""
    return files("ramify.tagger.explain").joinpath("explanation.css").read_text("utf-8")


def explanation_html(explanation: Explanation, top: int, *, style: bool) -> str:
    """The fragment; see ``Explanation.to_html``."""
    sheet = f"<style>\n{style_sheet()}</style>\n" if style else ""
    labels = "".join(_label(one, explanation.text, top) for one in explanation.labels)
    return f'<div class="ramify-why">\n{sheet}{labels}</div>\n'


def _label(one: LabelExplanation, text: str | None, top: int) -> str:
    section = label_section(one, top)
    parts = [f'<h4>{_name(one.label)} <span class="rw-score">{_shown(section.equation)}</span></h4>']
    if text is not None:
        marked = "".join(_marked(piece, shade) for piece, shade in one.segments(text))
        parts.append(f'<div class="rw-text" dir="auto">{marked}</div>')
    terms = "".join(f"<dt>{name}</dt><dd>{_terms(found)}</dd>" for name, found in shown_terms(one, top))
    parts.append(f'<dl title="{_shown(one.unit)}">{terms}</dl>')
    parts += [line for inner in section.inner for line in _details(inner)]
    return "\n".join(parts) + "\n"


def _terms(terms: Sequence[Term]) -> str:
    return ", ".join(f"{_name(one_line(term.text))} {signed(term.strength)}" for term in terms) or NOTHING


def _marked(piece: str, shade: int) -> str:
    """A piece of the text, highlighted by its shade."""
    if shade == 0:
        return _shown(piece)
    kind = "for" if shade > 0 else "against"
    return f'<mark class="rw-{kind} rw-{abs(shade)}">{_shown(piece)}</mark>'


def _details(section: Section) -> Iterator[str]:
    """A section that can be opened, with the sections inside it."""
    title = f"{_name(section.title)}: {_shown(section.equation)}"
    if not section.rows and not section.inner:
        yield f"<div>{title}</div>"
        return
    yield f"<details><summary>{title}</summary>"
    if section.rows:
        yield f'<table class="rw-rows">{"".join(map(_row, section.rows))}</table>'
    for inner in section.inner:
        yield from _details(inner)
    yield "</details>"


def _row(row: Row) -> str:
    cells = (_name(row.name), signed(row.number), _name(row.note) if row.note else "")
    return '<tr><td>{}</td><td class="rw-number">{}</td><td>{}</td></tr>'.format(*cells)


def _shown(text: str) -> str:
    """A text escaped for HTML; lone surrogates and control characters, which HTML cannot hold, become "?"."""
    return escape(without_controls(closed(text)).encode("utf-8", "replace").decode("utf-8"), quote=True)


def _name(text: str) -> str:
    """A name, shortened, in an element that keeps its letters from changing the order of the numbers beside it."""
    shown = _shown(shortened(text, LETTERS))
    return shown if text.isascii() else f"<bdi>{shown}</bdi>"
