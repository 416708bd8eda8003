"""Output of predictions as JSON lines, CSV, TSV, Parquet or readable text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.cli.why import record, text_lines
from ramify.errors import InputError
from ramify.wording import one_line

if TYPE_CHECKING:
    from ramify.answering import Answer


class Format(str, Enum):
    """Output format of predictions."""

    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"
    parquet = "parquet"
    text = "text"


Write = Callable[[Sequence["Answer"]], None]


def format_of(wanted: Format | None, out: Path | None, *, single_texts: bool) -> Format:
    """The output format: the argument, else by the extension of the file, else text for single texts, else JSON lines.

    Raises
    ------
    InputError
        An unknown extension; Parquet without a file, or in a .gz file.
    """
    from ramify.data.formats import extension_of

    if wanted is None and out is not None and (out.is_file() or not out.exists()):
        extension = extension_of(out).removeprefix(".")
        if extension not in (Format.jsonl, Format.csv, Format.tsv, Format.parquet):
            raise InputError(
                f"--out is {str(out)!r}, whose extension is not a known format: use .jsonl, .csv, .tsv or "
                ".parquet, or give --format"
            )
        wanted = Format(extension)
    if wanted is Format.parquet and (out is None or out.suffix.lower() == ".gz"):
        raise InputError("the format is parquet, which needs a file without .gz: give --out FILE.parquet")
    return wanted or (Format.text if single_texts else Format.jsonl)


def check_places(format_: Format, *, why: bool, proposals: bool) -> None:
    """Raise InputError for reasons or proposals in a format without a place for them."""
    for flag, is_given, what in (("why", why, "reasons"), ("proposals", proposals, "proposals")):
        if is_given and format_ not in (Format.text, Format.jsonl):
            raise InputError(
                f"--{flag} is given, but the format {format_.value} has no place for {what}: use text or jsonl"
            )


@contextmanager
def answer_writer(format_: Format, out: Path | None, *, keys: bool, top: int = 0) -> Iterator[Write]:
    """Context of a function that writes a batch of answers to stdout, or to a file that is created on success only.

    Parameters
    ----------
    format_ : Format
        Output format.
    out : Path or None
        Output file; None for stdout.
    keys : bool
        Whether the identifiers of the labels are written.
    top : int, default 0
        Maximum number of words for and against a label, for answers with reasons in JSON or text; 0 without reasons.
    """
    from ramify.cli.output import flush, show
    from ramify.data.streams import writing

    if format_ is Format.parquet and out is not None:
        with _parquet_writer(out, keys) as write:
            yield write
        return
    lines = _LINES[format_] if top == 0 else partial(_EXPLAINED[format_], top=top)
    header = _csv_line(_columns(keys)) if format_ is Format.csv else None
    if out is None:
        if header is not None:
            show(header)

        def print_answers(answers: Sequence[Answer]) -> None:
            for answer in answers:
                for line in lines(answer, keys):
                    show(line)
            flush()

        yield print_answers
        return
    with writing(out) as stream:
        if header is not None:
            stream.write(header.encode() + b"\n")
        yield lambda answers: stream.writelines(
            line.encode("utf-8", "replace") + b"\n" for answer in answers for line in lines(answer, keys)
        )


@contextmanager
def _parquet_writer(out: Path, keys: bool) -> Iterator[Write]:
    from ramify.data.parquet import import_pyarrow
    from ramify.data.streams import writing

    pyarrow = import_pyarrow()
    fields = [("label", pyarrow.string()), ("score", pyarrow.float64())] + ([("key", pyarrow.string())] if keys else [])
    tags = pyarrow.list_(pyarrow.struct(fields))
    schema = pyarrow.schema([("id", pyarrow.string()), ("labels", tags)])
    with writing(out) as stream, pyarrow.parquet.ParquetWriter(stream, schema) as writer:

        def write(answers: Sequence[Answer]) -> None:
            ids = [str(answer.identity) for answer in answers]
            rows = [_tag_records(answer, keys) for answer in answers]
            writer.write_batch(pyarrow.record_batch([pyarrow.array(ids), pyarrow.array(rows, tags)], schema=schema))

        yield write


def _json_lines(answer: Answer, keys: bool) -> list[str]:
    return [_json_line(answer, _probable_records(answer, keys))]


def _json_line(answer: Answer, labels: list[dict[str, Any]]) -> str:
    """One document: its id if it has one, its labels, and its proposals if these are requested."""
    known = {} if answer.id is None else {"id": answer.id}
    new = [{"label": name, "score": _rounded(score)} for name, score in answer.proposals or ()]
    proposed = {} if answer.proposals is None else {"proposals": new}
    return json.dumps({**known, "labels": labels, **proposed}, ensure_ascii=False, default=str)


def _probable_records(answer: Answer, keys: bool) -> list[dict[str, Any]]:
    """With the probabilities of a calibrated model."""
    return [
        record if tag.probability is None else record | {"probability": _rounded(tag.probability)}
        for record, tag in zip(_tag_records(answer, keys), answer.tags, strict=True)
    ]


def _tag_records(answer: Answer, keys: bool) -> list[dict[str, Any]]:
    return [
        {"label": tag.label, "score": _rounded(tag.score)} | ({"key": tag.key} if keys else {}) for tag in answer.tags
    ]


def _explained_json_lines(answer: Answer, keys: bool, top: int) -> list[str]:
    records = _probable_records(answer, keys)
    reasons = () if answer.why is None else answer.why.labels
    labels = [tag | {"why": record(one, top)} for tag, one in zip(records, reasons, strict=False)]
    return [_json_line(answer, labels)]


def _csv_lines(answer: Answer, keys: bool) -> list[str]:
    return [_csv_line(cells) for cells in _rows(answer, keys)]


def _tsv_lines(answer: Answer, keys: bool) -> list[str]:
    return ["\t".join(_without_breaks(cell) for cell in cells) for cells in _rows(answer, keys)]


def _columns(keys: bool) -> list[str]:
    return ["id", "label", "score"] + (["key"] if keys else [])


def _rows(answer: Answer, keys: bool) -> Iterator[list[Any]]:
    for tag in answer.tags:
        yield [answer.identity, tag.label, _rounded(tag.score)] + ([tag.key] if keys else [])


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # with "\n", line breaks in cells are not quoted
    return line.getvalue().removesuffix("\r\n")


def _text_lines(answer: Answer, keys: bool, top: int = 0) -> list[str]:
    lines = [f"> {one_line(str(answer.text))}"]
    reasons = [] if answer.why is None else [text_lines(one, answer.why.text, top) for one in answer.why.labels]
    for tag, more in zip_longest(answer.tags, reasons):
        lines.append(f"  {tag.score:8.3g}  {one_line(tag.label)}{f'  ({one_line(str(tag.key))})' if keys else ''}")
        lines += more or []
    lines += [] if answer.tags else ["  no label"]
    return lines if answer.proposals is None else lines + _proposal_lines(answer.proposals)


def _proposal_lines(proposals: Sequence[tuple[str, float]]) -> list[str]:
    """The lines below the labels, under a headline."""
    rows = [f"  {score:8.3g}  {one_line(name)}" for name, score in proposals]
    return ["  proposed new labels:", *rows] if rows else ["  no proposed new label"]


def _without_breaks(value: Any) -> str:
    return " ".join(str(value).splitlines()).replace("\t", " ")


def _rounded(score: float) -> float:
    return float(f"{score:.6g}")  # the precision of a float32


_EXPLAINED: dict[Format, Callable[..., list[str]]] = {Format.jsonl: _explained_json_lines, Format.text: _text_lines}

_LINES: dict[Format, Callable[[Answer, bool], list[str]]] = {
    Format.jsonl: _json_lines,
    Format.csv: _csv_lines,
    Format.tsv: _tsv_lines,
    Format.text: _text_lines,
}
