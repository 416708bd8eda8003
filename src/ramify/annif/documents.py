"""Training documents of Annif: stored once, so that ``annif train --cached`` and ``annif hyperopt`` read them again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import scipy.sparse as sp

from ramify.annif.subjects import Names, uri_of
from ramify.errors import DataFileError
from ramify.values import Dataset, as_csr
from ramify.wording import quoted

FILE = "ramify-documents-train.jsonl.gz"
"""Annif does not count files with "-train" in their names as a model, and does not upload them.

The file ``ramify-train.jsonl.gz`` of early versions is not read: it has the words of the analyzer in place of texts."""


def written(documents: Iterable[Any], subjects: Any, target: TextIO) -> int:
    """Write the documents with a text and a subject as JSON lines, and return their number.

    Parameters
    ----------
    documents : iterable of annif Document
    subjects : annif SubjectIndex
    target : text file
    """
    count = 0
    for document in documents:
        uris = [uri for uri in (uri_of(subjects, number) for number in document.subject_set) if uri is not None]
        text = document.text
        if uris and text.strip():
            target.write(json.dumps({"text": text, "labels": uris}, ensure_ascii=False) + "\n")
            count += 1
    return count


def read(path: Path, names: Names) -> Dataset:
    """The stored documents as a Dataset with all subjects of the project as labels.

    Raises
    ------
    DataFileError
        A damaged file.
    """
    numbers = {uri: number for number, uri in enumerate(names.uris)}
    texts: list[str] = []
    rows: list[list[int]] = []
    for one in _lines(path):
        labels = [numbers[uri] for uri in one["labels"] if uri in numbers]
        if labels:
            texts.append(one["text"])
            rows.append(labels)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.array([label for row in rows for label in row], np.int32)
    Y = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), len(names.uris)))
    return Dataset(Y=as_csr(Y), texts=texts, label_names=names.names, label_keys=names.uris)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as error:
        raise DataFileError(f"{quoted(str(path))} cannot be read ({error}): train without --cached") from None
