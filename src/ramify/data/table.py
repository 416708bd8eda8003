"""CSV and TSV: a header line with the field names, then one document per row; labels in one cell, split at "|"."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ramify.data.fields import Fields, missing_field
from ramify.data.labels import DEFAULT_SEPARATOR, named_rows
from ramify.data.streams import Source, name_of, numbered_lines, without_surrogates, writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

FIELD_CHARACTERS = 1 << 26
"""Longest cell: whole books pass, a quote that is never closed does not fill the memory."""


def read_rows(
    source: Source, required: Sequence[str], optional: Sequence[str] = (), *, delimiter: str = ","
) -> Iterator[tuple[int, list[Any]]]:
    """Yield per row its (last) line number and the cells of the named columns; blank lines are skipped.

    Raises
    ------
    DataFileError
        No header, a required column that is missing or named twice, a row that does not parse or has another
        number of cells than the header, a NUL character, a cell beyond 67,108,864 characters.
    """
    name = name_of(source)
    rows = _rows(source, delimiter)
    header = next(rows, (1, []))[1]
    if not header:
        raise DataFileError("has no header: let its first line name the columns, as in text,labels", name)
    positions = _positions(header, required, optional, name)
    for number, row in rows:
        if len(row) != len(header):
            raise DataFileError(
                f"has {len(row)} cells, but the header names {len(header)}: quote cells that hold "
                f"{delimiter!r}, quotes or line breaks",
                name,
                number,
            )
        yield number, [None if position is None else row[position] for position in positions]


def write(dataset: Dataset, path: Path, fields: Fields, *, delimiter: str = ",") -> None:
    """Write texts and labels, quoted where needed.

    Raises
    ------
    InputError
        A label that holds the separator, or a NUL character.
    """
    separator = fields.separator or DEFAULT_SEPARATOR
    header = [fields.written_text, fields.labels]
    for name in dataset.label_names:
        if separator in name:
            raise InputError(f"the label {name!r} holds the separator {separator!r}: choose another separator")
    with writing(path) as stream:
        buffer = io.TextIOWrapper(stream, "utf-8", newline="")
        # "\r\n" makes every version of csv quote cells that hold either character
        writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(header)
        for row, (text, labels) in enumerate(zip(dataset.texts or (), named_rows(dataset), strict=True)):
            cells = [without_surrogates(cell) for cell in (text, separator.join(labels))]
            if "\0" in cells[0] or "\0" in cells[1]:
                raise InputError(f"row {row} holds a NUL character, which CSV cannot: write .jsonl instead")
            writer.writerow(cells)
        buffer.flush()
        buffer.detach()


def _rows(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_checked_lines(source), delimiter=delimiter, strict=True)
    name = name_of(source)
    while (row := _next_row(reader, name)) is not None:
        if row:
            yield reader.line_num, row


def _next_row(reader: Any, name: str) -> list[str] | None:
    limit = csv.field_size_limit(FIELD_CHARACTERS)  # process-wide, so it is put back after every row
    try:
        row: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise DataFileError(
            f"does not parse ({error}): check the quotes and line breaks", name, reader.line_num
        ) from None
    finally:
        csv.field_size_limit(limit)
    return row


def _checked_lines(source: Source) -> Iterator[str]:
    for number, line in numbered_lines(source):
        if "\0" in line:
            raise DataFileError("holds a NUL character: save the file as UTF-8 text", name_of(source), number)
        yield line


def _positions(header: list[str], required: Sequence[str], optional: Sequence[str], name: str) -> list[int | None]:
    names = [column.strip() for column in header]
    for column in (*required, *optional):
        if names.count(column) > 1:
            raise DataFileError(f"the header names {column!r} {names.count(column)} times: keep one", name, 1)
    for column in required:
        if column not in names:
            raise DataFileError(missing_field(column, names), name, 1)
    return [names.index(column) if column in names else None for column in (*required, *optional)]
