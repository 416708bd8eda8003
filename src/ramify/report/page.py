"""``Page``: a report of sections, as a self-contained HTML page, as an HTML fragment for notebooks, and as Markdown.

The page has no script and loads nothing. Its style follows the reader's preference for light or dark, and has rules for
narrow screens and for paper. All text is escaped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ramify.data.streams import writing
from ramify.errors import InputError
from ramify.evaluation.grid import Grid
from ramify.report.markup import Markup, escape, render, style
from ramify.wording import quoted

HTML, MARKDOWN = (".html", ".htm"), (".md", ".markdown")
NUMBER = re.compile(r"[-+−–<]?[\d.,]*\s?(%|[kMG]?B|bytes|s|ms|of [\d,]+|to [-+]?[\d.,]+)?(\s?[\[(].*[\])])?\s?\*?")
"""Cells that are aligned to the right."""


@dataclass(frozen=True)
class Tiles:
    """A row of key figures.

    Parameters
    ----------
    tiles : sequence of (str, str, str)
        Value, name, and one sentence of explanation, which may be empty.
    """

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Figure:
    """A chart with a caption and its numbers.

    Parameters
    ----------
    caption : str
        How to read the chart.
    chart : Markup
        See ``ramify.report.charts``.
    data : Grid, optional
        The numbers of the chart: a table that is opened below it, and that stands for it in Markdown.
    heading : str, default ""
        Written above the chart.
    """

    caption: str
    chart: Markup
    data: Grid | None = None
    heading: str = ""


@dataclass(frozen=True)
class Fragment:
    """Free content in both forms.

    Parameters
    ----------
    html : Markup
    markdown : str
    """

    html: Markup
    markdown: str


Part = str | Grid | Tiles | Figure | Fragment
"""Part of a section; a str is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    heading : str
        At most a few words; also its entry in the table of contents.
    text : str
        Explanation for readers who do not know the library; empty lines separate paragraphs.
    parts : sequence of Part
        Paragraphs, tables, figures, key figures and fragments, in order.
    """

    heading: str
    text: str
    parts: Sequence[Part] = ()

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of the explanation."""
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", self.text) if part.strip()]


@dataclass(frozen=True)
class Page:
    """A report.

    Parameters
    ----------
    title : str
    summary : str
        What the page is about; empty lines separate paragraphs.
    sections : sequence of Section
    facts : sequence of (str, str), optional
        Names and values above the sections, such as file, model and date.
    language : str, default "en"
        Language of the page.
    style : str, default ""
        CSS rules of fragments, after those of the page.
    """

    title: str
    summary: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = field(default=())
    language: str = "en"
    style: str = ""

    def html(self) -> str:
        """The complete page, a single file that loads nothing."""
        return str(render("page.html", page=self, style=self._style(), body=self.body()))

    def body(self) -> Markup:
        """The page without head and style."""
        return render("body.html", page=self, key=self._key(), blocks=_blocks, lead=Section("", self.summary))

    def _repr_html_(self) -> str:
        return str(render("notebook.html", style=self._style(), body=self.body()))

    def markdown(self) -> str:
        """The page as Markdown: figures are tables of their numbers."""
        from ramify.report.markdown import markdown

        return markdown(self)

    def write(self, stream: BinaryIO, path: Path) -> None:
        """Write the page to an open file, in the format of the extension of ``path``."""
        text = self.markdown() if _is_markdown(path) else self.html()
        stream.write(text.encode("utf-8", "replace"))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file, which is replaced on success only.

        Parameters
        ----------
        path : path-like
            ``.html`` for the page, ``.md`` for Markdown.

        Raises
        ------
        InputError
            Another extension.
        DataFileError
            The file cannot be written.
        """
        with page_file(path) as stream:
            self.write(stream, Path(path))

    def _style(self) -> Markup:
        return style() + Markup(self.style)

    def _key(self) -> str:
        """Prefix of the ids of this page, so that a notebook can show several pages."""
        content = repr((self.title, self.facts, [section.heading for section in self.sections]))
        return "r" + hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:8]


@contextmanager
def page_file(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """An open file for a page, which replaces the target at the end; opened before the work whose result it has.

    Raises
    ------
    InputError
        An extension other than ``.html`` and ``.md``.
    DataFileError
        A directory that is missing or read-only.
    """
    path = Path(path)
    if path.suffix.lower() not in (*HTML, *MARKDOWN):
        raise InputError(f"the report is {quoted(path.name)}, but must be a .html or .md file: change the extension")
    with writing(path) as stream:
        yield stream


def _is_markdown(path: Path) -> bool:
    return path.suffix.lower() in MARKDOWN


def _blocks(part: Part) -> Markup:
    """A part of a section as HTML."""
    if isinstance(part, str):
        return Markup("<p>{}</p>").format(escape(" ".join(part.split())))
    if isinstance(part, Grid):
        return table(part)
    if isinstance(part, Fragment):
        return part.html
    if isinstance(part, Tiles):
        return render("tiles.html", tiles=part.tiles)
    data = None if part.data is None else table(part.data)
    return render("figure.html", figure=part, data=data)


def table(grid: Grid) -> Markup:
    """A table of strings as HTML; columns of numbers are aligned to the right."""
    return render("table.html", grid=grid, numeric=numeric_columns(grid))


def numeric_columns(grid: Grid) -> list[bool]:
    """Which columns contain numbers only, which are aligned to the right; never the first one."""
    others = range(1, len(grid.header))
    return [False, *(all(NUMBER.fullmatch(cells[place]) for cells in grid.rows) for place in others)]
