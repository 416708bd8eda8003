"""mkdocs replaces ``<!-- catalogue: ROLE -->`` by the table of the classes with that role in ``ramify.catalogue``."""

import re

from ramify import catalogue

MARKER = re.compile(r"<!-- catalogue: (\w+) -->")


def table(role: str) -> str:
    """Names, classes, summaries and extras as a Markdown table."""
    rows = ["| Name | Class | | Needs |", "|---|---|---|---|"]
    for name, entry in catalogue.named(role).items():
        rows.append(f"| `{name}` | `{entry.name}` | {entry.summary} | {entry.extra or ''} |")
    return "\n".join(rows)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Called by mkdocs for each page."""
    return MARKER.sub(lambda marker: table(marker[1]), markdown)
