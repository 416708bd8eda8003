"""``ramify inspect DATA``: the state of labelled data before training."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Optional

from typer import Option

from ramify.cli.options import OUTPUT_PANEL, FieldOptions

if TYPE_CHECKING:
    from ramify.cli.inspect import InspectOptions
    from ramify.health import DataHealth

HEALTH_PANEL = "Inspection of data"
OF_MODELS = ("label", "data", "ambiguous", "tree", "draw", "member")


@dataclass(frozen=True, kw_only=True)
class DataInspectionOptions(FieldOptions):
    """Options of ``ramify inspect`` for data."""

    test: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Test documents, compared with DATA.", rich_help_panel=HEALTH_PANEL),
    ] = None
    similarity: Annotated[
        Optional[float],  # noqa: UP045
        Option(
            metavar="X",
            help="Least Jaccard similarity of near duplicates, 0.5 to 1. (default: 0.8)",
            rich_help_panel=HEALTH_PANEL,
        ),
    ] = None
    report: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Also write a report, .html or .md.", rich_help_panel=OUTPUT_PANEL),
    ] = None


def is_data(path: Path) -> bool:
    """Whether an argument names data: a file, or a name with the extension of a data format."""
    from ramify.data import holds_texts
    from ramify.errors import DataFileError

    try:
        if path.is_dir():
            return False
        if path.is_file():
            return True
        holds_texts(path)
    except (DataFileError, OSError, ValueError):  # an unknown extension, or no valid path
        return False
    return True


def refuse_data_options(options: DataInspectionOptions) -> None:
    """Raise InputError for an option that a model does not have."""
    from ramify.errors import InputError

    for name in ("test", "similarity", "report"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} is given, but {options.model} is no data file: name a file of documents")  # type: ignore[attr-defined]


def run(options: InspectOptions) -> None:
    """Read the data, print their state and write the report.

    Raises
    ------
    RamifyError
        A file cannot be read or written, or an option is out of range or belongs to models.
    """
    from ramify.cli.output import note, show, show_json

    _check(options)
    with ExitStack() as stack:
        stream = None if options.report is None else _opened(options, options.report, stack)
        health = _inspected(options)
        if stream is not None and options.report is not None:
            health.page().write(stream, options.report)
    if options.report is not None:
        note(f"report in {options.report}")
    show_json(health.as_dict()) if options.json else show(str(health))


def _check(options: InspectOptions) -> None:
    from ramify.errors import InputError

    for name in OF_MODELS:
        if getattr(options, name) not in (None, False):
            raise InputError(f"--{name} is given, but {options.model} is a data file: name the directory of a model")


def _opened(options: InspectOptions, report: Path, stack: ExitStack) -> BinaryIO:
    from ramify.data import refuse_same_file
    from ramify.report.page import page_file

    refuse_same_file(report, str(options.model), options.test, options.names)
    return stack.enter_context(page_file(report))


def _inspected(options: InspectOptions) -> DataHealth:
    from ramify.checks import real_number
    from ramify.cli.stages import Stages
    from ramify.cli.train import note_long_rows
    from ramify.data import read
    from ramify.data.duplicates import LEAST_SIMILARITY, SIMILARITY
    from ramify.health import inspect_data

    similarity = SIMILARITY if options.similarity is None else options.similarity
    real_number("--similarity", similarity, LEAST_SIMILARITY, 1)
    sources = [str(options.model), *([] if options.test is None else [options.test])]
    with Stages() as stages:
        with stages.stage("read"):
            parts = [read(path, fields=options.fields()) for path in sources]
            stages.n_documents = sum(map(len, parts))
        for part in parts:
            note_long_rows(part, quiet=False)
        return inspect_data(
            *parts,
            similarity=similarity,
            top=options.top,
            sources=sources,
            flags=_flags(options),
            progress=stages,
        )


def _flags(options: InspectOptions) -> str:
    """The flags of the fields, as on the command line; without --names, so that files keep their identifiers."""
    given = {name: value for name, value in options.given_fields().items() if name != "names_path"}
    return " ".join(f"--{name} {shlex.quote(value)}" for name, value in given.items())
