"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Option

if TYPE_CHECKING:
    from ramify.data import Fields

DATA_PANEL = "Data"
OUTPUT_PANEL = "Output"


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Where the text is."""

    text: Annotated[
        str,
        Option(
            metavar="FIELD",
            help="Field of the text; several, as in title,abstract, are joined.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = "text"


@dataclass(frozen=True, kw_only=True)
class FieldOptions(TextOptions):
    """Where text and labels are."""

    labels: Annotated[str, Option(metavar="FIELD", help="Field of the labels.", rich_help_panel=DATA_PANEL)] = "labels"
    separator: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(metavar="TEXT", help="What separates labels in one string. (default: |)", rich_help_panel=DATA_PANEL),
    ] = None
    names: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FILE",
            help="Names of the labels: a file with the fields id and name, or one name per line for label numbers.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    delimiter: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="CHAR",
            help='Character between the cells of CSV files, as in ";" or tab. (default: found by the header)',
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    group: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FIELD",
            help="For a row per document and label: field whose value the rows of one document share.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None

    def fields(self) -> Fields:
        """The same for the library."""
        from ramify.data import Fields

        return Fields(
            text=self.text,
            labels=self.labels,
            separator=self.separator,
            names_path=self.names,
            delimiter=delimiter_character(self.delimiter),
            group=self.group,
        )


def delimiter_character(word: str | None) -> str | None:
    r"""The character that ``tab`` or ``\t`` stands for on the command line; other characters stand for themselves."""
    return "\t" if word in ("tab", "\\t") else word


@dataclass(frozen=True, kw_only=True)
class ThreadOptions:
    """How much of the machine is used."""

    threads: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Threads. (default: every CPU)"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How results are shown."""

    json: Annotated[
        bool, Option("--json", help="Results as one JSON object on stdout.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress and no notes.", rich_help_panel=OUTPUT_PANEL)] = (
        False
    )
