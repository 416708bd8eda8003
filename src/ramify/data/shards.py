"""Files of texts that are read one after the other, as one Dataset whose texts need not fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ramify.checks import given_path
from ramify.data import annif
from ramify.data.fields import DEFAULT_FIELDS, Fields, joined_text
from ramify.data.files import located, reader_for
from ramify.data.formats import FOLDER, PACKED, TEXT_FORMATS, RowReader, extension_of, locate
from ramify.data.labels import LabelRows
from ramify.data.names import with_names
from ramify.data.streams import numbered_lines, unreadable
from ramify.errors import DataFileError, InputError, RamifyWarning
from ramify.spill import Spill
from ramify.strings import StringTable
from ramify.values import Dataset

BLOCK_TEXTS, BLOCK_CHARACTERS = 1 << 12, 1 << 20
"""Texts are written as soon as there are so many of them, or of their characters."""

EMPTY_BYTES = 1 << 10
"""A larger file is not empty; gzip of no bytes takes about 20, with the name of the file."""


def is_sharded(path: str | Path) -> bool:
    """Whether a path is a directory whose files are read as one data set; one with .txt files is a corpus of Annif."""
    try:
        return Path(path).is_dir() and next(Path(path).glob("*.txt"), None) is None
    except (OSError, ValueError):  # a NUL in the path, or a name that is too long
        return False


def shard_files(path: str | Path) -> list[Path]:
    """The files of a directory of texts in the order of their names; a file itself.

    Names that begin with "." or "_" are left out: other programs write such files beside shards.

    Raises
    ------
    DataFileError
        No file of texts, a file of another kind, or a directory that cannot be read.
    """
    file = given_path("the data file", path)
    if not is_sharded(file):
        return [locate(file)[0]]
    try:
        files = sorted(one for one in file.iterdir() if one.name[:1] not in "._")
    except OSError as error:
        raise unreadable(str(file), error) from None
    for one in files:
        extension = extension_of(one)
        if extension not in TEXT_FORMATS or (one.suffix.lower() == ".gz" and extension not in PACKED):
            known = ", ".join(name for name in TEXT_FORMATS if name != FOLDER)
            raise DataFileError(f"is no file of texts, as all files of a data directory must be: name it {known}", one)
    if not files:
        raise DataFileError("holds no files: name a directory with shards such as part-0.jsonl", file)
    return files


def read_shards(path: str | Path, *, fields: Fields = DEFAULT_FIELDS, spill: Spill | None = None) -> Dataset:
    """Read the files of a directory, or one file, record by record.

    Parameters
    ----------
    path : path-like
        A directory of ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` files, also ``.gz``, or one such file. Corpora of
        Annif are recognized, as by ``read``.
    fields : Fields, optional
        The names of the fields; ``group`` is not supported.
    spill : Spill, optional
        Folder for the texts; they are in memory when None. Labels are always in memory.

    Returns
    -------
    Dataset
        Documents in the order of the file names and of their lines, without ids. A shard without documents is allowed.

    Warns
    -----
    RamifyWarning
        Empty files in a directory, which are left out.

    Raises
    ------
    DataFileError
        Anything wrong with a file, by line; no documents, or none with labels.
    InputError
        ``fields.group`` is given; the folder has too little space.
    """
    if fields.group is not None:
        raise InputError(f"group is {fields.group!r}, but rows of shards are not joined: join them before")
    texts = _SpilledTexts(spill) if spill is not None else _ListedTexts()
    labels = LabelRows(fields.separator)
    files = _files_with_content(path)
    for file in files:
        for line, values in _rows(file, files, fields):
            try:
                labels.add(values.pop(), line)
                text = joined_text(values)
            except InputError as error:
                raise located(error, file, line) from None
            texts.add(text)  # its error is about the folder of the files, not about the line
    try:
        Y, names = labels.finish()
    except InputError as error:
        raise located(error, files[0] if len(files) == 1 else Path(path)) from None
    if not Y.shape[0]:
        raise DataFileError("holds no documents: give at least one", Path(path))
    if not Y.nnz:
        raise DataFileError("no document has labels: check the field of labels", Path(path))
    dataset = Dataset(Y=Y, label_names=names, texts=texts.finish())
    return dataset if fields.names_path is None else with_names(dataset, Path(fields.names_path))


def _files_with_content(path: str | Path) -> list[Path]:
    """The files without the empty ones of a directory, which other programs write for parts without rows."""
    files = shard_files(path)
    if not is_sharded(path):
        return files
    full = [file for file in files if not _is_empty(file)]
    if full and len(full) < len(files):
        first = next(file for file in files if file not in full)
        n_empty = len(files) - len(full)
        warnings.warn(
            f"{n_empty:,} of {len(files):,} files in {path} {'is' if n_empty == 1 else 'are'} empty and left out"
            f"{': ' if n_empty == 1 else ', the first is '}{first.name}",
            RamifyWarning,
            stacklevel=3,
        )
    return full


def _is_empty(file: Path) -> bool:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise unreadable(str(file), error) from None
    if 0 < size <= EMPTY_BYTES and extension_of(file) in PACKED:
        return all(line.isspace() for _, line in numbered_lines(file))
    return size == 0


def _rows(file: Path, files: Sequence[Path], fields: Fields) -> Iterator[tuple[int, list[Any]]]:
    extension = locate(file)[2]
    if extension not in TEXT_FORMATS:
        raise DataFileError(f"{extension} holds features, but only texts are read in parts: leave --memory out", file)
    reader = None
    if len(files) > 1 and extension == ".tsv" and annif.lacks_subjects(file):
        reader = _corpus_reader(files, fields)
    return (reader or reader_for(file, extension, fields))(file, [*fields.text_names, fields.labels])


def _corpus_reader(files: Sequence[Path], fields: Fields) -> RowReader | None:
    """The reader of the first ``.tsv`` file that is a corpus of Annif; None without one."""
    readers = (annif.corpus_reader(file, ".tsv", fields) for file in files if extension_of(file) == ".tsv")
    return next((reader for reader in readers if reader is not None), None)


class _ListedTexts:
    """Texts in memory."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Append a text."""
        self._texts.append(text)

    def finish(self) -> Sequence[str]:
        """All texts."""
        return self._texts


class _SpilledTexts(_ListedTexts):
    """Texts in a file."""

    def __init__(self, spill: Spill) -> None:
        super().__init__()
        self._characters = 0
        self._blob, self._sizes = spill.growing(np.uint8), spill.growing(np.int64)

    def add(self, text: str) -> None:
        """Append a text."""
        self._texts.append(text)
        self._characters += len(text)
        if len(self._texts) >= BLOCK_TEXTS or self._characters >= BLOCK_CHARACTERS:
            self._write()

    def finish(self) -> Sequence[str]:
        """All texts, decoded on access."""
        self._write()
        sizes = self._sizes.finish()
        return StringTable(self._blob.finish(), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def _write(self) -> None:
        table = StringTable.of(self._texts)
        self._blob.append(table.blob)
        self._sizes.append(np.diff(table.offsets))
        self._texts.clear()
        self._characters = 0
