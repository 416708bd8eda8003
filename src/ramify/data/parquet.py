"""Parquet: a string column of texts and a column of labels (lists, or strings split at "|"). Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ramify.data.fields import Fields, missing_field
from ramify.data.labels import named_rows
from ramify.data.streams import Source, name_of, require_file, without_surrogates, writing
from ramify.errors import DataFileError, MissingExtraError
from ramify.values import Dataset

BATCH_ROWS = 4096
ROW_GROUP_ROWS = 1 << 16


def read_rows(
    source: Source, required: Sequence[str], optional: Sequence[str] = (), *, seen: dict[str, None] | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """Yield per row its number from 1 and the values of the named columns.

    Parameters
    ----------
    source : Path
        The file.
    required, optional : sequence of str
        Names of columns; None stands for an optional one that is missing.
    seen : dict, optional
        Receives the names of all columns, as keys.

    Raises
    ------
    DataFileError
        Not a Parquet file, or a required column that is missing.
    MissingExtraError
        pyarrow is not installed.
    """
    pyarrow = import_pyarrow()
    if not isinstance(source, Path):
        raise DataFileError("Parquet cannot be read from a stream: save it to a file", name_of(source))
    require_file(source)
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(source) as file:
            present = file.schema_arrow.names
            for name in required:
                if name not in present:
                    raise DataFileError(missing_field(name, present), source)
            if seen is not None:
                seen.update(dict.fromkeys(present))
            wanted = [*required, *optional]
            # Of several optional columns of one name none is read: pyarrow gives no column for such a name.
            stored = [name for name in dict.fromkeys(wanted) if name in required or present.count(name) == 1]
            for batch in file.iter_batches(BATCH_ROWS, columns=stored):
                columns = {name: batch.column(name).to_pylist() for name in stored}
                empty = [None] * len(batch)
                for values in zip(*(columns.get(name, empty) for name in wanted), strict=True):
                    number += 1
                    yield number, list(values)
    except DataFileError:
        raise
    except Exception as error:  # pyarrow reports damage by a dozen kinds of exception
        reason = " ".join(str(error).split())[:200]
        raise DataFileError(f"is not a readable Parquet file ({reason}): write it again", source) from None


def write(dataset: Dataset, path: Path, fields: Fields) -> None:
    """Write a column of ids (if there are any), a string column of texts and a list column of label names.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    """
    pyarrow = import_pyarrow()
    texts, label_rows = dataset.texts or (), named_rows(dataset.Y, dataset.label_names)
    names = fields.written(with_ids=dataset.ids is not None)
    ids = None if dataset.ids is None else _id_column(dataset.ids, pyarrow)
    types = [pyarrow.string(), pyarrow.list_(pyarrow.string())]
    schema = pyarrow.schema(list(zip(names, types if ids is None else [ids.type, *types], strict=True)))
    with writing(path) as stream, pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        for start in range(0, len(texts), ROW_GROUP_ROWS):
            group = [without_surrogates(text) for text in texts[start : start + ROW_GROUP_ROWS]]
            labels = [[without_surrogates(name) for name in row] for row in islice(label_rows, len(group))]
            columns = [group, labels] if ids is None else [ids[start : start + ROW_GROUP_ROWS], group, labels]
            writer.write_table(pyarrow.table(dict(zip(names, columns, strict=True)), schema=schema))


def _id_column(ids: Sequence[Any], pyarrow: Any) -> Any:
    """Ids in a type that holds them all: the one that pyarrow finds, else strings."""
    try:
        return pyarrow.array(list(ids))
    except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):  # values of several kinds, broken surrogates
        return pyarrow.array([None if one is None else without_surrogates(str(one)) for one in ids], pyarrow.string())


def import_pyarrow() -> Any:
    """The module ``pyarrow`` with ``pyarrow.parquet``; MissingExtraError if it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet files", "data") from None
    return pyarrow
