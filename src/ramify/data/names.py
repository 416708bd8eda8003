"""Names for label identifiers: read from a file, and put in place of the identifiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ramify.data.formats import TEXT_FORMATS, extension_of, row_reader
from ramify.data.labels import NumberNames, label_name
from ramify.data.streams import numbered_lines
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset
from ramify.wording import quoted

MOST_SUFFIXES = 8
MOST_NUMBERS = 1 << 26
"""Maximum number of labels of a file of features that get names; its header may contain any number."""


def read_names(path: str | Path) -> tuple[Sequence[str], list[str]]:
    """Read the identifiers and names of labels.

    Parameters
    ----------
    path : path-like
        A file with the fields "id" and "name" (``.jsonl``, ``.csv``, ``.tsv``, also ``.gz``, or ``.parquet``), or any
        other file with one name per line, for the label numbers "0", "1", ...

    Returns
    -------
    tuple of sequences of str
        (identifiers, names), both without repetitions. The first name of an identifier is used. A name that several
        identifiers share becomes "name (identifier)" for all of them; an empty name is the identifier itself.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line.
    """
    path = Path(path)
    extension = extension_of(path)
    if extension not in TEXT_FORMATS:
        lines = [line.strip() for _, line in numbered_lines(path)]
        return NumberNames(len(lines)), distinct_names(NumberNames(len(lines)), lines)
    names: dict[str, str] = {}
    for line, (identifier, name) in row_reader(extension)(path, ("id", "name")):
        if name is not None and not isinstance(name, str):
            raise DataFileError(f"the name is {quoted(name)}, but must be a string", path, line)
        try:
            names.setdefault(label_name(identifier), (name or "").strip())
        except InputError as error:
            raise DataFileError(str(error), path, line) from None
    names.pop("", None)
    if not names:
        raise DataFileError("names no label: give at least one identifier and its name", path)
    return list(names), distinct_names(list(names), list(names.values()))


def renamed(dataset: Dataset, keys: Sequence[str], names: Sequence[str]) -> Dataset:
    """Replace label identifiers by names.

    Parameters
    ----------
    dataset : Dataset
        Its labels are identifiers, names, or both: a label that equals a key gets its name, others are unchanged.
    keys, names : sequences of str, of one length
        Identifiers, and the name of each.

    Returns
    -------
    Dataset
        Columns in the order of the names. Two labels that get one name become one column. ``label_keys`` holds the
        identifier of each column, or the one that it had before, or its name where it has none.

    Raises
    ------
    InputError
        Another number of names than of keys.
    """
    if len(keys) != len(names):
        raise InputError(f"{len(keys)} label keys are given, but {len(names)} names: give one name per key")
    name_of: dict[str, str] = {}
    key_of: dict[str, str] = {}
    for key, name in zip(keys, names, strict=True):
        name_of.setdefault(key, name)
        key_of.setdefault(name, key)
    new_names = [name_of.get(label, label) for label in dataset.label_names]
    columns = {name: column for column, name in enumerate(sorted(set(new_names)))}
    target = np.fromiter((columns[name] for name in new_names), np.int32, len(new_names))
    shape = (len(dataset), len(columns))
    Y = sp.csr_matrix((dataset.Y.data, target[dataset.Y.indices], dataset.Y.indptr), shape=shape, copy=True)
    Y.sum_duplicates()
    Y.data[:] = 1
    before = dataset.label_names if dataset.label_keys is None else dataset.label_keys
    own_keys = dict(zip(new_names, before, strict=True))
    label_keys = [key_of.get(name, own_keys[name]) for name in columns]
    return replace(dataset, Y=Y, label_names=list(columns), label_keys=label_keys, vocabulary=None)


def with_names(dataset: Dataset, path: Path) -> Dataset:
    """The Dataset of a file with the names that another file gives its labels.

    Files of features keep the order of their columns; their label numbers go up to the last name of a file of lines.

    Raises
    ------
    DataFileError
        Anything wrong with the file of names; none of its identifiers is a label of the data.
    """
    keys, names = read_names(path)
    if isinstance(dataset.label_names, NumberNames):
        return _numbers_named(dataset, keys, names, path)
    if dataset.Y.nnz and set(dataset.label_names).isdisjoint(keys):
        raise DataFileError(
            f"names none of the labels, which are {_listing(dataset.label_names)}, but {_listing(keys)}: "
            "give the file of names that belongs to the data",
            path,
        )
    return renamed(dataset, keys, names)


def numbers_named(dataset: Dataset, names: Sequence[str], path: Path) -> Dataset:
    """Name the columns of a file that has label numbers only, by position.

    Raises
    ------
    DataFileError
        Fewer names than labels.
    """
    if len(names) < dataset.n_labels:
        problem = f"the number of label names is {len(names)}, but the data have {dataset.n_labels} labels"
        raise DataFileError(f"{problem}: give a name for each", path)
    Y = sp.csr_matrix((dataset.Y.data, dataset.Y.indices, dataset.Y.indptr), shape=(len(dataset), len(names)))
    return replace(dataset, Y=Y, label_names=names)


def _numbers_named(dataset: Dataset, keys: Sequence[str], names: list[str], path: Path) -> Dataset:
    if isinstance(keys, NumberNames):
        named = numbers_named(dataset, names, path)
        return replace(named, label_keys=keys)
    name_of = dict(zip(keys, names, strict=True))
    numbers = dataset.label_names
    if len(numbers) > MOST_NUMBERS:
        raise DataFileError(f"names labels of data with {len(numbers)} label numbers: at most {MOST_NUMBERS}", path)
    if not any(number in name_of for number in numbers):
        raise DataFileError(f"names none of the label numbers 0 to {len(numbers) - 1}, but {_listing(keys)}", path)
    label_names = distinct_names(numbers, [name_of.get(one, one) for one in numbers])
    return replace(dataset, label_names=label_names, label_keys=numbers)


def distinct_names(keys: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names that repeat get their identifier as an addition; empty ones become it."""
    names = [name or key for key, name in zip(keys, names, strict=True)]
    for _ in range(MOST_SUFFIXES):
        counts = Counter(names)
        if len(counts) == len(names):
            return names
        names = [f"{name} ({key})" if counts[name] > 1 else name for key, name in zip(keys, names, strict=True)]
    return list(starmap("{} ({})".format, zip(names, keys, strict=True)))


def _listing(labels: Sequence[str]) -> str:
    return ", ".join(quoted(label, 40) for label in labels[:3]) + (", ..." if len(labels) > 3 else "")
