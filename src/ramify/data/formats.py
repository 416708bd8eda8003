"""The format of a data file, from its extension, with ``.gz``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ramify.checks import given_path
from ramify.data import jsonl, npz, parquet, repository, table
from ramify.data.fields import Fields
from ramify.data.streams import OnBad
from ramify.errors import DataFileError
from ramify.values import Dataset

RowReader = Callable[..., Iterator[tuple[int, list[Any]]]]
"""(source, required fields, optional fields) -> (line, values of these fields) per record."""
Writer = Callable[[Dataset, Path, Fields], None]

FOLDER = "folder"
"""Stands for the extension of a directory of texts (see ``annif.py``)."""


def _refuse_folder(dataset: Dataset, path: Path, fields: Fields) -> None:
    raise DataFileError("is a directory of texts, which is only read: name a file to write", path)


DELIMITERS = {".csv": ",", ".tsv": "\t"}
TEXT_FORMATS: dict[str, Writer] = {
    ".jsonl": jsonl.write,
    ".csv": table.write,
    ".tsv": partial(table.write, delimiter=DELIMITERS[".tsv"]),
    ".parquet": parquet.write,
    FOLDER: _refuse_folder,
}
FEATURE_FORMATS: dict[str, Callable[[Dataset, Path], None]] = {".txt": repository.write, ".npz": npz.write}
PACKED = (".jsonl", ".csv", ".tsv", ".txt")  # the others compress within


def row_reader(
    extension: str,
    delimiter: str | None = None,
    *,
    on_bad: OnBad | None = None,
    seen: dict[str, None] | None = None,
) -> RowReader:
    """The reader of a format of texts.

    Parameters
    ----------
    extension : str
        A key of ``TEXT_FORMATS``.
    delimiter : str, optional
        Of CSV and TSV; found by the header by default.
    on_bad : callable, optional
        Called with the error of a bad record, which is left out. By default the error is raised.
    seen : dict, optional
        Receives the names of all fields of the file, as keys.
    """
    if extension == ".jsonl":
        return partial(jsonl.read_rows, on_bad=on_bad, seen=seen)
    if extension == ".parquet":
        return partial(parquet.read_rows, seen=seen)
    return partial(table.read_rows, delimiter=delimiter, default=DELIMITERS[extension], on_bad=on_bad, seen=seen)


def extension_of(file: Path) -> str:
    """The extension in small letters, without ``.gz``."""
    return (file.with_suffix("") if file.suffix.lower() == ".gz" else file).suffix.lower()


def paths_of(path: str | Path) -> tuple[Path, Path | None]:
    """(file, file of labels): two for a pair such as ``X.npz:Y.npz``."""
    name = str(path)
    cut = name.lower().find(".npz:")
    return (Path(name), None) if cut < 0 else (Path(name[: cut + 4]), Path(name[cut + 5 :]))


def locate(path: str | Path, labels_path: str | Path | None = None) -> tuple[Path, Path | None, str]:
    """(file, file of labels, extension without ``.gz``) of a data file; ``FOLDER`` of a directory with .txt files.

    Raises
    ------
    DataFileError
        An extension that is not known, a directory, or a file of labels for another format than ``.npz``.
    """
    file, labels = paths_of(given_path("the data file", path))
    if labels is None and labels_path is not None:
        labels = Path(labels_path)
    extension, packed = extension_of(file), file.suffix.lower() == ".gz"
    if _is_directory(file) and next(file.glob("*.txt"), None) is not None:
        return file, None, FOLDER
    known = [name for name in (*TEXT_FORMATS, *FEATURE_FORMATS) if name != FOLDER]
    if labels is not None and extension != ".npz":
        raise DataFileError("holds its labels itself: a separate file of labels goes with .npz only", file)
    if extension in known and (not packed or extension in PACKED):
        return file, labels, extension
    if _is_directory(file):
        raise DataFileError("is a directory: name a file in it", file)
    shown = extension + ".gz" if packed else extension
    problem = f"the extension {shown[:40]!r} is not known" if shown else "has no extension, which names the format"
    raise DataFileError(f"{problem}: name it {', '.join(known)}, or one of {', '.join(PACKED)} with .gz", file)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a NUL in the path, or a name that is too long
        return False
