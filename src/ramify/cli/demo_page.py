"""The page that ``ramify demo`` prints: the contest, documents with their predictions, answers to queries.

On a terminal it is coloured, no wider than the terminal, and answers have bars. Elsewhere it is plain text, one line
per item however long.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ramify.wording import one_line

BAR = 20
"""Characters of the longest bar."""

UNLIMITED = 100_000
"""Width of a page that is not on a terminal."""

LONGEST_TEXT = 150

Tags = Sequence[tuple[str, float]]


def page(*parts: RenderableType) -> str:
    """Parts below each other, as stdout takes them: with colours only on a terminal that wants them."""
    on_terminal = sys.stdout.isatty()
    stream = io.StringIO()
    console = Console(
        file=stream,
        force_terminal=on_terminal,
        width=None if on_terminal else UNLIMITED,
        highlight=False,
        legacy_windows=False,
    )
    console.print(*parts, sep="\n")
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def heading(text: str) -> Text:
    """A line in bold."""
    return Text(text, style="bold")


def table(text: str) -> Text:
    """A table of text: its title is bold, its last row green."""
    title, *rows, last = text.splitlines()
    middle = "".join(f"{row}\n" for row in rows)
    return Text.assemble((f"{title}\n", "bold"), middle, (last, "bold green"), no_wrap=True)


def document(text: str, truth: Collection[str], tags: Tags) -> Table:
    """A test document, the functions that it calls, and those predicted: + right, - wrong."""
    words = one_line(" ".join(text.split()))
    predicted = Text(", ").join(
        Text(f"+{label}", style="green") if label in truth else Text(f"-{label}", style="dim") for label, _ in tags
    )
    rows = Table.grid(padding=(0, 1))
    rows.add_row("text", Text(words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 3] + "..."))
    rows.add_row("calls", Text(", ".join(sorted(truth))))
    rows.add_row("predicted", predicted)
    return rows


def answer(query: str, tags: Tags) -> tuple[RenderableType, ...]:
    """A query and its labels: on a terminal with bars, whose lengths are relative to the first label's score."""
    asked = Text.assemble(("ask> ", "dim"), (query, "bold")) if query else Text()
    if not tags:
        return asked, Text("  no word of this is known")
    rows = Table.grid(padding=(0, 2))
    best = max((score for _, score in tags), default=0.0)
    for rank, (label, score) in enumerate(tags):
        name = Text(one_line(label), style="" if rank else "bold green")
        bar = _bar(score / best) if best > 0 and _has_bars() else ""
        rows.add_row(f"  {score:5.3f}", name, Text(bar, style="cyan"))
    return asked, rows


def _has_bars() -> bool:
    return sys.stdout.isatty() and "utf" in (sys.stdout.encoding or "").lower()


def _bar(share: float) -> str:
    """At most `BAR` blocks; at least one where the share is above 0."""
    return "█" * max(round(BAR * share), int(share > 0))
