"""A page as Markdown: headings, paragraphs and tables; a figure is its caption and the table of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ramify.evaluation.grid import Grid
from ramify.report.page import Figure, Fragment, Page, Part, Section, Tiles, numeric_columns
from ramify.wording import one_line

SPECIAL = re.compile(r"([\\`*_\[\]|#~])")
LIST = re.compile(r"^(\d*)([-+.)])(?= )")
"""Beginning of an entry of a list."""


def markdown(page: Page) -> str:
    """The Markdown of a page, which ends with a line break."""
    blocks = [f"# {plain(page.title)}"]
    blocks += [plain(paragraph) for paragraph in Section("", page.summary).paragraphs]
    if page.facts:
        blocks.append("\n".join(f"- {plain(name)}: {plain(value)}" for name, value in page.facts))
    for section in page.sections:
        blocks.append(f"## {plain(section.heading)}")
        blocks += [plain(paragraph) for paragraph in section.paragraphs]
        blocks += [block for part in section.parts for block in _blocks(part)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def plain(text: str) -> str:
    """Text in one line that Markdown shows as it is."""
    escaped = SPECIAL.sub(r"\\\1", " ".join(one_line(text).split()))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return LIST.sub(r"\1\\\2", escaped)


def table(grid: Grid) -> str:
    """A table with its title above it."""
    rule = "|" + "|".join(" ---: " if numeric else " --- " for numeric in numeric_columns(grid)) + "|"
    return "\n".join([f"**{plain(grid.title)}**", "", _row(grid.header), rule, *map(_row, grid.rows)])


def _blocks(part: Part) -> Iterator[str]:
    if isinstance(part, str):
        yield plain(part)
    elif isinstance(part, Grid):
        yield table(part)
    elif isinstance(part, Fragment):
        yield part.markdown.strip()
    elif isinstance(part, Tiles):
        yield "\n".join(
            f"- **{plain(value)}** {plain(name)}" + (f": {plain(text)}" if text else "")
            for value, name, text in part.tiles
        )
    elif isinstance(part, Figure):
        if part.heading:
            yield f"### {plain(part.heading)}"
        yield plain(part.caption)
        if part.data is not None:
            yield table(part.data)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(plain, cells)) + " |"
