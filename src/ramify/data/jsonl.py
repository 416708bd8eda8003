"""JSON lines: one object per line, ``{"text": "...", "labels": ["...", "..."]}``, other fields ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ramify.data.fields import Fields, missing_field
from ramify.data.labels import named_rows
from ramify.data.streams import Source, name_of, numbered_lines, without_surrogates, writing
from ramify.errors import DataFileError
from ramify.values import Dataset


def read_rows(source: Source, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
    """Yield per record its line number and the values of the named fields; blank lines are skipped.

    Halves of surrogate pairs, as cut emoji leave them, become U+FFFD.

    Raises
    ------
    DataFileError
        A line that is no JSON object, a required field that is missing.
    """
    decode = json.JSONDecoder().raw_decode
    for number, line in numbered_lines(source):
        try:
            record, end = decode(line.lstrip())
            if end + 1 < len(line):
                record = json.loads(line)  # objects to anything but white space after the object
        except (ValueError, RecursionError) as error:
            if not line.strip():
                continue
            raise DataFileError(_problem(error), name_of(source), number) from None
        if record.__class__ is not dict:
            raise DataFileError(_no_object(record), name_of(source), number)
        try:
            values = [record[name] for name in required]
        except KeyError as error:
            raise DataFileError(missing_field(error.args[0], record), name_of(source), number) from None
        if optional:
            values += [record.get(name) for name in optional]
        if "\\ud" in line or "\\uD" in line:
            values = [_without_surrogates(value) for value in values]
        yield number, values


def write(dataset: Dataset, path: Path, fields: Fields) -> None:
    """Write texts and label names, one object per line."""
    text_name = fields.written_text
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with writing(path) as stream:
        for text, labels in zip(dataset.texts or (), named_rows(dataset), strict=True):
            line = encode({text_name: text, fields.labels: labels})
            stream.write(without_surrogates(line).encode() + b"\n")


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON object ({error.msg} at column {error.colno}): each line must be one, as in " + EXAMPLE
    return f"is no JSON that can be read ({type(error).__name__}): each line must be one object, as in " + EXAMPLE


def _no_object(record: Any) -> str:
    return f"holds a JSON {JSON_KINDS.get(type(record), 'number')}, but each line must be one object, as in " + EXAMPLE


EXAMPLE = '{"text": "...", "labels": ["..."]}'
JSON_KINDS = {list: "list", str: "string", type(None): "null", bool: "boolean"}


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    return [_without_surrogates(one) for one in value] if isinstance(value, list) else value
