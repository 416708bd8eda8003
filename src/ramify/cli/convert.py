"""``ramify convert``: conversion between data formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import DATA_PANEL, NewFieldOptions, delimiter_character

HELP = """Convert a data file to another format.

The extension determines the format: .jsonl, .csv, .tsv (also .gz) and .parquet contain texts; .txt and .npz contain
features. Texts cannot be converted to features or back. Ids, texts (or features) and labels are kept; a note lists the
other fields.

Examples:

  ramify convert books.csv books.jsonl.gz --text title,subtitle --labels subjects --separator ";"
  ramify convert train.txt.gz train.npz
  ramify convert train.jsonl half.jsonl --hide-labels 0.5 --seed 0
"""
TARGET_PANEL = "Target"
SHOWN_FIELDS = 12


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(NewFieldOptions):
    """Options of ``ramify convert``."""

    source: Annotated[str, Argument(metavar="SOURCE", help="File to read.")]
    target: Annotated[str, Argument(metavar="TARGET", help="File to write; it is created on success only.")]
    id: Annotated[str, Option(metavar="FIELD", help="Field of the document id.", rich_help_panel=DATA_PANEL)] = "id"
    target_id: Annotated[str, Option(metavar="FIELD", help="Field to write ids to.", rich_help_panel=TARGET_PANEL)] = (
        "id"
    )
    target_text: Annotated[
        str, Option(metavar="FIELD", help="Field to write the text to.", rich_help_panel=TARGET_PANEL)
    ] = "text"
    target_labels: Annotated[
        str, Option(metavar="FIELD", help="Field to write labels to.", rich_help_panel=TARGET_PANEL)
    ] = "labels"
    target_separator: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="TEXT", help="Separator of labels in one string. (default: |)", rich_help_panel=TARGET_PANEL),
    ] = None
    target_delimiter: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="CHAR",
            help='Character between cells. (default: "," in .csv, a tab in .tsv)',
            rich_help_panel=TARGET_PANEL,
        ),
    ] = None
    hide_labels: Annotated[
        Optional[float],  # noqa: UP045
        Option(metavar="SHARE", help="Leave out this share of each document's labels.", rich_help_panel=TARGET_PANEL),
    ] = None
    seed: Annotated[int, Option(help="Seed of --hide-labels.", rich_help_panel=TARGET_PANEL)] = 0


def run(options: ConvertOptions) -> None:
    """Convert the file; a note on stderr lists the fields that are dropped.

    Raises
    ------
    RamifyError
        A file cannot be read or written, both are the same file, one contains texts and the other features, or a share
        outside 0..1.
    """
    from ramify.checks import SEED
    from ramify.cli.output import note
    from ramify.data import Fields, convert, hide_labels
    from ramify.data.hidden import SHARE
    from ramify.wording import one_line

    target = Fields(
        id=options.target_id,
        text=options.target_text,
        labels=options.target_labels,
        separator=options.target_separator,
        delimiter=delimiter_character(options.target_delimiter),
    )
    fields = replace(options.fields(), id=options.id)
    share = replace(SHARE, optional=True).check("--hide-labels", options.hide_labels)
    seed = SEED.check("--seed", options.seed)
    change = None if share is None else partial(hide_labels, share=share, seed=seed)
    left_out = convert(options.source, options.target, fields=fields, target_fields=target, change=change)
    if left_out:
        more = f" and {len(left_out) - SHOWN_FIELDS:,} more" if len(left_out) > SHOWN_FIELDS else ""
        note(f"note: left out: {', '.join(one_line(name[:60]) for name in left_out[:SHOWN_FIELDS])}{more}")
