"""Corpora of Annif: found by their content, read as rows of fields, and written.

- ``.tsv`` without a header: a line is a text, a tab and URIs in angle brackets with blanks between them;
- ``.csv`` with the columns ``text`` and ``subject_uris``, and optionally ``document_id``;
- ``.jsonl`` with the fields ``text`` and ``subjects``, a list of ``{"uri": ...}`` or ``{"label": ...}``;
- a directory of ``.txt`` files; beside each, a ``.tsv`` file (``<uri>``, tab, name) or a ``.key`` file (names).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ramify.data import jsonl, table
from ramify.data.fields import Fields
from ramify.data.formats import FOLDER, RowReader
from ramify.data.labels import named_rows
from ramify.data.streams import OnBad, Source, name_of, numbered_lines, without_surrogates, writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset
from ramify.wording import quoted

URI = re.compile(r"<[^<>\s]+>|[A-Za-z][A-Za-z0-9+.-]*:[^<>\s]+")
URIS, SUBJECTS, IDENTITY = "subject_uris", "subjects", "document_id"
"""The subjects of CSV and of JSON lines, and the id of both."""
LOOKED_AT = 50
"""Lines of a TSV file by which a corpus is found."""


def corpus_reader(source: Source, extension: str, fields: Fields, **options: Any) -> RowReader | None:
    """The reader of the rows of a corpus; None for a file that is none, or whose fields are named otherwise.

    Parameters
    ----------
    source : Path or binary stream
        Nothing is read from streams and pipes; they are no corpora.
    extension : str
        As ``formats.locate`` gives it.
    fields : Fields
        A file with the columns of these names is no corpus.
    **options
        ``on_bad`` and ``seen``, as in ``formats.row_reader``.
    """
    if extension == FOLDER:
        return partial(_folder_rows, labels=fields.labels)
    if not isinstance(source, Path) or not source.is_file() or fields.group is not None or len(fields.text_names) > 1:
        return None
    with suppress(DataFileError):  # reading the file as a table names the problem
        if extension == ".tsv" and _holds_corpus(source):
            return partial(_tsv_rows, labels=fields.labels, on_bad=options.get("on_bad"))
        if extension in (".csv", ".jsonl"):
            reader: RowReader | None = _reader_of_names(source, extension, fields, **options)
            return reader
    return None


def _holds_corpus(path: Path) -> bool:
    found = [uris for uris in _first_subjects(path) if uris]
    return bool(found) and all(URI.fullmatch(uri) for uris in found for uri in uris)


def lacks_subjects(path: Path) -> bool:
    """Whether the first lines of a TSV file have no subjects, so that it may be a corpus like the files beside it."""
    with suppress(DataFileError):
        return path.is_file() and not any(_first_subjects(path))
    return False


def _first_subjects(path: Path) -> list[list[str]]:
    lines = (line.rstrip("\r\n").partition("\t")[2].split() for _, line in numbered_lines(path) if not line.isspace())
    return list(islice(lines, LOOKED_AT))


def _tsv_rows(
    source: Path, required: Sequence[str], optional: Sequence[str] = (), *, labels: str, on_bad: OnBad | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """Rows of a text and the list of its URIs; there are no other fields."""
    for number, line in numbered_lines(source, on_bad):
        text, tab, uris = line.rstrip("\r\n").partition("\t")
        if not text.strip() and not tab:
            continue
        if not tab and labels in required:
            problem = DataFileError("has no tab: separate the text and its URIs by one", name_of(source), number)
            if on_bad is None:
                raise problem
            on_bad(problem)
            continue
        subjects = [_plain(uri) for uri in uris.split()]
        yield number, [*(subjects if name == labels else text for name in required), *(None for _ in optional)]


def _reader_of_names(path: Path, extension: str, fields: Fields, seen: dict[str, None] | None, **options: Any) -> Any:
    """A reader of the fields of a corpus instead of the given ones; None if a file has those, or is no corpus."""
    first: dict[str, None] = {}
    read: RowReader = jsonl.read_rows
    subjects = SUBJECTS
    if extension == ".csv":
        read, subjects = partial(table.read_rows, delimiter=fields.delimiter), URIS
    next(read(path, (fields.text,), seen=first), None)
    present = {name.strip() for name in first}
    pairs = ((fields.labels, subjects), (fields.id, IDENTITY))
    other_names = {name: other for name, other in pairs if name not in present and other in present}
    if fields.labels in present or not other_names:
        return None
    if seen is not None:
        seen.update((name, None) for name in first if name.strip() not in other_names.values())

    def read_rows(
        source: Source, required: Sequence[str], optional: Sequence[str] = ()
    ) -> Iterator[tuple[int, list[Any]]]:
        wanted = [[other_names.get(name, name) for name in names] for names in (required, optional)]
        place = wanted[0].index(subjects) if fields.labels in other_names and subjects in wanted[0] else None
        for line, values in read(source, *wanted, **options):
            if place is not None:
                values[place] = _labels_of(values[place])
            yield line, values

    return read_rows


def _labels_of(subjects: Any) -> Any:
    """The URIs of a cell, or the URIs or else names of the subjects of a JSON record; other values stay as they are."""
    if isinstance(subjects, str):
        return [_plain(uri) for uri in subjects.split()]
    if not isinstance(subjects, list) or not all(isinstance(one, dict) for one in subjects):
        return subjects
    return [one.get("uri", one.get("label")) for one in subjects]


def _folder_rows(
    source: Path, required: Sequence[str], optional: Sequence[str] = (), *, labels: str
) -> Iterator[tuple[int, list[Any]]]:
    """Rows of the texts of a directory, in the order of the names of their files, which are the ids; no lines."""
    for path in sorted(source.glob("*.txt")):
        text = "".join(line for _, line in numbered_lines(path))
        subjects = _subjects_beside(path) if labels in required else []
        yield 0, [*(subjects if name == labels else text for name in required), *(path.stem for _ in optional)]


def _subjects_beside(path: Path) -> list[str]:
    """The URIs, or else the names, in the file of subjects of a text; none without this file."""
    for file in (path.with_suffix(".tsv"), path.with_suffix(".key")):
        if file.exists():
            cells = ([cell.strip() for cell in line.split("\t")] for _, line in numbered_lines(file))
            return [_plain(next((one for one in row if one.startswith("<")), row[0])) for row in cells if any(row)]
    return []


def _plain(uri: str) -> str:
    return uri[1:-1] if uri.startswith("<") and uri.endswith(">") else uri


def write(dataset: Dataset, path: Path, extension: str, fields: Fields) -> None:
    """Write a corpus of Annif; the labels are their identifiers, or names that are URIs.

    Raises
    ------
    InputError
        Another format than ``.tsv``, ``.csv`` and ``.jsonl``; a label without a URI.
    """
    uris = dataset.label_names if dataset.label_keys is None else dataset.label_keys
    for label in sorted(set(dataset.Y.indices.tolist())):
        if not URI.fullmatch(uris[label]):
            raise InputError(
                f"the label {quoted(uris[label])} is no URI, which a corpus of Annif needs: give the vocabulary with "
                "the URIs of the labels"
            )
    if extension == ".csv":
        names = Fields(id=IDENTITY, text="text", labels=URIS, separator=" ", delimiter=fields.delimiter)
        table.write(replace(dataset, label_names=uris, label_keys=None), path, names)
        return
    if extension not in LINES:
        raise InputError(
            f"a corpus of Annif is a .tsv, .csv or .jsonl file, also with .gz, but the extension is {extension}"
        )
    ids = [None] * len(dataset) if dataset.ids is None else dataset.ids
    with writing(path) as stream:
        for identity, text, row in zip(ids, dataset.texts or (), named_rows(dataset.Y, uris), strict=True):
            line = LINES[extension](identity, text, [_plain(uri) for uri in row])
            stream.write(without_surrogates(line).encode() + b"\n")


def _tsv_line(identity: Any, text: str, uris: list[str]) -> str:
    return f"{' '.join(text.split())}\t{' '.join(f'<{uri}>' for uri in uris)}"


def _json_line(identity: Any, text: str, uris: list[str]) -> str:
    known = {} if identity is None else {IDENTITY: str(identity)}
    return json.dumps({**known, "text": text, SUBJECTS: [{"uri": uri} for uri in uris]}, ensure_ascii=False)


LINES = {".tsv": _tsv_line, ".jsonl": _json_line}
