"""An explanation as a fragment of HTML: class names begin with "ramify-why" or "rw-", and there is no script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files

from ramify.tagger.explain.explanation import Explanation, LabelExplanation
from ramify.tagger.explain.plain import term_lines
from ramify.tagger.explain.summary import Row, Section, label_section, signed


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
    parts = [f'<h4>{_shown(one.label)} <span class="rw-score">{_shown(section.equation)}</span></h4>']
    if text is not None:
        marked = "".join(_marked(piece, shade) for piece, shade in one.segments(text))
        parts.append(f'<div class="rw-text">{marked}</div>')
    terms = "".join(f"<dt>{name}</dt><dd>{_shown(shown)}</dd>" for name, shown in term_lines(one, top))
    parts.append(f'<dl title="{_shown(one.unit)}">{terms}</dl>')
    parts += [line for inner in section.inner for line in _details(inner)]
    return "\n".join(parts) + "\n"


def _marked(piece: str, shade: int) -> str:
    """A piece of the text, highlighted by its shade."""
    if shade == 0:
        return _shown(piece)
    kind = "for" if shade > 0 else "against"
    return f'<mark class="rw-{kind} rw-{abs(shade)}">{_shown(piece)}</mark>'


def _details(section: Section) -> Iterator[str]:
    """A section that can be opened, with the sections inside it."""
    title = f"{_shown(section.title)}: {_shown(section.equation)}"
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
    cells = (_shown(row.name), signed(row.number), _shown(row.note))
    return '<tr><td>{}</td><td class="rw-number">{}</td><td>{}</td></tr>'.format(*cells)


def _shown(text: str) -> str:
    """A text escaped for HTML; lone surrogates and control characters, which HTML cannot hold, become "?"."""
    plain = "".join(one if one.isprintable() or one in "\n\t" or ord(one) > LAST_CONTROL else "?" for one in text)
    return escape(plain.encode("utf-8", "replace").decode("utf-8"), quote=True)


LAST_CONTROL = 0x9F
"""Control characters have code points up to this one."""
