"""Files of predictions: the output of ``ramify predict``, or of another program in the same format.

    {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}       .jsonl, .parquet
    id,label,score                                                               .csv: one row per label

A document may have the field "text" as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ramify.data.formats import RowReader, extension_of, row_reader
from ramify.data.labels import label_name
from ramify.data.streams import require_file
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset, TopK
from ramify.wording import quoted

LARGEST = float(np.finfo(np.float32).max)
"""Largest absolute value of a score."""

TABLE = ".csv"
"""Extension of the files with one row per label; ``ramify predict`` writes ``.tsv`` without names of columns."""

EXTENSIONS = (".jsonl", TABLE, ".parquet")

EXAMPLE = '{"id": 7, "labels": [{"label": "name", "score": 0.9}]}'


@dataclass(frozen=True)
class Predictions:
    """Ranked labels of documents, by another program.

    Parameters
    ----------
    texts : sequence of str, length n
        The documents.
    label_names : sequence of str, length L
        Names of the labels.
    top : TopK, shape (n, k)
        Labels and scores, best first.
    path : Path, optional
        The file that they were read from.
    """

    texts: Sequence[str]
    label_names: Sequence[str]
    top: TopK
    path: Path | None = None


def read_predictions(path: str | Path, dataset: Dataset) -> Predictions:
    """Read a file of predictions: ``.jsonl``, ``.csv``, also ``.gz``, or ``.parquet``.

    Parameters
    ----------
    path : path-like
        The file.
    dataset : Dataset
        Documents with texts. A line without the field "text" belongs to the document with its "id", compared as text;
        the id of a document without one is its number from 1. If no line has an id, the lines belong to the documents
        in order.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line; lines without texts that do not match the documents; an id that no
        document has, or several different ones.
    InputError
        Documents without texts.
    MissingExtraError
        A Parquet file, and pyarrow is not installed.
    """
    path = Path(path)
    if dataset.texts is None:
        raise InputError(
            "predictions of a file are found by the texts of documents, but the data contain features only"
        )
    require_file(path)
    extension = extension_of(path)
    if extension not in EXTENSIONS:
        raise DataFileError(f"is no file of predictions: name it {', '.join(EXTENSIONS)}", path)
    reader = row_reader(extension)
    records = _of_cells(reader, path) if extension == TABLE else reader(path, ("labels",), ("text", "id"))
    texts: list[Any] = []
    ids: list[Any] = []
    lines: list[int] = []
    rows: list[list[tuple[str, float]]] = []
    for line, (labels, text, identity) in records:
        texts.append(text if isinstance(text, str) else None)
        if not isinstance(identity, str | int | float | None):
            raise DataFileError(f"the id is {quoted(identity)}, but must be a string or a number", path, line)
        ids.append(identity)
        lines.append(line)
        rows.append(_ranked(labels, path, line))
    names = sorted({name for row in rows for name, _ in row})
    return Predictions(_texts_of(texts, ids, lines, dataset, path), names, _top(rows, names), path)


def _of_cells(reader: RowReader, path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Documents of a table with one row per label; rows of one document need not follow one another."""
    found: dict[Any, tuple[int, list[Any]]] = {}
    for line, (label, cell, text, identity) in reader(path, ("label", "score"), ("text", "id")):
        if text is None and identity is None:
            raise DataFileError("has neither a column 'id' nor 'text': add one that identifies the documents", path)
        try:
            score = float(cell)
        except ValueError:
            raise DataFileError(f"the score is {quoted(cell)}, but must be a number", path, line) from None
        document = text if identity is None else identity
        _, record = found.setdefault(document, (line, [[], text, identity]))
        record[0].append({"label": label, "score": score})
    yield from found.values()


def _texts_by_id(ids: Sequence[Any] | None, own: Sequence[str]) -> dict[str, str | None]:
    """The text of the document with each id, as text; None for an id that documents with different texts have.

    Formats differ in the types of ids: a number of a JSON line is a text in a CSV file. As in the output of
    ``ramify predict``, the id of a document without one is its number from 1, unless another document has that id.
    """
    found: dict[str, str | None] = {}
    for text, identity in zip(own, ids if ids is not None else [None] * len(own), strict=True):
        if identity is not None:
            key = _as_text(identity)
            found[key] = text if found.get(key, text) == text else None
    given = set(found)
    for number, text in enumerate(own, 1):
        if (ids is None or ids[number - 1] is None) and str(number) not in given:
            found[str(number)] = text
    return found


def _as_text(identity: Any) -> str:
    """An id as text; whole numbers have no fraction, as a column of whole numbers with gaps is read as fractions."""
    is_whole = isinstance(identity, float) and identity.is_integer()
    return str(int(identity) if is_whole else identity)


def _ranked(labels: Any, path: Path, line: int) -> list[tuple[str, float]]:
    """Names and scores of one document, best first."""
    found: dict[str, float] = {}
    for one in labels if isinstance(labels, list) else [None]:
        score = one.get("score") if isinstance(one, dict) else None
        is_number = isinstance(score, int | float) and not isinstance(score, bool) and -LARGEST <= score <= LARGEST
        if not is_number or one is None or "label" not in one:
            raise DataFileError(f"holds the label {quoted(one)}, but must have the form {EXAMPLE}", path, line)
        try:
            found.setdefault(label_name(one["label"]), float(score or 0.0))
        except InputError as error:
            raise DataFileError(str(error), path, line) from None
    return sorted(found.items(), key=lambda pair: -pair[1])


def _texts_of(texts: list[Any], ids: list[Any], lines: list[int], dataset: Dataset, path: Path) -> list[str]:
    """The text of each line: its own, or that of the document with its id; without any id, in order."""
    own = dataset.texts or ()
    if all(text is not None for text in texts):
        return texts
    if any(one is not None for one in ids):
        by_id = _texts_by_id(dataset.ids, own)
        are_numbers = dataset.ids is None or all(one is None for one in dataset.ids)
        found = []
        for line, identity, text in zip(lines, ids, texts, strict=True):
            known = by_id.get(_as_text(identity)) if text is None and identity is not None else text
            if known is None:
                raise DataFileError(_wrong_id(identity, by_id, are_numbers=are_numbers), path, line)
            found.append(known)
        return found
    if len(texts) != len(own):
        raise DataFileError(
            f"has {len(texts)} lines for {len(own)} documents, and no texts or ids that match them: give one line for "
            "each document",
            path,
        )
    return [own[number] if text is None else text for number, text in enumerate(texts)]


def _wrong_id(identity: Any, by_id: Mapping[str, str | None], *, are_numbers: bool) -> str:
    """Why the text of a line without a text is not known."""
    if identity is None:
        return "has neither an id nor a text, but other lines have: add one"
    if _as_text(identity) in by_id:
        return f"the id is {quoted(identity)}, but documents with different texts have it: give texts instead"
    hint = "documents without ids are numbered from 1" if are_numbers else "correct it"
    return f"the id is {quoted(identity)}, but no document has it: {hint}"


def _top(rows: list[list[tuple[str, float]]], names: list[str]) -> TopK:
    number = {name: place for place, name in enumerate(names)}
    width = max([1, *map(len, rows)])
    labels = np.full((len(rows), width), -1, np.int32)
    scores = np.full((len(rows), width), -np.inf, np.float32)
    for place, row in enumerate(rows):
        labels[place, : len(row)] = [number[name] for name, _ in row]
        scores[place, : len(row)] = [score for _, score in row]
    return TopK(labels, scores)
