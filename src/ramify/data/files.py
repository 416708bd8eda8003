"""Data files ↔ Dataset; the extension, with ``.gz``, determines the format.

Two families: files of texts (.jsonl, .csv, .tsv, .parquet) yield rows of named fields; files of features (.txt of
the Extreme Classification Repository, .npz) yield matrices.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ramify.checks import given_path
from ramify.data import annif, npz, repository
from ramify.data.concepts import of_vocabulary
from ramify.data.fields import DEFAULT_FIELDS, Fields, joined_text
from ramify.data.formats import (
    FEATURE_FORMATS,
    TEXT_FORMATS,
    RowReader,
    extension_of,
    locate,
    paths_of,
    row_reader,
)
from ramify.data.groups import DocumentNumbers, merged_rows
from ramify.data.labels import LabelRows, NumberNames, align
from ramify.data.names import numbers_named, with_names
from ramify.data.streams import OnBad, Source, name_of, require_file
from ramify.errors import DataFileError, InputError
from ramify.values import CSR, Dataset
from ramify.wording import quoted

NO_ID = (None, "")
"""Missing, or an empty cell."""


class Document(NamedTuple):
    """A text to predict for.

    Parameters
    ----------
    text : str
        The text.
    id : object
        Value of the id field, None if it is missing or empty.
    """

    text: str
    id: Any


def read(path: str | Path, *, fields: Fields = DEFAULT_FIELDS, label_names: Sequence[str] | None = None) -> Dataset:
    """Read a data file.

    Parameters
    ----------
    path : path-like
        ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet`` (texts), the Extreme Classification Repository's ``.txt`` or
        ``.npz`` (features); ``.gz`` after the ones that do not compress themselves. A pair of scipy files is
        ``X.npz:Y.npz``. Corpora of Annif (``.tsv`` without a header, ``.csv`` with ``subject_uris``, ``.jsonl`` with
        ``subjects``, directories of ``.txt`` files) are recognized.
    fields : Fields, optional
        The names of the fields, "text" and "labels" by default.
    label_names : sequence of str, optional
        Label space of the result, such as the ``label_names`` of a model: see `align`. For files with label numbers
        only, these are the names of the columns.

    Returns
    -------
    Dataset
        Columns of Y stand in the order of the label names (code points) where a file has names, so that the order
        of its rows does not matter. Names are stripped of white space, empty ones dropped, repeated ones count
        once; documents without text or labels are kept.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line; no documents, or none with labels.
    MissingExtraError
        Parquet without pyarrow.

    Examples
    --------
    >>> read("bills.csv.gz", fields=Fields(text="title,summary", separator=";"))  # doctest: +SKIP
    """
    return _read(path, fields, label_names, None)


def read_texts(
    source: str | Path | Source,
    fields: Fields = DEFAULT_FIELDS,
    *,
    stream_format: str = ".jsonl",
    on_bad: OnBad | None = None,
) -> Iterator[Document]:
    """Stream the texts of a file, or of an open binary stream such as ``sys.stdin.buffer``; labels may be absent.

    Parameters
    ----------
    source : path-like or binary stream
        A file of texts.
    fields : Fields, optional
        The names of the fields. With ``group``, only the first row of each document is taken.
    stream_format : str, default ".jsonl"
        Format of a stream: ".jsonl", ".csv" or ".tsv".
    on_bad : callable, optional
        Called with the ``DataFileError`` of each bad record (no JSON, not UTF-8, a missing field, a text that is not a
        string, a wrong number of cells); reading continues with the next line. By default the error is raised. A
        missing file, a header without a wanted column or damaged gzip data always raise.

    Yields
    ------
    Document
        (text, id), as soon as its line is read.

    Raises
    ------
    DataFileError
        Anything wrong with the file; a file of features (use `read_features`).
    """
    if isinstance(source, str | Path):
        source, _, extension = locate(source, fields.labels_path)
    else:
        extension = stream_format
    if extension not in TEXT_FORMATS:
        raise DataFileError(f"{extension} holds features, not texts: use read_features", name_of(source))
    names = fields.text_names
    group = [] if fields.group is None else [fields.group]
    documents = DocumentNumbers()
    rows = reader_for(source, extension, fields, on_bad=on_bad)
    for line, values in rows(source, [*names, *group], (fields.id,)):
        try:
            text = joined_text(values[: len(names)])
            n_before = len(documents)
            is_new = not group or documents.of(values[-2]) == n_before
            identity = values[-2] if group and values[-1] in NO_ID else values[-1]
        except InputError as error:
            problem = located(error, source, line)
            if on_bad is None:
                raise problem from None
            on_bad(problem)
            continue
        if is_new:
            yield Document(text, None if identity == "" else identity)


def read_features(path: str | Path) -> CSR:
    """Read the features X, shape (n, d), of a ``.txt`` or ``.npz`` file; its labels may be absent.

    Raises
    ------
    DataFileError
        Anything wrong with the file; a file of texts (use `read_texts`).
    """
    file, _, extension = locate(path)
    if extension in TEXT_FORMATS:
        raise DataFileError(f"{extension} holds texts, not features: use read_texts", file)
    if extension == ".txt":
        return cast(CSR, repository.read(file).X)  # the format always has features
    return npz.read_features(file)


def read_column(path: str | Path, name: str) -> list[Any]:
    """Read one more field of a file of texts, one value per document, as `split_by_column` takes it.

    Raises
    ------
    DataFileError
        Anything wrong with the file; no such field.
    """
    file, _, extension = locate(path)
    if extension not in TEXT_FORMATS:
        raise DataFileError(f"{extension} has no field {quoted(name)}: only files of texts have fields", file)
    return [values[0] for _, values in row_reader(extension)(file, (name,))]


def holds_texts(path: str | Path) -> bool:
    """Whether a file of this name holds texts (True) or features (False).

    Raises
    ------
    DataFileError
        An extension that is not known.
    """
    return locate(path)[2] in TEXT_FORMATS


def write(dataset: Dataset, path: str | Path, *, fields: Fields = DEFAULT_FIELDS) -> None:
    """Write a data file completely or not at all.

    Parameters
    ----------
    dataset : Dataset
        With texts for ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet``; with X for ``.txt`` and ``.npz``.
    path : path-like
        Format by extension, as in `read`. Files of texts hold no labels that no document has, ``.txt`` no names.
    fields : Fields, optional
        The names of the fields to write, and the separator of labels in CSV and TSV ("|" by default).

    Raises
    ------
    InputError
        A format of texts for features or the other way round; a label or text that CSV cannot hold.
    DataFileError
        The system does not let the file be written.
    MissingExtraError
        Parquet without pyarrow.
    """
    file, labels_file, extension = locate(path, fields.labels_path)
    if labels_file is not None:
        raise DataFileError("pairs of .npz files are only read: name one .npz file, it holds both", file)
    if extension in FEATURE_FORMATS:
        FEATURE_FORMATS[extension](dataset, file)
        return
    if dataset.texts is None:
        raise InputError(f"{extension} holds texts, but the data are features: write .npz or .txt instead")
    if fields.annif:
        annif.write(dataset, file, extension, fields)
    else:
        TEXT_FORMATS[extension](dataset, file, fields)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    fields: Fields = DEFAULT_FIELDS,
    target_fields: Fields = DEFAULT_FIELDS,
    change: Callable[[Dataset], Dataset] | None = None,
) -> tuple[str, ...]:
    """Write a file's ids, texts (or features) and labels in another format.

    Parameters
    ----------
    source, target : path-like
    fields, target_fields : Fields, optional
        The names of the fields of both files.
    change : callable, optional
        What is done with the data in between, for example ``hidden.hide_labels``.

    Returns
    -------
    tuple of str
        The names of the fields that are left out: all others of a file of texts (of JSON lines, the first 1,000);
        "label names" where a ``.txt`` cannot hold them.

    Raises
    ------
    DataFileError
        Anything wrong with the source.
    InputError
        Source and target are one file. Between texts and features there is no conversion: train on texts, or
        vectorize them first.
    """
    refuse_same_file(target, source, fields.labels_path, fields.names_path, fields.vocabulary_path)
    dataset, left_out = read_for(source, (target,), fields=fields, target_fields=target_fields)
    write(dataset if change is None else change(dataset), target, fields=target_fields)
    return left_out


def read_for(
    source: str | Path, targets: Sequence[str | Path], *, fields: Fields, target_fields: Fields
) -> tuple[Dataset, tuple[str, ...]]:
    """Read a file that is to be written to other ones, and name the fields that these leave out; see `convert`.

    Raises
    ------
    DataFileError
        Anything wrong with the source.
    InputError
        Source and target are of different families, or ``target_fields`` cannot be written.
    """
    for target in targets:
        if holds_texts(source) != holds_texts(target):
            held, wanted = ("texts", "features") if holds_texts(source) else ("features", "texts")
            raise InputError(
                f"{source} holds {held}, but {target} would hold {wanted}: choose "
                + (".jsonl, .csv, .tsv or .parquet" if held == "texts" else ".npz or .txt")
            )
    if holds_texts(source):
        target_fields.written(with_ids=False)  # refused before the source is read
    seen: dict[str, None] = {}
    dataset = _read(source, fields, None, seen)
    if dataset.texts is None:
        unnamed = any(locate(target)[2] == ".txt" for target in targets)
        return dataset, ("label names",) if unnamed and not isinstance(dataset.label_names, NumberNames) else ()
    identity = fields.id if fields.group is None or fields.id in seen else fields.group
    kept = {*fields.text_names, fields.labels, identity}
    return dataset, tuple(name for name in seen if name not in kept)


def refuse_same_file(target: str | Path, *inputs: str | Path | BinaryIO | None) -> None:
    """Raise InputError if a file to be written is also read, under any path or link.

    Parameters
    ----------
    target : path-like
        The file to write.
    *inputs : path-like, binary stream or None
        What is read: files, pairs such as ``X.npz:Y.npz``, or open streams such as ``sys.stdin.buffer``.

    Raises
    ------
    InputError
        A regular file is both.
    """
    for one in inputs:
        parts = paths_of(one) if isinstance(one, str | Path) else (one,)
        if any(_is_same_file(part, Path(target)) for part in parts if part is not None):
            raise InputError(f"{target} is both input and output: write to another file")


def _is_same_file(source: Source, target: Path) -> bool:
    try:
        written = target.stat()
        read_from = source.stat() if isinstance(source, Path) else os.fstat(source.fileno())
    except (OSError, ValueError, AttributeError):  # no such file, or a stream in memory
        return False
    return stat.S_ISREG(written.st_mode) and os.path.samestat(read_from, written)


def _read(path: str | Path, fields: Fields, label_names: Sequence[str] | None, seen: dict[str, None] | None) -> Dataset:
    if not extension_of(named := paths_of(given_path("the data file", path))[0]) and not named.is_dir():
        require_file(named)  # a mistyped name is more likely than a data file without an extension
    file, labels_file, extension = locate(path, fields.labels_path)
    names_file = None if fields.names_path is None else Path(fields.names_path)
    if extension in TEXT_FORMATS:
        dataset = _read_text_rows(file, reader_for(file, extension, fields, seen=seen), fields)
    else:
        dataset = repository.read(file) if extension == ".txt" else npz.read(file, labels_file)
    if len(dataset) == 0:
        raise DataFileError("holds no documents: give at least one", file)
    if dataset.Y.nnz == 0:
        raise DataFileError("no document has labels: check the field or the matrix of labels", file)
    if fields.vocabulary_path is not None:
        dataset = of_vocabulary(dataset, fields)
    elif names_file is not None and (extension in TEXT_FORMATS or isinstance(dataset.label_names, NumberNames)):
        dataset = with_names(dataset, names_file)
    elif label_names is not None and isinstance(dataset.label_names, NumberNames):
        dataset = numbers_named(dataset, label_names, file)
    return dataset if label_names is None else align(dataset, label_names)


def reader_for(
    source: Source,
    extension: str,
    fields: Fields,
    *,
    on_bad: OnBad | None = None,
    seen: dict[str, None] | None = None,
) -> RowReader:
    """The reader of a corpus of Annif, or else that of the format."""
    corpus = annif.corpus_reader(source, extension, fields, on_bad=on_bad, seen=seen)
    return corpus or row_reader(extension, fields.delimiter, on_bad=on_bad, seen=seen)


def _read_text_rows(file: Path, rows: RowReader, fields: Fields) -> Dataset:
    texts: list[str] = []
    ids: list[Any] = []
    numbers: list[int] = []
    labels = LabelRows(fields.separator)
    documents = DocumentNumbers()
    one_field, group = len(fields.text_names) == 1, fields.group
    required = [*fields.text_names, fields.labels, *([] if group is None else [group])]
    for line, values in rows(file, required, (fields.id,)):
        try:
            ids.append(values.pop())
            if group is not None:
                value = values.pop()
                numbers.append(documents.of(value))
                if ids[-1] in NO_ID:
                    ids[-1] = value
            labels.add(values.pop(), line)
            text = values[0]
            texts.append(text if one_field and text.__class__ is str else joined_text(values))
        except InputError as error:
            raise located(error, file, line) from None
    try:
        Y, names = labels.finish()
    except InputError as error:
        raise located(error, file) from None
    if "" in ids:  # an empty cell
        ids = [None if one == "" else one for one in ids]
    dataset = Dataset(Y=Y, label_names=names, texts=texts, ids=ids if ids.count(None) < len(ids) else None)
    return dataset if group is None else merged_rows(dataset, numbers)


def located(error: InputError, source: Source, line: int | None = None) -> DataFileError:
    """The error with its file and line; the line of a held value goes first."""
    return DataFileError(str(error), name_of(source), getattr(error, "line", None) or line)
