"""Escaped HTML and the templates of the report (extra ``report``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ramify.errors import MissingExtraError

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape
except ImportError:
    raise MissingExtraError("reports", "report") from None

FOLDER = Path(__file__).parent / "templates"

__all__ = ["Markup", "escape", "render", "style"]


def render(template: str, **values: Any) -> Markup:
    """A template of the folder ``templates``, with all values escaped except ``Markup``.

    Parameters
    ----------
    template : str
        File name, such as "body.html".
    **values
        The variables of the template; a missing one is an error.
    """
    return Markup(_environment().get_template(template).render(**values))


@cache
def style() -> Markup:
    """The style sheet of all reports."""
    return Markup((FOLDER / "style.css").read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
