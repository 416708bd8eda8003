"""``ramify convert``: one data format into another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import FieldOptions

HELP = """Convert a data file into another format.

Formats go by extension: .jsonl, .csv, .tsv (also .gz) and .parquet hold texts; .txt and .npz hold features. Between
texts and features there is no conversion.

Examples:

  ramify convert books.csv books.jsonl.gz --text title,subtitle --labels subjects --separator ";"
  ramify convert train.txt.gz train.npz
"""
TARGET_PANEL = "Target"


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(FieldOptions):
    """What ``ramify convert`` is asked for."""

    source: Annotated[str, Argument(metavar="SOURCE", help="File to read.")]
    target: Annotated[str, Argument(metavar="TARGET", help="File to write; it appears whole or not at all.")]
    target_text: Annotated[
        str, Option(metavar="FIELD", help="Field to write the text to.", rich_help_panel=TARGET_PANEL)
    ] = "text"
    target_labels: Annotated[
        str, Option(metavar="FIELD", help="Field to write labels to.", rich_help_panel=TARGET_PANEL)
    ] = "labels"
    target_separator: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="TEXT", help="What to separate labels by. (default: |)", rich_help_panel=TARGET_PANEL),
    ] = None


def run(options: ConvertOptions) -> None:
    """Read and write.

    Raises
    ------
    RamifyError
        Files that cannot be read or written, or between texts and features.
    """
    from ramify.data import Fields, convert

    target = Fields(text=options.target_text, labels=options.target_labels, separator=options.target_separator)
    convert(options.source, options.target, fields=options.fields(), target_fields=target)
