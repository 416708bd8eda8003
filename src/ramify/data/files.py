"""Any data file ↔ Dataset: the format is known by the extension, ``.gz`` included.

Two families: files of texts (.jsonl, .csv, .tsv, .parquet) yield rows of named fields; files of features (.txt of
the Extreme Classification Repository, .npz) yield matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import scipy.sparse as sp

from ramify.data import jsonl, npz, parquet, repository, table
from ramify.data.fields import DEFAULT_FIELDS, Fields, joined_text
from ramify.data.labels import LabelRows, NumberNames, align
from ramify.data.streams import Source, name_of, numbered_lines
from ramify.errors import DataFileError, InputError
from ramify.values import CSR, Dataset

RowReader = Callable[..., Iterator[tuple[int, list[Any]]]]


class Document(NamedTuple):
    """A text to predict for.

    Parameters
    ----------
    text : str
        The text.
    id : object
        What the file's id field holds, None where it has none.
    """

    text: str
    id: Any


# extension -> reader of rows, writer of a Dataset
TEXT_FORMATS: dict[str, tuple[RowReader, Callable[[Dataset, Path, Fields], None]]] = {
    ".jsonl": (jsonl.read_rows, jsonl.write),
    ".csv": (table.read_rows, table.write),
    ".tsv": (partial(table.read_rows, delimiter="\t"), partial(table.write, delimiter="\t")),
    ".parquet": (parquet.read_rows, parquet.write),
}
FEATURE_FORMATS: dict[str, Callable[[Dataset, Path], None]] = {".txt": repository.write, ".npz": npz.write}
PACKED = (".jsonl", ".csv", ".tsv", ".txt")  # the others compress within


def read(path: str | Path, *, fields: Fields = DEFAULT_FIELDS, label_names: Sequence[str] | None = None) -> Dataset:
    """Read a data file.

    Parameters
    ----------
    path : path-like
        ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet`` (texts), the Extreme Classification Repository's ``.txt`` or
        ``.npz`` (features); ``.gz`` after the ones that do not compress themselves. A pair of scipy files is
        ``X.npz:Y.npz``.
    fields : Fields, optional
        The names of the fields, "text" and "labels" by default.
    label_names : sequence of str, optional
        The label space to read into, as a model's ``label_names``: see `align`. Files that hold label numbers only
        take them as the names of their columns.

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
    file, labels_file, extension = _locate(path, fields)
    if extension in TEXT_FORMATS:
        dataset = _read_text_rows(file, TEXT_FORMATS[extension][0], fields)
    else:
        dataset = repository.read(file) if extension == ".txt" else npz.read(file, labels_file)
        dataset = _with_names(dataset, fields, label_names, file)
    if len(dataset) == 0:
        raise DataFileError("holds no documents: give at least one", file)
    if dataset.Y.nnz == 0:
        raise DataFileError("no document has labels: check the field or the matrix of labels", file)
    return dataset if label_names is None else align(dataset, label_names)


def read_texts(
    source: str | Path | Source, fields: Fields = DEFAULT_FIELDS, *, stream_format: str = ".jsonl"
) -> Iterator[Document]:
    """Stream the texts of a file, or of an open binary stream such as ``sys.stdin.buffer``; labels may be absent.

    Parameters
    ----------
    source : path-like or binary stream
        A file of texts.
    fields : Fields, optional
        The names of the fields.
    stream_format : str, default ".jsonl"
        What a stream holds: ".jsonl", ".csv" or ".tsv".

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
        source, _, extension = _locate(source, fields)
    else:
        extension = stream_format
    if extension not in TEXT_FORMATS:
        raise DataFileError(f"{extension} holds features, not texts: use read_features", name_of(source))
    names = fields.text_names
    for line, values in TEXT_FORMATS[extension][0](source, names, (fields.id,)):
        try:
            text = joined_text(values[: len(names)])
        except InputError as error:
            raise DataFileError(str(error), name_of(source), line) from None
        yield Document(text, values[-1])


def read_features(path: str | Path) -> CSR:
    """Read the features X, shape (n, d), of a ``.txt`` or ``.npz`` file; its labels may be absent.

    Raises
    ------
    DataFileError
        Anything wrong with the file; a file of texts (use `read_texts`).
    """
    file, _, extension = _locate(path, DEFAULT_FIELDS)
    if extension in TEXT_FORMATS:
        raise DataFileError(f"{extension} holds texts, not features: use read_texts", file)
    return repository.read(file).X if extension == ".txt" else npz.read_features(file)


def read_column(path: str | Path, name: str) -> list[Any]:
    """Read one more field of a file of texts, one value per document, as `split_by_column` takes it.

    Raises
    ------
    DataFileError
        Anything wrong with the file; no such field.
    """
    file, _, extension = _locate(path, DEFAULT_FIELDS)
    if extension not in TEXT_FORMATS:
        raise DataFileError(f"{extension} has no field {name!r}: only files of texts have fields", file)
    return [values[0] for _, values in TEXT_FORMATS[extension][0](file, (name,))]


def holds_texts(path: str | Path) -> bool:
    """Whether a file of this name holds texts (True) or features (False).

    Raises
    ------
    DataFileError
        An extension that is not known.
    """
    return _locate(path, DEFAULT_FIELDS)[2] in TEXT_FORMATS


def write(dataset: Dataset, path: str | Path, *, fields: Fields = DEFAULT_FIELDS) -> None:
    """Write a data file; it appears whole or not at all.

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
    file, labels_file, extension = _locate(path, fields)
    if labels_file is not None:
        raise DataFileError("pairs of .npz files are only read: name one .npz file, it holds both", file)
    if extension in FEATURE_FORMATS:
        FEATURE_FORMATS[extension](dataset, file)
        return
    if dataset.texts is None:
        raise InputError(f"{extension} holds texts, but the data are features: write .npz or .txt instead")
    TEXT_FORMATS[extension][1](dataset, file, fields)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    fields: Fields = DEFAULT_FIELDS,
    target_fields: Fields = DEFAULT_FIELDS,
) -> None:
    """Write a file's texts (or features) and labels in another format; other fields are not kept.

    Raises
    ------
    DataFileError
        Anything wrong with the source.
    InputError
        Between texts and features there is no conversion: train on texts, or vectorize them first.
    """
    if holds_texts(source) != holds_texts(target):
        held, wanted = ("texts", "features") if holds_texts(source) else ("features", "texts")
        raise InputError(
            f"{source} holds {held}, but {target} would hold {wanted}: choose "
            + (".jsonl, .csv, .tsv or .parquet" if held == "texts" else ".npz or .txt")
        )
    write(read(source, fields=fields), target, fields=target_fields)


def _locate(path: str | Path, fields: Fields) -> tuple[Path, Path | None, str]:
    """(file, file of labels, extension without .gz)."""
    name = str(path)
    cut = name.lower().find(".npz:")
    file = Path(name[: cut + 4] if cut >= 0 else name)
    labels = name[cut + 5 :] if cut >= 0 else fields.labels_path
    packed = file.suffix.lower() == ".gz"
    extension = (file.with_suffix("") if packed else file).suffix.lower()
    known = [*TEXT_FORMATS, *FEATURE_FORMATS]
    if labels is not None and extension != ".npz":
        raise DataFileError("holds its labels itself: a separate file of labels goes with .npz only", file)
    if extension in known and (not packed or extension in PACKED):
        return file, None if labels is None else Path(labels), extension
    if file.is_dir():
        raise DataFileError("is a directory: name a file in it", file)
    shown = (extension + ".gz" if packed else extension) or "none"
    remedy = f"name it {', '.join(known)}, or one of {', '.join(PACKED)} with .gz"
    raise DataFileError(f"the extension {shown!r} is not known: {remedy}", file)


def _read_text_rows(file: Path, rows: RowReader, fields: Fields) -> Dataset:
    texts: list[str] = []
    labels = LabelRows(fields.separator)
    one_field = len(fields.text_names) == 1
    for line, values in rows(file, (*fields.text_names, fields.labels)):
        try:
            labels.add(values.pop())
            text = values[0]
            texts.append(text if one_field and text.__class__ is str else joined_text(values))
        except InputError as error:
            raise DataFileError(str(error), file, line) from None
    try:
        Y, names = labels.finish()
    except InputError as error:
        raise DataFileError(str(error), file) from None
    return Dataset(Y=Y, label_names=names, texts=texts)


def _with_names(dataset: Dataset, fields: Fields, label_names: Sequence[str] | None, file: Path) -> Dataset:
    """Names for columns that have only numbers: from the names file, else the caller's."""
    if not isinstance(dataset.label_names, NumberNames):
        return dataset
    names = label_names
    if fields.names_path is not None:
        names = [line.strip() for _, line in numbered_lines(Path(fields.names_path))]
    if names is None:
        return dataset
    if len(names) < dataset.n_labels:
        raise DataFileError(f"has {dataset.n_labels} labels, but {len(names)} label names are given: give all", file)
    Y = sp.csr_matrix((dataset.Y.data, dataset.Y.indices, dataset.Y.indptr), shape=(len(dataset), len(names)))
    return Dataset(Y=Y, label_names=names, X=dataset.X)
