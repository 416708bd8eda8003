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
        Documents with texts. A line without the field "text" belongs to the document with its "id"; if the documents or
        the lines have no ids, to the document with its number. In tables of one row per label, documents without ids
        are numbered from 1.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line; lines without texts that do not match the documents.
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
    by_id = _documents_by_id(dataset, as_texts=extension != ".jsonl")
    for line, (labels, text, identity) in records:
        texts.append(text if isinstance(text, str) else None)
        if not isinstance(identity, str | int | float | None):
            raise DataFileError(f"the id is {quoted(identity)}, but must be a string or a number", path, line)
        ids.append(identity)
        lines.append(line)
        rows.append(_ranked(labels, path, line))
    names = sorted({name for row in rows for name, _ in row})
    return Predictions(_texts_of(texts, ids, lines, by_id, dataset.texts, path), names, _top(rows, names), path)


def _of_cells(reader: RowReader, path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Documents of a table with one row per label; rows of one document need not follow one another."""
    found: dict[Any, tuple[int, list[Any]]] = {}
    for line, (label, cell, text, identity) in reader(path, ("label", "score"), ("text", "id")):
        if text is None and identity is None:
            raise DataFileError("has neither a column 'id' nor 'text': add one, which tells documents apart", path)
        try:
            score = float(cell)
        except ValueError:
            raise DataFileError(f"the score is {quoted(cell)}, but must be a number", path, line) from None
        document = text if identity is None else identity
        _, record = found.setdefault(document, (line, [[], text, identity]))
        record[0].append({"label": label, "score": score})
    yield from found.values()


def _documents_by_id(dataset: Dataset, *, as_texts: bool) -> dict[Any, int]:
    """Numbers of documents by id; empty without ids, unless ids are written as texts, as in tables.

    ``ramify predict`` gives a document without an id its number from 1.
    """
    ids = dataset.ids if dataset.ids is not None else [None] * len(dataset)
    if not as_texts:
        return {n + 1 if one is None else one: n for n, one in enumerate(ids)} if _any_is_given(ids) else {}
    return {str(n + 1 if one is None else one): n for n, one in enumerate(ids)}


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


def _texts_of(
    texts: list[Any], ids: list[Any], lines: list[int], by_id: Mapping[Any, int], own: Sequence[str], path: Path
) -> list[str]:
    """The text of each line: its own, or that of the document with its id or number."""
    if all(text is not None for text in texts):
        return texts
    if by_id and _any_is_given(ids):
        for line, identity, text in zip(lines, ids, texts, strict=True):
            if text is None and identity not in by_id:
                raise DataFileError(f"the id is {quoted(identity)}, but no document has it: correct it", path, line)
        return [own[by_id[identity]] if text is None else text for text, identity in zip(texts, ids, strict=True)]
    if len(texts) != len(own):
        raise DataFileError(
            f"has {len(texts)} lines for {len(own)} documents, and no texts or ids that match them: give one line for "
            "each document",
            path,
        )
    return [own[number] if text is None else text for number, text in enumerate(texts)]


def _any_is_given(ids: Sequence[Any]) -> bool:
    return any(one is not None for one in ids)


def _top(rows: list[list[tuple[str, float]]], names: list[str]) -> TopK:
    number = {name: place for place, name in enumerate(names)}
    width = max([1, *map(len, rows)])
    labels = np.full((len(rows), width), -1, np.int32)
    scores = np.full((len(rows), width), -np.inf, np.float32)
    for place, row in enumerate(rows):
        labels[place, : len(row)] = [number[name] for name, _ in row]
        scores[place, : len(row)] = [score for _, score in row]
    return TopK(labels, scores)
