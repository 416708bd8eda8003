"""CSV and TSV: a header line with the field names, then one document per row; labels in one cell, split at "|"."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ramify.data.cells import DEFAULT_SEPARATOR
from ramify.data.fields import Fields, missing_field
from ramify.data.labels import named_rows
from ramify.data.streams import OnBad, Source, name_of, numbered_lines, without_surrogates, writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset
from ramify.wording import quoted

FIELD_CHARACTERS = 1 << 26
"""Maximum characters of a cell, so that an unclosed quote does not fill the memory."""
RECORD_LINES = 1_000_000
"""Maximum lines of a record that are kept, so that reading can continue after an unclosed quote."""
DELIMITERS = (",", ";", "\t", "|")


def read_rows(
    source: Source,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    delimiter: str | None = None,
    default: str = ",",
    on_bad: OnBad | None = None,
    seen: dict[str, None] | None = None,
) -> Iterator[tuple[int, list[Any]]]:
    """Yield per row its (last) line number and the cells of the named columns; blank lines are skipped.

    Parameters
    ----------
    source : Path or binary stream
        The file.
    required, optional : sequence of str
        Names of columns; None stands for an optional one that is missing.
    delimiter : str, optional
        The character between cells. By default it is found by the header: ``default`` if that gives all required
        columns, else the only one of "," ";" tab "|" that does.
    default : str, default ","
        Tried first where no delimiter is given.
    on_bad : callable, optional
        Called with the error of a bad row, which is skipped; reading continues with the next line. By default the
        error is raised.
    seen : dict, optional
        Receives the names of all columns, as keys.

    Raises
    ------
    DataFileError
        No header, a required column that is missing or named twice, a row that does not parse or has another
        number of cells than the header, a NUL character, a cell beyond 67,108,864 characters.
    """
    name = name_of(source)
    lines = _Lines(source, on_bad)
    delimiters = [default, *(one for one in DELIMITERS if one != default)] if delimiter is None else [delimiter]
    header, delimiter = _header(lines, required, delimiters, name)
    positions = _positions(header, required, optional, name)
    if seen is not None:
        seen.update(dict.fromkeys(header))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while (row := _next_row(reader, lines, keep=on_bad is not None)) is not None:
        if len(row) == len(header):
            yield lines.number, [None if position is None else row[position] for position in positions]
        elif row:
            problem = (
                f"has {len(row)} cells, but the header names {len(header)}: quote cells that hold "
                f"{delimiter!r}, quotes or line breaks"
            )
            lines.report(DataFileError(problem, name, lines.number))


def write(dataset: Dataset, path: Path, fields: Fields, *, delimiter: str = ",") -> None:
    """Write ids (where there are any), texts and labels, quoted where needed.

    Raises
    ------
    InputError
        A label that holds the separator, or a NUL character.
    """
    separator = fields.separator or DEFAULT_SEPARATOR
    header = fields.written(with_ids=dataset.ids is not None)
    for name in dataset.label_names:
        if separator in name:
            raise InputError(
                f"the label {quoted(name)} holds the separator {quoted(separator)}: choose another separator"
            )
    columns = [dataset.texts or (), map(separator.join, named_rows(dataset.Y, dataset.label_names))]
    if dataset.ids is not None:
        columns.insert(0, ("" if one is None else str(one) for one in dataset.ids))
    with writing(path) as stream:
        buffer = io.TextIOWrapper(stream, "utf-8", newline="")
        # "\r\n" makes every version of csv quote cells that hold either character
        writer = csv.writer(buffer, delimiter=fields.delimiter or delimiter, lineterminator="\r\n")
        writer.writerow(header)
        for number, row in enumerate(zip(*columns, strict=True)):
            cells = [without_surrogates(cell) for cell in row]
            if any("\0" in cell for cell in cells):
                raise InputError(f"row {number} holds a NUL character, which CSV cannot: write .jsonl instead")
            writer.writerow(cells)
        buffer.flush()
        buffer.detach()


class _Lines:
    """The lines of a file for ``csv.reader``, which can be pushed back and parsed again.

    Parameters
    ----------
    source : Path or binary stream
        The file.
    on_bad : callable, optional
        Called with the error of a line that is not UTF-8 or holds a NUL character.
    """

    def __init__(self, source: Source, on_bad: OnBad | None) -> None:
        self.number = 0
        self._name = name_of(source)
        self._lines = numbered_lines(source, on_bad)
        self._on_bad = on_bad
        self._first = 1
        self._keep = False
        self._taken: list[tuple[int, str]] = []
        self._returned: deque[tuple[int, str]] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.number, line = self._returned.popleft() if self._returned else next(self._lines)
        while "\0" in line:
            self.report(DataFileError("holds a NUL character: save the file as UTF-8 text", self._name, self.number))
            self.number, line = self._returned.popleft() if self._returned else next(self._lines)
        if self._keep and len(self._taken) <= RECORD_LINES:
            self._taken.append((self.number, line))
        return line

    def begin(self, *, keep: bool) -> None:
        """Start a record; ``keep`` its lines, so that `give_back` can return them."""
        self._first, self._keep = self.number + 1, keep
        self._taken.clear()

    def give_back(self, start: int = 0) -> bool:
        """Return the record's lines from the ``start``-th on; False if it has more than were kept."""
        if len(self._taken) > RECORD_LINES:
            return False
        self._returned.extendleft(reversed(self._taken[start:]))
        self._taken.clear()
        return True

    def does_not_parse(self, error: csv.Error) -> DataFileError:
        """The error for the record that was begun last."""
        where = f" in the row that begins in line {self._first}" if self._first < self.number else ""
        problem = f"does not parse ({error}{where}): check the quotes and line breaks"
        return DataFileError(problem, self._name, self.number)

    def report(self, problem: DataFileError) -> None:
        """Raise the error of a bad record, or pass it on."""
        if self._on_bad is None:
            raise problem from None
        self._on_bad(problem)


def _next_row(reader: Any, lines: _Lines, *, keep: bool) -> list[str] | None:
    """The next row; [] for a blank or a bad one, None at the end."""
    lines.begin(keep=keep)
    try:
        return _parsed(reader)
    except csv.Error as error:
        lines.report(lines.does_not_parse(error))
        lines.give_back(1)
        return []


def _parsed(reader: Any) -> list[str] | None:
    limit = csv.field_size_limit(FIELD_CHARACTERS)  # process-wide, so it is restored after every row
    try:
        row: list[str] | None = next(reader, None)
    finally:
        csv.field_size_limit(limit)
    return row


def _header(lines: _Lines, required: Sequence[str], delimiters: Sequence[str], name: str) -> tuple[list[str], str]:
    """(names of the columns, delimiter): the first of the delimiters if it fits, else the only one that does."""
    found: dict[str, list[str] | DataFileError] = {}
    for delimiter in delimiters:
        if found and not lines.give_back():
            break
        found[delimiter] = header = _header_row(lines, delimiter)
        if delimiter == delimiters[0] and _fits(header, required):
            return _names(header), delimiter
    fitting = [delimiter for delimiter, header in found.items() if _fits(header, required)]
    if len(fitting) == 1 and lines.give_back():
        return _names(_header_row(lines, fitting[0])), fitting[0]
    best = max(found, key=lambda delimiter: len(set(required).intersection(_names(found[delimiter]))))
    header = found[best]
    if isinstance(header, DataFileError):
        raise header
    if not header:
        raise DataFileError("has no header: let its first line name the columns, as in text,labels", name)
    shown = {delimiter: _shown(delimiter) for delimiter in delimiters}
    if len(fitting) > 1:
        several = " and ".join(shown[delimiter] for delimiter in fitting)
        raise DataFileError(f"the header names all fields with the delimiters {several}: give the delimiter", name, 1)
    others = ", ".join(shown[delimiter] for delimiter in delimiters if delimiter != best)
    how = f" (delimiter {shown[best]}{'; also tried ' + others if others else ''})"
    missing = next(column for column in required if column not in _names(header))
    better = [one for one in DELIMITERS if missing in (part.strip() for part in best.join(header).split(one))]
    if len(delimiters) == 1 and len(better) == 1:
        remedy = f"give the delimiter {_shown(better[0])}"
        raise DataFileError(f"field {quoted(missing)} is missing with the delimiter {shown[best]}: {remedy}", name, 1)
    raise DataFileError(missing_field(missing, _names(header), how), name, 1)


def _shown(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else repr(delimiter)


def _header_row(lines: _Lines, delimiter: str) -> list[str] | DataFileError:
    """The first row that is not blank, [] if there is none, or why it does not parse."""
    lines.begin(keep=True)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        while (row := _parsed(reader)) == []:
            pass
    except csv.Error as error:
        return lines.does_not_parse(error)
    return row or []


def _names(header: list[str] | DataFileError) -> list[str]:
    return [] if isinstance(header, DataFileError) else [column.strip() for column in header]


def _fits(header: list[str] | DataFileError, required: Sequence[str]) -> bool:
    return bool(header) and set(required) <= set(_names(header))


def _positions(names: list[str], required: Sequence[str], optional: Sequence[str], file: str) -> list[int | None]:
    """The place of each column; the first one, where several have the name of an optional column."""
    for column in required:
        if names.count(column) > 1:
            raise DataFileError(f"the header names {quoted(column)} {names.count(column)} times: keep one", file, 1)
    return [names.index(column) if column in names else None for column in (*required, *optional)]
