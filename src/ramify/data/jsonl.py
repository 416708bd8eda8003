"""JSON lines: one object per line, ``{"text": "...", "labels": ["...", "..."]}``, other fields ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ramify.data.fields import Fields, missing_field
from ramify.data.labels import named_rows
from ramify.data.streams import OnBad, Source, name_of, numbered_lines, without_surrogates, writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

MOST_FIELDS = 1000


def read_rows(
    source: Source,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    on_bad: OnBad | None = None,
    seen: dict[str, None] | None = None,
) -> Iterator[tuple[int, list[Any]]]:
    """Yield per record its line number and the values of the named fields; blank lines are skipped.

    Unpaired surrogates, for example of truncated emoji, become U+FFFD.

    Parameters
    ----------
    source : Path or binary stream
        The file.
    required, optional : sequence of str
        Names of fields; None stands for an optional one that is missing.
    on_bad : callable, optional
        Called with the error of a bad line, which is left out. By default the error is raised.
    seen : dict, optional
        Receives the names of the fields of all records, 1,000 at most, as keys.

    Raises
    ------
    DataFileError
        A line that is not a JSON object, a required field that is missing.
    """
    decode = json.JSONDecoder().raw_decode
    for number, line in numbered_lines(source, on_bad):
        text = line.lstrip()
        if not text:
            continue
        try:
            record, end = decode(text)
            if end + 1 < len(line) or line[-1] != "\n":
                record = json.loads(line)  # objects to anything but white space after the object
            if record.__class__ is not dict:
                raise InputError(_no_object(record))
            values = [record[name] for name in required]
        except (ValueError, RecursionError, KeyError) as error:
            problem = DataFileError(_problem(error, line), name_of(source), number)
            if on_bad is None:
                raise problem from None
            on_bad(problem)
            continue
        for name in optional:
            values.append(record.get(name))
        if "\\u" in line and ("\\ud" in line or "\\uD" in line):
            values = [_without_surrogates(value) for value in values]
        if seen is not None and len(seen) < MOST_FIELDS:
            seen.update(dict.fromkeys(record))
        yield number, values


def write(dataset: Dataset, path: Path, fields: Fields) -> None:
    """Write ids (if there are any), texts and label names, one object per line."""
    names = fields.written(with_ids=dataset.ids is not None)
    encode = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
    ids = [None] * len(dataset) if dataset.ids is None else dataset.ids
    label_rows = named_rows(dataset.Y, dataset.label_names)
    with writing(path) as stream:
        for identity, text, labels in zip(ids, dataset.texts or (), label_rows, strict=True):
            record = dict(zip(names[-2:], (text, labels), strict=True))
            if identity is not None:
                record = {names[0]: identity, **record}
            stream.write(without_surrogates(encode(record)).encode() + b"\n")


def _plain(value: Any) -> Any:
    """An id of a kind that JSON lacks: NumPy's numbers as numbers, all else as a string."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _problem(error: Exception, line: str) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, KeyError):
        return missing_field(error.args[0], json.loads(line))
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
