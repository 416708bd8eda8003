"""``ramify convert``: conversion between data formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import DATA_PANEL, NewFieldOptions, delimiter_character

if TYPE_CHECKING:
    from ramify.data import Fields
    from ramify.values import Dataset

HELP = """Convert a data file to another format.

The extension determines the format: .jsonl, .csv, .tsv (also .gz) and .parquet contain texts; .txt and .npz contain
features. Texts cannot be converted to features or back. Ids, texts (or features) and labels are kept; a note lists the
other fields. With --test the documents are split at random, and duplicates can be kept on one side.

Examples:

  ramify convert books.csv books.jsonl.gz --text title,subtitle --labels subjects --separator ";"
  ramify convert train.txt.gz train.npz
  ramify convert books.jsonl corpus.tsv.gz --vocabulary subjects.ttl --label-language en --annif
  ramify convert train.jsonl half.jsonl --hide-labels 0.5 --seed 0
  ramify convert all.jsonl train.jsonl --test test.jsonl --keep-together near-duplicates
"""
TARGET_PANEL = "Target"
SPLIT_PANEL = "Split"
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
    annif: Annotated[
        bool,
        Option(
            "--annif",
            help="Write a corpus of Annif (.tsv, .csv or .jsonl), with URIs.",
            rich_help_panel=TARGET_PANEL,
        ),
    ] = False
    hide_labels: Annotated[
        Optional[float],  # noqa: UP045
        Option(metavar="SHARE", help="Leave out this share of each document's labels.", rich_help_panel=TARGET_PANEL),
    ] = None
    seed: Annotated[int, Option(help="Seed of --hide-labels and --test.", rich_help_panel=TARGET_PANEL)] = 0
    test: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Write a random part of the documents to this file.", rich_help_panel=SPLIT_PANEL),
    ] = None
    test_size: Annotated[
        Optional[float],  # noqa: UP045
        Option(metavar="SHARE", help="Share of the documents in --test. (default: 0.2)", rich_help_panel=SPLIT_PANEL),
    ] = None
    keep_together: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="KIND",
            help="Keep duplicates or near-duplicates on one side of the split.",
            rich_help_panel=SPLIT_PANEL,
        ),
    ] = None
    similarity: Annotated[
        Optional[float],  # noqa: UP045
        Option(
            metavar="X",
            help="Least Jaccard similarity of near duplicates, 0.5 to 1. (default: 0.8)",
            rich_help_panel=SPLIT_PANEL,
        ),
    ] = None
    add: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Further documents to split, of the same format.", rich_help_panel=SPLIT_PANEL),
    ] = None


def run(options: ConvertOptions) -> None:
    """Convert the file; a note on stderr lists the fields that are dropped.

    Raises
    ------
    RamifyError
        A file cannot be read or written, both are the same file, one contains texts and the other features, or a share
        outside 0..1.
    """
    from ramify.cli.output import note, warnings_as_notes
    from ramify.data import Fields
    from ramify.wording import one_line

    target = Fields(
        id=options.target_id,
        text=options.target_text,
        labels=options.target_labels,
        separator=options.target_separator,
        delimiter=delimiter_character(options.target_delimiter),
        annif=options.annif,
    )
    fields = replace(options.fields(), id=options.id)
    with warnings_as_notes(quiet=False):
        left_out = _converted(options, fields, target) if options.test is None else _split(options, fields, target)
    if left_out:
        more = f" and {len(left_out) - SHOWN_FIELDS:,} more" if len(left_out) > SHOWN_FIELDS else ""
        note(f"note: left out: {', '.join(one_line(name[:60]) for name in left_out[:SHOWN_FIELDS])}{more}")


def _converted(options: ConvertOptions, fields: Fields, target: Fields) -> tuple[str, ...]:
    from ramify.checks import SEED
    from ramify.data import convert, hide_labels
    from ramify.data.hidden import SHARE
    from ramify.errors import InputError

    for name in ("test_size", "keep_together", "similarity", "add"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is given without --test: add --test FILE, or leave it out")
    share = replace(SHARE, optional=True).check("--hide-labels", options.hide_labels)
    seed = SEED.check("--seed", options.seed)
    change = None if share is None else partial(hide_labels, share=share, seed=seed)
    return convert(options.source, options.target, fields=fields, target_fields=target, change=change)


def _split(options: ConvertOptions, fields: Fields, target: Fields) -> tuple[str, ...]:
    from ramify.checks import SEED
    from ramify.cli.output import note
    from ramify.cli.stages import Stages
    from ramify.data import convert_split, duplicate_groups, split_grouped, split_random
    from ramify.errors import InputError

    if options.hide_labels is not None:
        raise InputError("--hide-labels and --test are both given: split first, then convert the training file")
    size = 0.2 if options.test_size is None else options.test_size
    if not 0 < size < 1:
        raise InputError(f"--test-size is {size}, but must be a share between 0 and 1")
    seed = SEED.check("--seed", options.seed)
    kind, similarity = _kept_together(options)
    sizes: list[int] = []

    def split(whole: Dataset) -> tuple[Dataset, Dataset]:
        with Stages() as stages:
            groups = None
            if kind is not None:
                groups = duplicate_groups(whole, kind, similarity=similarity, progress=stages)
        parts = split_random(whole, size, seed) if groups is None else split_grouped(whole, groups, size, seed)
        sizes.extend(map(len, parts))
        return parts

    sources = [options.source, *([] if options.add is None else [options.add])]
    assert options.test is not None
    left_out = convert_split(sources, options.target, options.test, split=split, fields=fields, target_fields=target)
    note(f"{sizes[0]:,} documents in {options.target}, {sizes[1]:,} in {options.test}")
    return left_out


def _kept_together(options: ConvertOptions) -> tuple[str | None, float]:
    """The kind of duplicates that a split keeps together, and the least similarity of near ones."""
    from ramify.checks import OneOf, real_number
    from ramify.data.duplicates import KINDS, LEAST_SIMILARITY, NEAR, SIMILARITY
    from ramify.errors import InputError

    kind = OneOf(KINDS, optional=True).check("--keep-together", options.keep_together)
    if options.similarity is None:
        return kind, SIMILARITY
    if kind != NEAR:
        raise InputError(f"--similarity is given without --keep-together {NEAR}: add it, or leave --similarity out")
    return kind, real_number("--similarity", options.similarity, LEAST_SIMILARITY, 1)
