"""``ramify predict``: documents in, ranked labels out, as they stream by."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify.cli.options import DATA_PANEL, OUTPUT_PANEL, TextOptions, ThreadOptions

if TYPE_CHECKING:
    from ramify.models import Tagger

HELP = """Predict the labels of documents.

Documents come from a file (as for train; labels are not needed) or, with -, from stdin as JSON lines like
{"id": 7, "text": "..."}, or with --plain as one text per line. Each gives one line on stdout, best label first:

  {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}

or with --format tsv one line per label: id (or number of the document), label, score.

Examples:

  ramify predict model new.jsonl.gz -k 5 --out tagged.jsonl
  echo "a bill to regulate water pollution" | ramify predict model - --plain
  ramify predict model new.csv --text title --format tsv --threshold 0.2
"""

DEFAULT_K = 5


class Format(str, Enum):
    """How predictions are written."""

    jsonl = "jsonl"
    tsv = "tsv"


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ThreadOptions, TextOptions):
    """What ``ramify predict`` is asked for."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    data: Annotated[str, Argument(metavar="DATA", help="File of documents, or - for stdin.")] = "-"
    k: Annotated[
        Optional[int],  # noqa: UP045
        Option("-k", metavar="N", help="Labels per document at most. (default: 5, or all that there are)"),
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
    plain: Annotated[bool, Option("--plain", help="The data are plain text, one document per line.")] = False
    batch: Annotated[int, Option(metavar="N", help="Documents predicted at a time; 1 answers each line at once.")] = (
        1024
    )
    out: Annotated[
        Optional[Path],  # noqa: UP045
        Option("--out", "-o", metavar="FILE", help="Write here instead of stdout.", rich_help_panel=OUTPUT_PANEL),
    ] = None
    format: Annotated[Format, Option(help="What to write.", rich_help_panel=OUTPUT_PANEL)] = Format.jsonl
    quiet: Annotated[bool, Option("--quiet", "-q", help="No notes.", rich_help_panel=OUTPUT_PANEL)] = False


def run(options: PredictOptions) -> None:
    """Predict batch by batch: memory does not grow with the data.

    Raises
    ------
    RamifyError
        Model, data or settings that are not what they must be.
    """
    from ramify.cli.output import note
    from ramify.errors import InputError

    if options.batch < 1:
        raise InputError(f"--batch is {options.batch}, but must be at least 1")
    predictor = Predictor.of(options)
    if options.data == "-" and sys.stdin.isatty():
        note("reading documents from the terminal, one per line; Ctrl-D ends", quiet=options.quiet)
    n_documents = n_bare = 0
    with _sink(options.out) as write:
        for batch in _batches(predictor.documents(), options.batch):
            for identity, tags in predictor.tags(batch):
                n_documents += 1
                n_bare += not tags
                for line in _FORMATS[options.format](identity, n_documents, tags):
                    write(line)
            if options.out is None:
                _flush()
    if n_bare:
        note(f"note: {n_bare:,} of {n_documents:,} documents got no label", quiet=options.quiet)


@dataclass(frozen=True)
class Predictor:
    """A loaded model with the wishes of the command line.

    Parameters
    ----------
    tagger : Tagger
        The model.
    options : PredictOptions
        The wishes.
    k : int
        Labels per document.
    allowed, forbidden : list of str, or None
        Label names.
    """

    tagger: Tagger
    options: PredictOptions
    k: int
    allowed: list[str] | None
    forbidden: list[str] | None

    @classmethod
    def of(cls, options: PredictOptions) -> Predictor:
        """Load the model and check all that can be checked before documents come."""
        from ramify.errors import InputError
        from ramify.kernels.check import thread_count
        from ramify.models.inspection import load_tagger
        from ramify.models.members import set_beam

        thread_count(options.threads)
        tagger = load_tagger(options.model)
        n_labels = len(tagger.label_names_)
        k = min(DEFAULT_K, n_labels) if options.k is None else options.k
        if not 1 <= k <= n_labels:
            raise InputError(f"-k is {k}, but must lie in 1..{n_labels}, the number of labels of the model")
        tagger.model_.set_params(threads=options.threads)
        if options.beam is not None:
            set_beam(tagger.model_, options.beam)
        vectorizer: Any = tagger.vectorizer_
        if hasattr(vectorizer, "threads"):
            vectorizer.set_params(threads=options.threads)
        return cls(tagger, options, k, _names(options.allow, tagger), _names(options.forbid, tagger))

    def documents(self) -> Iterator[tuple[Any, Any]]:
        """(identity, text or row of features)."""
        from ramify.data import Fields, holds_texts, read_features, read_texts
        from ramify.data.streams import numbered_lines
        from ramify.errors import InputError

        options = self.options
        source: Any = sys.stdin.buffer if options.data == "-" else Path(options.data)
        has_features = options.data != "-" and not options.plain and not holds_texts(options.data)
        if has_features is not (self.tagger.vectorizer_ is None):
            wanted = "features (.txt or .npz)" if self.tagger.vectorizer_ is None else "texts"
            raise InputError(f"the model was trained on {wanted}, but {options.data} holds none: give such data")
        if has_features:
            yield from ((None, row) for row in read_features(options.data))
        elif options.plain:
            yield from ((None, line.rstrip("\r\n")) for _, line in numbered_lines(source))
        else:
            fields = Fields(text=options.text, id=options.id)
            where = source if options.data == "-" else options.data
            yield from ((document.id, document.text) for document in read_texts(where, fields))

    def tags(self, batch: list[tuple[Any, Any]]) -> Iterator[tuple[Any, list[tuple[str, float]]]]:
        """(identity, labels) of each document."""
        texts: Any = [text for _, text in batch]
        if self.tagger.vectorizer_ is None:
            import scipy.sparse as sp

            texts = sp.vstack(texts, format="csr")
        found = self.tagger.tag(texts, self.k, allowed=self.allowed, forbidden=self.forbidden)
        least = self.options.threshold
        for (identity, _), tags in zip(batch, found, strict=True):
            yield identity, tags if least is None else [tag for tag in tags if tag[1] >= least]


def _batches(documents: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(documents)
    while batch := list(islice(source, size)):
        yield batch


def _names(path: Path | None, tagger: Tagger) -> list[str] | None:
    from ramify.data.streams import numbered_lines
    from ramify.errors import DataFileError, InputError

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


@contextmanager
def _sink(out: Path | None) -> Iterator[Callable[[str], None]]:
    """Where lines go: stdout, or a file that appears only when all is written."""
    from ramify.cli.output import show
    from ramify.data.streams import writing

    if out is None:
        yield show
        return
    with writing(out) as stream:

        def write(line: str) -> None:
            stream.write(line.encode("utf-8", "replace") + b"\n")

        yield write


def _flush() -> None:
    from ramify.cli.output import flush

    flush()


def _json_line(identity: Any, number: int, tags: list[tuple[str, float]]) -> list[str]:
    known = {} if identity is None else {"id": identity}
    labels = [{"label": name, "score": _rounded(score)} for name, score in tags]
    return [json.dumps({**known, "labels": labels}, ensure_ascii=False, default=str)]


def _tsv_lines(identity: Any, number: int, tags: list[tuple[str, float]]) -> list[str]:
    key = number if identity is None else identity
    return ["\t".join(map(_cell, (key, name, _rounded(score)))) for name, score in tags]


def _cell(value: Any) -> str:
    return " ".join(str(value).splitlines()).replace("\t", " ")


def _rounded(score: float) -> float:
    return float(f"{score:.6g}")  # a float32 knows no more


_FORMATS = {Format.jsonl: _json_line, Format.tsv: _tsv_lines}
