"""Parquet: a string column of texts and a column of labels (lists, or strings split at "|"). Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ramify.data.fields import Fields, missing_field
from ramify.data.labels import named_rows
from ramify.data.streams import Source, name_of, replacing, require_file, without_surrogates
from ramify.errors import DataFileError, MissingExtraError
from ramify.values import Dataset

BATCH_ROWS = 4096
ROW_GROUP_ROWS = 1 << 16


def read_rows(source: Source, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
    """Yield per row its number from 1 and the values of the named columns.

    Raises
    ------
    DataFileError
        Not a Parquet file, or a required column that is missing.
    MissingExtraError
        pyarrow is not installed.
    """
    pyarrow = _pyarrow()
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
            wanted = [*required, *optional]
            for batch in file.iter_batches(BATCH_ROWS, columns=[name for name in wanted if name in present]):
                columns = [
                    batch.column(name).to_pylist() if name in present else [None] * len(batch) for name in wanted
                ]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield number, list(values)
    except DataFileError:
        raise
    except Exception as error:  # pyarrow reports damage by a dozen kinds of exception
        reason = " ".join(str(error).split())[:200]
        raise DataFileError(f"is not a readable Parquet file ({reason}): write it again", source) from None


def write(dataset: Dataset, path: Path, fields: Fields) -> None:
    """Write a string column of texts and a list column of label names.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    texts, label_rows = dataset.texts or (), named_rows(dataset)
    text_name, labels_name = fields.written_text, fields.labels
    schema = pyarrow.schema([(text_name, pyarrow.string()), (labels_name, pyarrow.list_(pyarrow.string()))])
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        for start in range(0, len(texts), ROW_GROUP_ROWS):
            group = [without_surrogates(text) for text in texts[start : start + ROW_GROUP_ROWS]]
            labels = [[without_surrogates(name) for name in row] for row in islice(label_rows, len(group))]
            columns = {text_name: group, labels_name: labels}
            writer.write_table(pyarrow.table(columns, schema=schema))


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet files", "data") from None
    return pyarrow
