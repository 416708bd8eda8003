"""``ramify predict``: documents in, ranked labels out, batch by batch as they stream by."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify.cli.answers import Format, answer_writer, format_of
from ramify.cli.options import DATA_PANEL, OUTPUT_PANEL, TextOptions, ThreadOptions
from ramify.errors import DataFileError, InputError, RamifyError
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.answering import Predictor
    from ramify.tagger import Tagger

HELP = """Predict the labels of documents.

Documents come from a file (as for train; labels are not needed) or, with -, from stdin as JSON lines like
{"id": 7, "text": "..."}, or with --plain as one text per line. A text with blanks that is no file is tagged itself.
Each document gives one line on stdout, best label first:

  {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}

or with --format csv or tsv one line per label: id (or number of the document), label, score. The extension of --out
gives the format of a file.

Examples:

  ramify predict model "a bill to regulate water pollution"
  ramify predict model new.jsonl.gz -k 5 --out tagged.csv
  echo "a bill to regulate water pollution" | ramify predict model - --plain
  ramify predict model new.csv --text title --format tsv --threshold 0.2
"""

DEFAULT_K = 5


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ThreadOptions, TextOptions):
    """The options of ``ramify predict``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    data: Annotated[Optional[str], Argument(metavar="DATA", help="File of documents, - for stdin, or a text.")] = None  # noqa: UP045
    ask: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="TEXT", help="Tag this text; may be repeated.", rich_help_panel=DATA_PANEL),
    ] = None
    k: Annotated[
        Optional[int],  # noqa: UP045
        Option("-k", metavar="N", help="Labels per document at most. (default: 5)"),
    ] = None
    threshold: Annotated[Optional[float], Option(metavar="X", help="Leave out labels with a lower score.")] = None  # noqa: UP045
    beam: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Nodes kept per level of the tree. (default: the model's)"),
    ] = None
    allow: Annotated[Optional[Path], Option(metavar="FILE", help="Choose from these labels only, one per line.")] = None  # noqa: UP045
    forbid: Annotated[Optional[Path], Option(metavar="FILE", help="Never predict these labels, one per line.")] = None  # noqa: UP045
    id: Annotated[
        str, Option(metavar="FIELD", help="Field of a document's identity, passed on.", rich_help_panel=DATA_PANEL)
    ] = "id"
    plain: Annotated[
        bool, Option("--plain", help="The data are plain text, one document per line.", rich_help_panel=DATA_PANEL)
    ] = False
    skip_bad: Annotated[
        bool,
        Option("--skip-bad", help="Skip lines that cannot be read, and report how many.", rich_help_panel=DATA_PANEL),
    ] = False
    batch: Annotated[int, Option(metavar="N", help="Documents predicted at a time; 1 answers each line at once.")] = (
        1024
    )
    out: Annotated[
        Optional[Path],  # noqa: UP045
        Option("--out", "-o", metavar="FILE", help="Write here instead of stdout.", rich_help_panel=OUTPUT_PANEL),
    ] = None
    format: Annotated[
        Optional[Format],  # noqa: UP045
        Option(
            help="Format of the result. (default: by the extension of --out, text for single texts, else jsonl)",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    quiet: Annotated[bool, Option("--quiet", "-q", help="No notes.", rich_help_panel=OUTPUT_PANEL)] = False

    def given_fields(self) -> dict[str, str]:
        """The fields that the command line names, that of the identity included."""
        return super().given_fields() | {"id": self.id}


def run(options: PredictOptions) -> None:
    """Predict batch by batch: memory does not grow with the data.

    Raises
    ------
    RamifyError
        Model, data or settings that are not what they must be.
    """
    from ramify.cli.output import note
    from ramify.data import refuse_same_file

    _check(options)
    source = Source.of(options)
    if options.out is not None:
        refuse_same_file(options.out, source.stream, options.allow, options.forbid)
    format_ = format_of(options.format, options.out, asked=bool(source.texts))
    predictor = _predictor(options)
    documents = source.documents(predictor.tagger, options)
    if source.name == "-" and sys.stdin.isatty():
        note("reading documents from the terminal, one per line; Ctrl-D ends", quiet=options.quiet)
    n_documents = n_bare = 0
    with answer_writer(format_, options.out, keys=predictor.tagger.label_keys_ is not None) as write:
        for batch in _batches(documents, options.batch):
            answers = predictor.answers(batch, n_documents)
            n_documents += len(answers)
            n_bare += sum(not answer.tags for answer in answers)
            write(answers)
    if n_bare:
        note(f"note: {n_bare:,} of {n_documents:,} documents got no label", quiet=options.quiet)
    if source.skipped.count:
        first = source.skipped.first
        note(f"note: {source.skipped.count:,} lines were skipped, the first as {first}", quiet=options.quiet)


def _check(options: PredictOptions) -> None:
    from ramify.checks import COUNT, THREADS, THRESHOLD

    COUNT.check("--batch", options.batch)
    THREADS.check("--threads", options.threads)
    for flag, rule, value in (("-k", COUNT, options.k), ("--threshold", THRESHOLD, options.threshold)):
        if value is not None:
            rule.check(flag, value)


@dataclass
class Skipped:
    """Lines that could not be read: how many, and the error of the first."""

    count: int = 0
    first: str = ""

    def add(self, error: DataFileError) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or str(error)


@dataclass(frozen=True)
class Source:
    """Where documents come from.

    Parameters
    ----------
    name : str or None
        A file, or "-" for stdin.
    texts : list of str
        Texts of the command line itself, in place of a file.
    skipped : Skipped
        Filled while ``documents`` are read.
    """

    name: str | None
    texts: list[str]
    skipped: Skipped = field(default_factory=Skipped)

    @classmethod
    def of(cls, options: PredictOptions) -> Source:
        """The source that the command line names.

        Raises
        ------
        InputError
            A file and texts at once; a word that is no file.
        """
        name, texts = options.data, list(options.ask or [])
        if name is not None and texts:
            raise InputError(f"DATA is {quoted(name)} and --ask is given, too: choose one")
        if name is None:
            return cls(None if texts else "-", texts)
        if name == "-" or options.plain or not _may_be_text(name):
            return cls(name, [])
        if len(name.split()) < 2:
            raise InputError(f"there is no file {name!r}: check the path, or add --ask {name!r} to tag it as a text")
        return cls(None, [name])

    @property
    def stream(self) -> Any:
        """What is read: the open stdin, a path, or None for texts of the command line."""
        if self.name == "-":
            return sys.stdin.buffer
        return None if self.name is None else Path(self.name)

    def documents(self, tagger: Tagger, options: PredictOptions) -> Iterator[tuple[Any, Any]]:
        """(identity, text or row of features) of each document.

        Raises
        ------
        InputError
            Texts for a model of features or the other way round.
        """
        from ramify.data import holds_texts, read_features, read_texts
        from ramify.data.streams import numbered_lines

        skip = self.skipped.add if options.skip_bad else None
        in_file = self.name not in (None, "-") and not options.plain
        has_features = in_file and not holds_texts(str(self.name))
        if has_features is tagger.takes_texts_:
            wanted = "texts" if tagger.takes_texts_ else "features (.txt or .npz)"
            given = "the command line" if self.name is None else self.name
            raise InputError(f"the model was trained on {wanted}, but {given} holds none: give such data")
        if self.name is None:
            return ((None, text) for text in self.texts)
        if has_features:
            return ((None, row) for row in read_features(self.name))
        if options.plain:
            return ((None, line.rstrip("\r\n")) for _, line in numbered_lines(self.stream, on_bad=skip))
        fields = options.fields(tagger.fields_)
        return ((one.id, one.text) for one in read_texts(self.stream, fields, on_bad=skip))


def _may_be_text(data: str) -> bool:
    """Whether an argument names no file, neither an existing one nor one of a known extension."""
    from ramify.data import holds_texts

    try:
        if Path(data).exists():
            return False
        holds_texts(data)
    except (OSError, ValueError, InputError):  # OSError: a name that is too long for a file
        return True
    return False


def _predictor(options: PredictOptions) -> Predictor:
    """Open the model and check all that can be checked before documents come."""
    from ramify.answering import Predictor, open_tagger

    tagger = open_tagger(options.model, threads=options.threads)
    if options.beam is not None:
        tagger.check_beam(options.beam)
    return Predictor(
        tagger=tagger,
        k=DEFAULT_K if options.k is None else options.k,
        threshold=options.threshold,
        beam=options.beam,
        threads=options.threads,
        allowed=_names(options.allow, tagger),
        forbidden=_names(options.forbid, tagger),
    )


def _batches(documents: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Batches of documents; those before a bad one are yielded before its error."""
    batch = []
    try:
        for document in documents:
            batch.append(document)
            if len(batch) == size:
                yield batch
                batch = []
    except RamifyError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _names(path: Path | None, tagger: Tagger) -> list[str] | None:
    from ramify.data.streams import numbered_lines

    if path is None:
        return None
    names = []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            tagger.label_ids([line.strip()])
        except InputError as error:
            raise DataFileError(str(error), path, number) from None
        names.append(line.strip())
    if not names:
        raise DataFileError("names no label: write one per line", path)
    return names
