"""Options shared by several commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Option

from ramify.errors import InputError

if TYPE_CHECKING:
    from ramify.data import Fields
    from ramify.hub import Place
    from ramify.tagger import Tagger
    from ramify.values import Dataset

REMEMBERED = ("text", "labels", "separator")
"""Field names stored with a model, as defaults for other files."""

DATA_PANEL = "Data"
OUTPUT_PANEL = "Output"


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Options for the text field; the defaults are the field names of the model's training."""

    text: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(
            metavar="FIELD",
            help="Field of the text; several, as in title,abstract, are joined. (default: as in training, or text)",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    delimiter: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="CHAR",
            help='Character between cells of CSV files, as in ";" or tab. (default: detected)',
            rich_help_panel=DATA_PANEL,
        ),
    ] = None

    def given_fields(self) -> dict[str, Any]:
        """The fields given on the command line, by their names in ``Fields``."""
        given = {"text": self.text, "delimiter": delimiter_character(self.delimiter)}
        return {name: value for name, value in given.items() if value is not None}

    def fields(self, remembered: Mapping[str, str] = MappingProxyType({})) -> Fields:
        """The fields of a data file: those of the command line, else those of the model's training.

        Raises
        ------
        InputError
            An empty name, or a delimiter that is not one character.
        """
        from ramify.data import Fields

        kept = {name: remembered[name] for name in REMEMBERED if name in remembered}
        return Fields(**(kept | self.given_fields()))


@dataclass(frozen=True, kw_only=True)
class FieldOptions(TextOptions):
    """Options for the fields of text and labels."""

    labels: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FIELD",
            help="Field of the labels. (default: as in training, or labels)",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    separator: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(metavar="TEXT", help="Separator of labels in one string. (default: |)", rich_help_panel=DATA_PANEL),
    ] = None
    names: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FILE",
            help="Names: id and name, or one per line.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    group: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FIELD",
            help="Field of the document, if rows are joined.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None

    def given_fields(self) -> dict[str, Any]:
        """The fields given on the command line, by their names in ``Fields``."""
        given = {"labels": self.labels, "separator": self.separator, "names_path": self.names, "group": self.group}
        return super().given_fields() | {name: value for name, value in given.items() if value is not None}

    def read(self, path: str | Path, tagger: Tagger) -> Dataset:
        """Read a file of labelled data with the fields and the label names of a model's training.

        Label numbers in a file of features are columns of the model, if the model has no label identifiers.
        """
        from ramify.data import read

        names = None if tagger.takes_texts_ or tagger.label_keys_ is not None else tagger.label_names_
        if names is not None and all(name.isdecimal() for name in names):
            names = None
        return read(path, fields=self.fields(tagger.fields_), label_names=names)


@dataclass(frozen=True, kw_only=True)
class NewFieldOptions(FieldOptions):
    """Options for the fields of text and labels, for commands without a trained model."""

    text: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FIELD",
            help="Field of the text; several, as in title,abstract, are joined. (default: text)",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    labels: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FIELD", help="Field of the labels. (default: labels)", rich_help_panel=DATA_PANEL),
    ] = None
    vocabulary: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="FILE",
            help="SKOS, or .csv or .tsv as in Annif.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    label_language: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="CODE", help="Language of the names of the vocabulary.", rich_help_panel=DATA_PANEL),
    ] = None
    drop_unknown: Annotated[
        bool,
        Option("--drop-unknown", help="Leave out labels that the vocabulary lacks.", rich_help_panel=DATA_PANEL),
    ] = False

    def given_fields(self) -> dict[str, Any]:
        """The fields given on the command line, by their names in ``Fields``."""
        given = {"vocabulary_path": self.vocabulary, "language": self.label_language}
        return (
            super().given_fields()
            | {name: value for name, value in given.items() if value is not None}
            | ({"drop_unknown": True} if self.drop_unknown else {})
        )

    def fields(self, remembered: Mapping[str, str] = MappingProxyType({})) -> Fields:
        """The fields of a data file.

        Raises
        ------
        InputError
            As in ``TextOptions``; --label-language or --drop-unknown without --vocabulary, or --names with it.
        """
        if self.vocabulary is None and (self.label_language is not None or self.drop_unknown):
            flag = "--label-language" if self.label_language is not None else "--drop-unknown"
            raise InputError(f"{flag} is given without --vocabulary: add --vocabulary FILE, or leave it out")
        if self.vocabulary is not None and self.names is not None:
            raise InputError("--names and --vocabulary are both given: choose one, as both name the labels")
        return super().fields(remembered)


def delimiter_character(word: str | None) -> str | None:
    r"""The delimiter of a command line argument: a tab for ``tab`` or ``\t``, other characters unchanged."""
    return "\t" if word in ("tab", "\\t") else word


def checked_threads(value: Optional[int]) -> int | None:  # noqa: UP045 - typer evaluates it
    """The checked number of threads; InputError if it is out of range."""
    from ramify.checks import MAX_THREADS, whole_number

    return None if value is None else whole_number("--threads", value, 1, MAX_THREADS)


def checked_seed(value: Optional[int]) -> int | None:  # noqa: UP045
    """The checked seed; InputError if it is out of range."""
    from ramify.checks import SEED, whole_number

    return None if value is None else whole_number("--seed", value, SEED.low, int(SEED.high))


@dataclass(frozen=True, kw_only=True)
class ThreadOptions:
    """Option for the number of threads."""

    threads: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Number of threads. (default: every CPU)", callback=checked_threads),
    ] = None


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Options for the output."""

    json: Annotated[
        bool, Option("--json", help="Results as one JSON object on stdout.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress and no notes.", rich_help_panel=OUTPUT_PANEL)] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """Options for a repository of models on a hub."""

    revision: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="Branch, tag or commit. (default: the main branch)"),
    ] = None
    token_file: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="File with the access token. (default: HF_TOKEN, or hf auth login)"),
    ] = None

    def place(self, repository: str) -> Place:
        """The repository with revision and token.

        Raises
        ------
        MissingExtraError
            huggingface-hub is not installed.
        RamifyError
            A malformed id, or a token file that cannot be read.
        """
        from ramify.hub import Place

        return Place(repository, self.revision, None if self.token_file is None else _token(self.token_file))

    @property
    def shows_progress(self) -> bool:
        """Whether progress bars are shown: on terminals, unless the command is quiet."""
        return sys.stderr.isatty() and not getattr(self, "quiet", False)


def _token(path: Path) -> str:
    from ramify.errors import DataFileError

    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise DataFileError(f"cannot be read ({error.strerror or error}): check the path", path) from None
    except ValueError:
        raise DataFileError("is no text: give a file with an access token", path) from None
