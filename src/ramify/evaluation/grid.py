"""A small table of strings, as plain text or for the command line's rich output."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramify.wording import one_line

if TYPE_CHECKING:
    from rich.table import Table


FAMILIES = ("P", "nDCG", "PSP", "PSnDCG", "R", "Hit", "microF1", "macroF1", "Coverage")
"""The measures of rankings, in the order of tables."""

SET_MEASURES = ("P", "R", "F1", "exact", "microP", "microR", "microF1", "macroP", "macroR", "macroF1")
"""The measures of label sets, in the order of tables."""


@dataclass(frozen=True)
class Grid:
    """A titled table; the first column is left-aligned, the others are numbers.

    Parameters
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
        Rows with the length of the header.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        rows = [tuple(map(one_line, cells)) for cells in self.rows]
        widths = [max(len(cell) for cell in column) for column in zip(self.header, *rows, strict=True)]
        lines = [_line(cells, widths) for cells in (self.header, *rows)]
        return "\n".join([self.title, lines[0], "-" * sum(widths, 2 * (len(widths) - 1)), *lines[1:]])

    def rich(self) -> Table:
        """The table for ``rich.print``."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.title, title_justify="left")
        for place, name in enumerate(self.header):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for cells in self.rows:
            table.add_row(*(Text(one_line(cell)) for cell in cells))  # Text: square brackets are no markup here
        return table


def in_table_order(names: Iterable[str]) -> list[str]:
    """Names such as "tail/R@5": all labels first, then bucket by bucket; within these by measure and cut-off.

    Names without a cut-off are those of label sets.
    """
    groups: dict[str, int] = {"": 0}

    def place(name: str) -> tuple[int, int, int]:
        group, _, measure = name.rpartition("/")
        family, _, k = measure.partition("@")
        order = FAMILIES if k else SET_MEASURES
        return groups.setdefault(group, len(groups)), order.index(family), int(k or 0)

    return sorted(names, key=place)


def percent(value: float) -> str:
    """0.46891 → "46.89"; "-" where there is no value."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def percent_range(bounds: tuple[float, float]) -> str:
    """(0.4, 0.5) → "[40.00, 50.00]"."""
    return f"[{percent(bounds[0])}, {percent(bounds[1])}]"


def plain_number(value: float) -> float | None:
    """The value for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()
