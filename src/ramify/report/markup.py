"""Escaped HTML and the templates of the report (extra ``report``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ramify.errors import MissingExtraError
from ramify.wording import closed, shortened, without_controls

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from markupsafe import escape as _escape
except ImportError:
    raise MissingExtraError("reports", "report") from None

FOLDER = Path(__file__).parent / "templates"

LETTERS = 80
"""Maximum number of characters that are shown of a name."""
TOOLTIP = 400
"""Maximum number of characters of a tooltip, so that the page stays small for long names."""

__all__ = ["Markup", "escape", "name_html", "render", "style"]


def escape(text: str) -> Markup:
    """A text for HTML: escaped, without control characters, and with its isolates closed."""
    return _escape(without_controls(closed(text)))


def name_html(name: str, letters: int = LETTERS) -> Markup:
    """A name that is shortened, with a tooltip, and that does not change the order of the text beside it."""
    if len(name) <= letters and name.isascii():
        return escape(name)
    if len(name) <= letters:
        return Markup("<bdi>{}</bdi>").format(escape(name))
    title, shown = escape(shortened(name, TOOLTIP)), escape(shortened(name, letters))
    return Markup('<bdi title="{}">{}</bdi>').format(title, shown)


def render(template: str, **values: Any) -> Markup:
    """A template of the folder ``templates``, with all values escaped except ``Markup``; see ``escape``.

    Parameters
    ----------
    template : str
        File name, such as "body.html".
    **values
        The variables of the template; a missing one is an error.
    """
    return Markup(without_controls(_environment().get_template(template).render(**values)))


@cache
def style() -> Markup:
    """The style sheet of all reports."""
    return Markup((FOLDER / "style.css").read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=lambda value: closed(value) if type(value) is str else value,
    )
    environment.filters["name"] = name_html
    return environment
