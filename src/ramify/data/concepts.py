"""The labels of data as concepts of a vocabulary: found by URI, notation or name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ramify.data.fields import Fields
from ramify.data.names import distinct_names
from ramify.data.vocabularies import read_vocabulary, without_brackets
from ramify.errors import DataFileError, InputError, RamifyWarning
from ramify.values import Dataset, Int64, Vocabulary
from ramify.wording import counted, quoted


def with_vocabulary(
    dataset: Dataset, vocabulary: Vocabulary, language: str | None = None, *, drop_unknown: bool = False
) -> Dataset:
    """Replace the labels of a Dataset by the concepts of a vocabulary.

    Parameters
    ----------
    dataset : Dataset
        Its labels are URIs, notations, or preferred names of concepts; names that several concepts share in the
        language are not found.
    vocabulary : Vocabulary
        All its concepts that are not deprecated become labels, also those without a document.
    language : str, optional
        Language code of the names; the only language of the vocabulary when None.
    drop_unknown : bool, default False
        Whether labels that the vocabulary lacks are left out, with a ``RamifyWarning``; False: they raise an error.

    Returns
    -------
    Dataset
        Label i is concept i of ``vocabulary``, a part of the given one. ``label_names`` are the names in the language,
        "name (URI)" if several concepts share it, the URI without one; ``label_keys`` are the URIs. Deprecated
        concepts are left out of the documents with a ``RamifyWarning``.

    Raises
    ------
    InputError
        No names in the language; labels that the vocabulary lacks; no label of it.
    """
    code = vocabulary.checked_language(language)
    used = np.unique(dataset.Y.indices).astype(np.int64)
    found = concepts_of([dataset.label_names[label] for label in used.tolist()], vocabulary, code)
    _check_found(dataset, used, found, vocabulary, drop_unknown)
    kept = np.arange(len(vocabulary))
    if vocabulary.deprecated is not None and vocabulary.deprecated.any():
        kept = np.flatnonzero(~vocabulary.deprecated)
        _warn_of_deprecated(int(vocabulary.deprecated[found[found >= 0]].sum()))
    part = vocabulary if len(kept) == len(vocabulary) else vocabulary.take(kept)
    place = np.full(len(vocabulary) + 1, -1, np.int64)
    place[kept] = np.arange(len(kept))
    column = np.full(dataset.n_labels, -1, np.int64)
    column[used] = place[found]
    entries = sp.coo_matrix(dataset.Y)
    columns = column[entries.col]
    rows = entries.row[columns >= 0]
    ones = np.ones(len(rows), np.float32)
    Y = sp.csr_matrix((ones, (rows, columns[columns >= 0])), shape=(len(dataset), len(kept)))
    Y.data[:] = 1  # two labels of one concept
    if Y.nnz == 0:
        raise InputError("no document has a concept of the vocabulary that is in use: give another vocabulary")
    names = distinct_names(part.uris, part.names_in(code))
    return replace(dataset, Y=Y, label_names=names, label_keys=part.uris, vocabulary=part)


def of_vocabulary(dataset: Dataset, fields: Fields, vocabulary: Vocabulary | None = None) -> Dataset:
    """``with_vocabulary`` for the vocabulary that fields name, which is read if it is not given; errors name its file.

    Raises
    ------
    DataFileError
        As ``read_vocabulary`` and ``with_vocabulary``.
    """
    path = Path(fields.vocabulary_path or "")
    concepts = read_vocabulary(path) if vocabulary is None else vocabulary
    try:
        return with_vocabulary(dataset, concepts, fields.language, drop_unknown=fields.drop_unknown)
    except InputError as error:
        raise DataFileError(str(error), path) from None


def concepts_of(labels: Sequence[str], vocabulary: Vocabulary, language: str) -> Int64:
    """The concept of each label, -1 for none: by URI or notation, by name in the language, by any name."""
    in_language: dict[str, int] = {}
    for number, name in enumerate(vocabulary.names_in(language)):
        if name and in_language.setdefault(name, number) != number:
            in_language[name] = -1
    numbers: list[int] = []
    for label in labels:
        plain = without_brackets(label)
        known: Mapping[str, int] = vocabulary.by_identifier
        if plain not in known:
            known = in_language if plain in in_language else vocabulary.by_name
        numbers.append(known.get(plain, -1))
    return np.array(numbers, np.int64)


def _check_found(dataset: Dataset, used: Int64, found: Int64, vocabulary: Vocabulary, drop_unknown: bool) -> None:
    unknown = used[found < 0]
    if len(unknown) == 0:
        return
    example = quoted(dataset.label_names[int(unknown[0])])
    if len(unknown) == len(used):
        raise InputError(
            f"none of the labels of the data, such as {example}, is a concept of the vocabulary, which has URIs such "
            f"as {quoted(vocabulary.uris[0])}: give the vocabulary of the data"
        )
    problem = f"{counted(len(unknown), 'label')} of {len(used):,}, such as {example},"
    if not drop_unknown:
        raise InputError(
            f"the vocabulary lacks {problem} by URI, notation or unambiguous name: correct the labels, or leave them "
            "out (drop_unknown, on the command line --drop-unknown)"
        )
    warnings.warn(f"left out: {problem} which the vocabulary lacks", RamifyWarning, stacklevel=3)


def _warn_of_deprecated(count: int) -> None:
    if count:
        warnings.warn(
            f"left out: {counted(count, 'label')} of the data that the vocabulary marks as deprecated",
            RamifyWarning,
            stacklevel=4,
        )
