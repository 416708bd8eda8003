"""One Dataset from two files, and two files from one Dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ramify.data.fields import DEFAULT_FIELDS, Fields
from ramify.data.files import read_for, refuse_same_file, write
from ramify.data.labels import align
from ramify.data.streams import replacing_together
from ramify.errors import DataFileError, InputError
from ramify.values import CSR, Dataset


def joined(first: Dataset, second: Dataset) -> Dataset:
    """The rows of two Datasets, in order, in one label space.

    Parameters
    ----------
    first, second : Dataset
        Both with texts, or both with features; the narrower feature matrix gets empty columns.

    Returns
    -------
    Dataset
        The labels of ``first`` keep their columns; the other ones of ``second`` follow. Identifiers of labels and
        documents are kept where both have them.

    Raises
    ------
    InputError
        One has texts and the other features only.
    """
    if (first.texts is None) != (second.texts is None):
        raise InputError("one part has texts and the other features: give both in the same form")
    aligned = align(second, first.label_names)
    Y = sp.vstack([_widened(first.Y, aligned.n_labels), aligned.Y], format="csr", dtype=np.float32)
    X, keys = None, None
    if first.X is not None and second.X is not None:
        width = max(first.X.shape[1], second.X.shape[1])
        X = sp.vstack([_widened(first.X, width), _widened(second.X, width)], format="csr", dtype=np.float32)
    if first.label_keys is not None and aligned.label_keys is not None:
        keys = [*first.label_keys, *aligned.label_keys[first.n_labels :]]
    return Dataset(
        Y=Y,
        label_names=aligned.label_names,
        texts=None if first.texts is None or second.texts is None else [*first.texts, *second.texts],
        X=X,
        ids=None if first.ids is None or second.ids is None else [*first.ids, *second.ids],
        label_keys=keys,
    )


def convert_split(
    sources: Sequence[str | Path],
    train: str | Path,
    test: str | Path,
    *,
    split: Callable[[Dataset], tuple[Dataset, Dataset]],
    fields: Fields = DEFAULT_FIELDS,
    target_fields: Fields = DEFAULT_FIELDS,
) -> tuple[str, ...]:
    """Write the rows of one or more files to a training and a test file.

    Parameters
    ----------
    sources : sequence of path-like
        The files to read; their rows are joined.
    train, test : path-like
        The files to write. Both replace older files after both are written completely.
    split : callable
        Returns (train, test) of the joined Dataset, for example ``split_grouped``.
    fields, target_fields : Fields, optional
        The names of the fields of the sources and of the targets.

    Returns
    -------
    tuple of str
        The fields that are left out, as in `convert`.

    Raises
    ------
    DataFileError
        Anything wrong with a source.
    InputError
        As `convert` and ``split``; both targets are one file.
    """
    if Path(train).resolve() == Path(test).resolve():
        raise InputError(f"{test} is the target of both parts: write them to two files")
    left_out: dict[str, None] = {}
    whole: Dataset | None = None
    for source in sources:
        for target in (train, test):
            refuse_same_file(target, source, fields.labels_path, fields.names_path, fields.vocabulary_path)
        part, dropped = read_for(source, (train, test), fields=fields, target_fields=target_fields)
        left_out |= dict.fromkeys(dropped)
        whole = part if whole is None else joined(whole, part)
    if whole is None:
        raise InputError("no source is given: name at least one file")
    parts = split(whole)
    targets = (Path(train), Path(test))
    with replacing_together(targets) as staged:
        for part, target, temporary in zip(parts, targets, staged, strict=True):
            _write_for(part, target, temporary, target_fields)
    return tuple(left_out)


def _write_for(part: Dataset, target: Path, temporary: Path, fields: Fields) -> None:
    """Write the temporary file of a target; an error names the target."""
    try:
        write(part, temporary, fields=fields)
    except DataFileError as error:
        if error.path != temporary:
            raise
        raise DataFileError(str(error).removeprefix(f"{temporary}: "), target) from None


def _widened(matrix: CSR, width: int) -> CSR:
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))
