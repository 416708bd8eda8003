"""Files of predictions: the output of ``ramify predict``, or of another program in the same format.

    {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}

A line may have the field "text" as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ramify.data.jsonl import read_rows
from ramify.data.labels import label_name
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset, TopK
from ramify.wording import quoted

LARGEST = float(np.finfo(np.float32).max)
"""Largest absolute value of a score."""

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
    """Read a file of predictions (``.jsonl``, also ``.gz``).

    Parameters
    ----------
    path : path-like
        The file.
    dataset : Dataset
        Documents with texts. A line without the field "text" belongs to the document with its "id"; if the documents or
        the lines have no ids, to the document with its number.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line; lines without texts that do not match the documents.
    InputError
        Documents without texts.
    """
    path = Path(path)
    if dataset.texts is None:
        raise InputError(
            "predictions of a file are found by the texts of documents, but the data contain features only"
        )
    texts: list[Any] = []
    ids: list[Any] = []
    lines: list[int] = []
    rows: list[list[tuple[str, float]]] = []
    for line, (labels, text, identity) in read_rows(path, ("labels",), ("text", "id")):
        texts.append(text if isinstance(text, str) else None)
        if not isinstance(identity, str | int | float | None):
            raise DataFileError(f"the id is {quoted(identity)}, but must be a string or a number", path, line)
        ids.append(identity)
        lines.append(line)
        rows.append(_ranked(labels, path, line))
    names = sorted({name for row in rows for name, _ in row})
    return Predictions(_texts_of(texts, ids, lines, dataset, path), names, _top(rows, names), path)


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
    """The text of each line: its own, or that of the document with its id or number."""
    own: Any = dataset.texts
    if all(text is not None for text in texts):
        return texts
    if dataset.ids is not None and _any_is_given(ids) and _any_is_given(dataset.ids):
        # ``ramify predict`` gives a document without an id its number
        by_id = {n + 1 if one is None else one: n for n, one in enumerate(dataset.ids)}
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
