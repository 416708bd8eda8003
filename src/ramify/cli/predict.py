"""``ramify predict``: ranked labels for a stream of documents, in batches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify.cli.answers import Format, answer_writer, check_places, format_of
from ramify.cli.memory import bytes_of
from ramify.cli.options import DATA_PANEL, OUTPUT_PANEL, TextOptions, ThreadOptions
from ramify.errors import DataFileError, InputError, RamifyError
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.answering import Predictor
    from ramify.tagger import Tagger

HELP = """Predict the labels of documents.

Documents are read from a file (as for train; labels are not needed) or, with -, from stdin as JSON lines like
{"id": 7, "text": "..."}, or with --plain as one text per line. An argument with blanks that is not a file is used as
a text. For each document one line is written to stdout, best label first:

  {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}

or with --format csv or tsv one line per label: id (or number of the document), label, score. The extension of --out
determines the format of a file.

Examples:

  ramify predict model "a bill to regulate water pollution"
  ramify predict model new.jsonl.gz -k 5 --out tagged.csv
  echo "a bill to regulate water pollution" | ramify predict model - --plain
  ramify predict model new.csv --text title --format tsv --threshold 0.2
  ramify predict model new.jsonl --decide micro-f1
  ramify predict model "a bill to regulate water pollution" --why
  ramify predict xlgen-model new.jsonl --proposals
  ramify predict large-model new.jsonl --memory 4GB --batch 100000 --out tagged.jsonl
"""

DEFAULT_K = 5


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ThreadOptions, TextOptions):
    """Options of ``ramify predict``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    data: Annotated[Optional[str], Argument(metavar="DATA", help="File of documents, - for stdin, or a text.")] = None  # noqa: UP045
    ask: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="TEXT", help="Predict for this text; repeatable.", rich_help_panel=DATA_PANEL),
    ] = None
    k: Annotated[
        Optional[int],  # noqa: UP045
        Option("-k", metavar="N", help="Maximum number of labels per document. (default: 5)"),
    ] = None
    decide: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="RULE", help="Predict label sets by a rule, with probabilities (needs ramify calibrate)."),
    ] = None
    threshold: Annotated[Optional[float], Option(metavar="X", help="Least score of labels and proposals.")] = None  # noqa: UP045
    beam: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Nodes kept per level of the tree. (default: the model's)"),
    ] = None
    why: Annotated[bool, Option("--why", help="Show the words for and against each label.")] = False
    top: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Maximum number of words for and against, with --why. (default: 5)"),
    ] = None
    occlude: Annotated[bool, Option("--occlude", help="Leave out each word to explain dense features, with --why.")] = (
        False
    )
    proposals: Annotated[
        bool, Option("--proposals", help="Add names of new labels, written by a generating model (xlgen).")
    ] = False
    allow: Annotated[Optional[Path], Option(metavar="FILE", help="Predict only these labels, one per line.")] = None  # noqa: UP045
    forbid: Annotated[Optional[Path], Option(metavar="FILE", help="Never predict these labels, one per line.")] = None  # noqa: UP045
    id: Annotated[
        str, Option(metavar="FIELD", help="Field of the document id, copied to the output.", rich_help_panel=DATA_PANEL)
    ] = "id"
    plain: Annotated[
        bool, Option("--plain", help="The data are plain text, one document per line.", rich_help_panel=DATA_PANEL)
    ] = False
    skip_bad: Annotated[
        bool,
        Option(
            "--skip-bad", help="Skip lines that cannot be read, and report their number.", rich_help_panel=DATA_PANEL
        ),
    ] = False
    batch: Annotated[
        int, Option(metavar="N", help="Documents per batch; with 1, each line is answered immediately.")
    ] = 1024
    memory: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="SIZE", help="Limit of memory, such as 4GB: the weights are read in parts."),
    ] = None
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
    answer: Annotated[
        str,
        Option(metavar="KIND", help="Labels as name, uri or notation of the vocabulary.", rich_help_panel=OUTPUT_PANEL),
    ] = "name"
    label_language: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="CODE",
            help="Language of names. (default: that of training)",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    quiet: Annotated[bool, Option("--quiet", "-q", help="No notes.", rich_help_panel=OUTPUT_PANEL)] = False

    def given_fields(self) -> dict[str, Any]:
        """The fields given on the command line, including the field of the id."""
        return super().given_fields() | {"id": self.id}


def run(options: PredictOptions) -> None:
    """Predict in batches; memory does not grow with the number of documents, but with that of different proposals.

    Raises
    ------
    RamifyError
        An invalid model, data or settings.
    """
    from ramify.cli.output import note
    from ramify.cli.proposals import Proposed
    from ramify.data import refuse_same_file

    _check(options)
    source = Source.of(options)
    if options.out is not None:
        refuse_same_file(options.out, source.stream, options.allow, options.forbid)
    format_ = format_of(options.format, options.out, single_texts=bool(source.texts))
    check_places(format_, why=options.why, proposals=options.proposals)
    predictor = _predictor(options, probabilities=format_ is Format.jsonl)
    documents = source.documents(predictor.tagger, options)
    if source.name == "-" and sys.stdin.isatty():
        form = "one text per line" if options.plain else 'lines such as {"text": "..."} (--plain: one text per line)'
        note(f"reading documents from the terminal, {form}; Ctrl-D ends the input", quiet=options.quiet)
    n_documents = n_bare = 0
    proposed = Proposed()
    top = 0 if not options.why else options.top or DEFAULT_K
    keys = predictor.tagger.label_keys_ is not None and options.answer != "uri"
    with answer_writer(format_, options.out, keys=keys, top=top) as write:
        for batch in _batches(documents, options.batch):
            answers = predictor.answers(batch, n_documents)
            n_documents += len(answers)
            n_bare += sum(not answer.tags for answer in answers)
            proposed.add(answers)
            write(answers)
    if n_bare:
        note(f"note: {n_bare:,} of {n_documents:,} documents have no predicted label", quiet=options.quiet)
    if options.proposals:
        note(proposed.summary(n_documents), quiet=options.quiet)
    if source.skipped.count:
        first = source.skipped.first
        note(f"note: lines skipped: {source.skipped.count:,}; the first: {first}", quiet=options.quiet)


def _check(options: PredictOptions) -> None:
    from ramify.checks import COUNT, THREADS, THRESHOLD

    COUNT.check("--batch", options.batch)
    THREADS.check("--threads", options.threads)
    numbers = (("-k", COUNT, options.k), ("--threshold", THRESHOLD, options.threshold), ("--top", COUNT, options.top))
    for flag, rule, value in numbers:
        if value is not None:
            rule.check(flag, value)
    if not options.why and (options.top is not None or options.occlude):
        raise InputError(
            f"--{'occlude' if options.occlude else 'top'} is given without --why: add --why, or leave it out"
        )
    if options.proposals and options.allow is not None:
        raise InputError(
            "--allow and --proposals are given, but a proposal is never one of the allowed labels: leave one out"
        )
    if options.decide is not None:
        from ramify.answering import refuse_beside_rule

        flags = {"-k": options.k} | {
            f"--{one}": getattr(options, one) for one in ("threshold", "beam", "allow", "forbid")
        }
        refuse_beside_rule("--decide", flags)


@dataclass
class Skipped:
    """Number of lines that could not be read, and the error of the first."""

    count: int = 0
    first: str = ""

    def add(self, error: DataFileError) -> None:
        """Count a skipped line."""
        self.count += 1
        self.first = self.first or str(error)


@dataclass(frozen=True)
class Source:
    """Source of the documents.

    Parameters
    ----------
    name : str or None
        A file, or "-" for stdin.
    texts : list of str
        Texts given on the command line, instead of a file.
    skipped : Skipped
        Updated while ``documents`` are read.
    """

    name: str | None
    texts: list[str]
    skipped: Skipped = field(default_factory=Skipped)

    @classmethod
    def of(cls, options: PredictOptions) -> Source:
        """The source given on the command line.

        Raises
        ------
        InputError
            Both a file and texts are given, or a single word that is not a file.
        """
        name, texts = options.data, list(options.ask or [])
        if name is not None and texts:
            raise InputError(f"DATA is {quoted(name)} and --ask is given: choose one")
        if name is None:
            return cls(None if texts else "-", texts)
        if not name:
            raise InputError("DATA is an empty string: name a file, or add --ask '' to tag an empty text")
        if name == "-" or options.plain or not _may_be_text(name):
            return cls(name, [])
        if len(name.split()) < 2:
            raise InputError(
                f"there is no file {name!r}: check the path, or use --ask {name!r} to predict for it as a text"
            )
        return cls(None, [name])

    @property
    def stream(self) -> Any:
        """The open stdin, a path, or None for texts of the command line."""
        if self.name == "-":
            return sys.stdin.buffer
        return None if self.name is None else Path(self.name)

    def documents(self, tagger: Tagger, options: PredictOptions) -> Iterator[tuple[Any, Any]]:
        """(identity, text or row of features) of each document.

        Raises
        ------
        InputError
            Texts for a model of features, or the reverse.
        """
        from ramify.data import holds_texts, read_features, read_texts
        from ramify.data.streams import numbered_lines

        skip = self.skipped.add if options.skip_bad else None
        in_file = self.name not in (None, "-") and not options.plain
        has_features = in_file and not holds_texts(str(self.name))
        if has_features is tagger.takes_texts_:
            wanted = "texts" if tagger.takes_texts_ else "features (.txt or .npz)"
            given = "the command line" if self.name is None else self.name
            raise InputError(f"the model was trained on {wanted}, but {given} contains none: give such data")
        if self.name is None:
            return ((None, text) for text in self.texts)
        if has_features:
            return ((None, row) for row in read_features(self.name))
        if options.plain:
            return ((None, line.rstrip("\r\n")) for _, line in numbered_lines(self.stream, on_bad=skip))
        fields = options.fields(tagger.fields_)
        documents = ((one.id, one.text) for one in read_texts(self.stream, fields, on_bad=skip))
        return _with_remedy(documents) if self.name == "-" else documents


def _with_remedy(documents: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The documents of stdin; the error of a line that is not a JSON object names --plain."""
    try:
        yield from documents
    except DataFileError as error:
        if "JSON" not in str(error):
            raise
        raise InputError(f"{error}, or add --plain to read one text per line") from None


def _may_be_text(data: str) -> bool:
    """Whether an argument can be a text: it is not an existing file and has no known extension."""
    from ramify.data import holds_texts

    try:
        if Path(data).exists():
            return False
        holds_texts(data)
    except (OSError, ValueError, InputError):  # OSError: the name is too long for a file
        return True
    return False


def _predictor(options: PredictOptions, *, probabilities: bool) -> Predictor:
    """Load the model and check the options before documents are read."""
    from ramify.answering import Predictor, open_tagger
    from ramify.tagger.proposing import proposals_method

    limit = None if options.memory is None else bytes_of(options.memory)
    tagger = open_tagger(options.model, threads=options.threads)
    if limit is not None:
        _divide(tagger, limit, options)
    if options.beam is not None:
        tagger.check_beam(options.beam)
    if options.decide is not None:
        tagger.decisions_or_error().rule(options.decide)
    if options.proposals:
        proposals_method(tagger.model_)
    tagger.answers(options.answer, options.label_language)  # refused before the documents are read
    return Predictor(
        tagger=tagger,
        k=DEFAULT_K if options.k is None else options.k,
        threshold=options.threshold,
        beam=options.beam,
        threads=options.threads,
        allowed=_names(options.allow, tagger),
        forbidden=_names(options.forbid, tagger),
        rule=options.decide,
        why=options.why,
        occlusion=True if options.occlude else None,
        probabilities=probabilities,
        proposals=options.proposals,
        answer=options.answer,
        language=options.label_language,
    )


def _divide(tagger: Tagger, limit: int, options: PredictOptions) -> None:
    """Read the leaves of the model in parts, if its weights would exceed the limit of ``--memory``."""
    from ramify.cli.output import note
    from ramify.cli.training_report import directory_bytes
    from ramify.scale.divided import batch_bytes, divide

    documents = min(options.batch, len(Source.of(options).texts) or options.batch)
    k = min(options.k or DEFAULT_K, len(tagger.label_names_))
    batch = batch_bytes(documents, k, why=options.why)
    parts = divide(tagger.model_, limit, batch=batch, stored=directory_bytes(options.model))
    if parts > 1:
        sentence = f"the weights are read in {parts:,} parts for each batch; a larger --batch reads them less often"
        note(sentence, quiet=options.quiet)


def _batches(documents: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Batches of documents; documents before an invalid one are yielded before its error is raised."""
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
        raise DataFileError("contains no label: write one label per line", path)
    return names
